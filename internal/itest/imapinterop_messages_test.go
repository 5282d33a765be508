package itest

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/store"
)

// parcels makes n messages.
func parcels(n int) iter.Seq2[*imapclient.NewMessage, error] {
	return func(yield func(*imapclient.NewMessage, error) bool) {
		for k := 1; k <= n; k++ {
			text := fmt.Sprintf("From: Äda <a@example.org>\r\nTo: b@example.org\r\nSubject: number %d\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"+
				"Message-ID: <%d@example.org>\r\n\r\nbody %d\r\n", k, k, k)
			text = strings.Replace(text, "Äda", "=?utf-8?q?=C3=84da?=", 1)
			m := &imapclient.NewMessage{
				Size: int64(len(text)), Body: strings.NewReader(text), InternalDate: time.Date(2020, 1, 1, 10, 0, k, 0, time.FixedZone("", 3600)),
			}
			if k%2 == 0 {
				m.Flags, m.Keywords = store.Seen, []string{"$Even"}
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}

// appends: pipelined, in one command, binary, refused.
func (i *interop) appends() {
	ctx, c, t := i.t.Context(), i.c, i.t
	n := 0
	for uid, err := range c.AppendAll(ctx, "Büro & Co", parcels(50)) {
		i.ok("APPEND", err)
		if n++; i.needs(imap.CapUIDPlus) && (len(uid.UIDs) != 1 || uid.UIDValidity == 0) {
			t.Errorf("APPENDUID %v", uid)
		}
	}
	if n != 50 {
		t.Errorf("%d results of APPEND", n)
	}
	if i.needs(imap.CapMultiAppend) {
		all, err := c.MultiAppend(ctx, "Büro & Co", parcels(10))
		if i.ok("APPEND of several", err); c.Has(imap.CapUIDPlus) && all.UIDs.Resolve(0).Len() != 10 {
			t.Errorf("APPENDUID %v", all)
		}
	}
	if i.needs(imap.CapBinary) {
		text := "Subject: binary\r\nContent-Transfer-Encoding: binary\r\nContent-Type: application/octet-stream\r\n\r\n\x00\x01"
		_, err := c.Append(ctx, "INBOX", &imapclient.NewMessage{Size: int64(len(text)), Body: strings.NewReader(text), Binary: true})
		if code := imapclient.Code(err); err != nil && code != imap.CodeUnknownCTE {
			t.Logf("APPEND of NUL: %v", err) // RFC 3516 §4.4 lets servers refuse it
		}
	}
	_, err := c.Append(ctx, "none at all", first(parcels(1)))
	if e, ok := errors.AsType[*imapclient.Error](err); !ok || e.Response.Condition != imap.ConditionNo {
		t.Errorf("APPEND to a missing mailbox: %v", err)
	}
	for _, cap := range []imap.Capability{imap.CapLiteralPlus, imap.CapLiteralMinus} {
		i.needs(cap)
	}
}

func first(msgs iter.Seq2[*imapclient.NewMessage, error]) *imapclient.NewMessage {
	for m := range msgs {
		return m
	}
	return nil
}

// fetches: all items and forms of sections.
func (i *interop) fetches() {
	ctx, c, t := i.t.Context(), i.c, i.t
	box, err := c.Select(ctx, "Büro & Co", imapclient.SelectOptions{CondStore: true})
	if err != nil {
		t.Fatal(err)
	}
	if box.Exists < 50 || box.UIDValidity == 0 || box.UIDNext == 0 || i.needs(imap.CapCondStore) && box.HighestModSeq == 0 {
		t.Errorf("%+v", box)
	}
	o := imap.FetchOptions{
		Items:    imap.FetchFlags | imap.FetchInternalDate | imap.FetchSize | imap.FetchEnvelope | imap.FetchBodyStructure,
		Sections: []imap.Section{{Peek: true}, {Peek: true, Text: imap.TextFields, Fields: []string{"Subject"}}, {Peek: true, Partial: true, Offset: 6, Count: 10}},
	}
	for item, cap := range map[imap.FetchItem]imap.Capability{
		imap.FetchModSeq: imap.CapCondStore, imap.FetchEmailID: imap.CapObjectID, imap.FetchSaveDate: imap.CapSaveDate, imap.FetchPreview: imap.CapPreview,
	} {
		if i.needs(cap) {
			o.Items |= item
		}
	}
	if c.Has(imap.CapBinary) {
		o.Sections = append(o.Sections, imap.Section{Peek: true, Form: imap.FormBinary, Part: []uint32{1}}, imap.Section{Form: imap.FormBinarySize, Part: []uint32{1}})
	}
	n := 0
	for m, err := range c.Fetch(ctx, store.AllUIDs(), o) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		i.judge(m, &o)
	}
	if n != int(box.Exists) {
		t.Errorf("%d of %d messages", n, box.Exists)
	}
	for m, err := range c.FetchSeq(ctx, imap.NumSet{{Start: 1, Stop: 1}, {}}, imap.FetchOptions{Items: imap.FetchFlags}) {
		if err != nil || m.Seq != 1 && m.Seq != box.Exists || m.UID == 0 {
			t.Errorf("%+v, %v", m, err)
		}
	}
	if i.needs(imap.CapPartial) {
		n = 0
		for _, err := range c.Fetch(ctx, store.AllUIDs(), imap.FetchOptions{Items: imap.FetchSize, Partial: imap.PartialRange{Start: -1, Stop: -5}}) {
			i.ok("FETCH (PARTIAL)", err)
			n++
		}
		if n != 5 {
			t.Errorf("PARTIAL: %d", n)
		}
	}
}

// judge checks one message of parcels.
func (i *interop) judge(m *imapclient.Message, o *imap.FetchOptions) {
	t, got := i.t, map[string]string{}
	for {
		s, err := m.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(s)
		if err != nil || int64(len(b)) != s.Size {
			t.Fatal(err)
		}
		got[string(s.Section.AppendName(nil))] = string(b)
	}
	if !m.Has(o.Items) || m.UID == 0 || int64(len(got["BODY[]"])) != m.Size {
		t.Errorf("%+v, %q", m, got)
	}
	if m.Envelope == nil || m.BodyStructure == nil {
		return
	}
	k := strings.TrimPrefix(m.Envelope.Subject, "number ")
	body := "body " + k + "\r\n"
	fields := got["BODY[HEADER.FIELDS (Subject)]"] + got["BODY[HEADER.FIELDS (SUBJECT)]"]
	if fields != "Subject: number "+k+"\r\n\r\n" || !strings.HasSuffix(got["BODY[]"], "\r\n\r\n"+body) || len(got["BODY[]<6>"]) != 10 ||
		m.Envelope.From[0].String() != "a@example.org" || m.Envelope.MessageID != "<"+k+"@example.org>" || !m.BodyStructure.Is("text/plain") {
		t.Errorf("%+v, %+v, %q", m.Envelope, m.BodyStructure, got)
	}
	if i.c.Has(imap.CapBinary) && (got["BINARY[1]"] != body || len(m.Extra) != 1 || string(m.Extra[0].Value) != fmt.Sprint(len(body))) {
		t.Errorf("%q, %q", got, m.Extra)
	}
	even := (k[len(k)-1]-'0')%2 == 0
	if even != (m.Flags.System&store.Seen != 0) || even != m.Flags.Has("$Even") || m.InternalDate.Year() != 2020 || m.InternalDate.UTC().Hour() != 9 {
		t.Errorf("%s: %+v, %v", k, m.Flags, m.InternalDate)
	}
}

// searches: SEARCH, ESEARCH, SORT, THREAD.
func (i *interop) searches() {
	ctx, c, t := i.t.Context(), i.c, i.t
	r, err := c.Search(ctx, imap.Criteria{Subject: []string{"number 7"}, From: []string{"äda"}}, imap.SearchOptions{})
	if err != nil || r.UIDs.Len() < 1 {
		t.Errorf("SEARCH: %+v, %v", r, err)
	}
	i.needs(imap.CapESearch)
	r, err = c.Search(ctx, imap.Criteria{Keywords: []string{"$Even"}, Not: []imap.Criteria{{NotFlags: store.Seen}}},
		imap.SearchOptions{Return: imap.ReturnMin | imap.ReturnMax | imap.ReturnCount})
	if err != nil || r.Count < 25 || r.Min == 0 || r.Max <= r.Min {
		t.Errorf("SEARCH RETURN: %+v, %v", r, err)
	}
	if c.Has(imap.CapCondStore) {
		r, err = c.Search(ctx, imap.Criteria{ModSeq: 1, UIDs: store.UIDs(1, 2)}, imap.SearchOptions{})
		if err != nil || r.UIDs.Len() != 2 || r.ModSeq == 0 {
			t.Errorf("SEARCH MODSEQ: %+v, %v", r, err)
		}
	}
	if i.needs(imap.CapWithin) {
		_, err = c.Search(ctx, imap.Criteria{Older: time.Hour}, imap.SearchOptions{})
		i.ok("SEARCH OLDER", err)
	}
	if i.needs(imap.CapSort) {
		i.needs(imap.CapESort)
		r, err = c.Sort(ctx, []string{"REVERSE", "ARRIVAL"}, imap.Criteria{UIDs: store.UIDs(3, 4, 5)}, imap.SearchOptions{})
		if err != nil || !slices.Equal(r.Order, []imap.UID{5, 4, 3}) {
			t.Errorf("SORT: %+v, %v", r, err)
		}
		r, err = c.Sort(ctx, []string{"ARRIVAL"}, imap.Criteria{UIDs: store.UIDs(3, 4, 5)}, imap.SearchOptions{Return: imap.ReturnCount | imap.ReturnAll})
		if err != nil || r.Count != 3 || len(r.Order) != 3 {
			t.Errorf("ESORT: %+v, %v", r, err)
		}
	}
	for _, algorithm := range []string{"REFERENCES", "ORDEREDSUBJECT", "REFS"} {
		if i.needs(imap.Capability("THREAD=" + algorithm)) {
			threads, err := c.Thread(ctx, algorithm, imap.Criteria{UIDs: store.UIDs(1, 2, 3)})
			if err != nil || len(threads) != 3 {
				t.Errorf("THREAD: %+v, %v", threads, err)
			}
		}
	}
}

// flags: STORE, with and without conditions.
func (i *interop) flags() {
	ctx, c, t := i.t.Context(), i.c, i.t
	heard := 0
	c.SetHandler(imapclient.Handler{Fetch: func(m *imapclient.Message) { heard++ }})
	defer c.SetHandler(imapclient.Handler{})
	_, err := c.Store(ctx, store.UIDs(1, 3), imap.StoreOptions{Flags: store.Flagged, Keywords: []string{"$X"}})
	if i.ok("STORE", err); heard < 2 {
		t.Errorf("%d FETCH responses to STORE", heard)
	}
	if c.Has(imap.CapCondStore) {
		old := imap.ModSeq(1)
		modified, err := c.Store(ctx, store.UIDs(1, 3), imap.StoreOptions{Mode: imap.StoreRemove, Flags: store.Flagged, Silent: true, UnchangedSince: &old})
		if err != nil || !slices.Equal(modified, store.UIDs(1, 3)) {
			t.Errorf("STORE (UNCHANGEDSINCE): %v, %v", modified, err)
		}
	}
	for m, err := range c.Fetch(ctx, store.UIDs(1), imap.FetchOptions{Items: imap.FetchFlags}) {
		if err != nil || m.Flags.System&store.Flagged == 0 || !m.Flags.Has("$X") {
			t.Errorf("%+v, %v", m, err)
		}
	}
}

// transfers: COPY, MOVE, EXPUNGE.
func (i *interop) transfers() {
	ctx, c, t := i.t.Context(), i.c, i.t
	_, err := c.Create(ctx, "Ziel")
	i.ok("CREATE", err)
	exists := c.Mailbox().Exists
	cp, err := c.Copy(ctx, store.UIDs(1, 2, 5), "Ziel")
	if i.ok("COPY", err); c.Has(imap.CapUIDPlus) && (cp.Source.Resolve(0).Len() != 3 || cp.Dest.Resolve(0).Len() != 3) {
		t.Errorf("COPYUID %v", cp)
	}
	if i.needs(imap.CapMove) {
		mv, err := c.Move(ctx, store.UIDs(2, 4), "Ziel")
		if i.ok("MOVE", err); mv.Source.Resolve(0).Len() != 2 || c.Mailbox().Exists != exists-2 {
			t.Errorf("COPYUID %v, %d messages", mv, c.Mailbox().Exists)
		}
		exists -= 2
	}
	_, err = c.Store(ctx, store.UIDs(7, 8), imap.StoreOptions{Flags: store.Deleted, Silent: true})
	i.ok("STORE", err)
	if c.Has(imap.CapUIDPlus) {
		if i.ok("UID EXPUNGE", c.UIDExpunge(ctx, store.UIDs(7))); c.Mailbox().Exists != exists-1 {
			t.Errorf("%d messages", c.Mailbox().Exists)
		}
	}
	if i.ok("EXPUNGE", c.Expunge(ctx)); c.Mailbox().Exists != exists-2 {
		t.Errorf("%d messages", c.Mailbox().Exists)
	}
	i.needs(imap.CapUnselect)
	i.ok("UNSELECT", c.Unselect(ctx))
}
