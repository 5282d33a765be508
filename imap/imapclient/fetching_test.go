package imapclient_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/store"
)

func TestFetchSections(t *testing.T) {
	addr, _ := serveAll(t, nil)
	c := dial(t, addr, imapclient.Dialer{})
	ctx := t.Context()
	text := "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n" +
		"--b\r\nContent-Type: application/octet-stream; name=\"f.bin\"\r\nContent-Transfer-Encoding: base64\r\n" +
		"Content-Disposition: attachment; filename=f.bin\r\n\r\nAAECAw==\r\n--b--\r\n"
	must(c.Append(ctx, "INBOX", &imapclient.NewMessage{Size: int64(len(text)), Body: strings.NewReader(text)}))(t)
	open(t, c, "INBOX")
	var got []string
	for m, err := range c.Fetch(ctx, store.UIDs(1), imap.FetchOptions{
		Items: imap.FetchBodyStructure | imap.FetchEmailID | imap.FetchThreadID | imap.FetchSaveDate | imap.FetchPreview | imap.FetchModSeq,
		Sections: []imap.Section{
			{Peek: true, Part: []uint32{2}, Form: imap.FormBinary},
			{Part: []uint32{2}, Form: imap.FormBinarySize},
			{Peek: true, Text: imap.TextFields, Fields: []string{"Subject"}},
			{Peek: true, Partial: true, Offset: 3, Count: 4},
			{Peek: true, Part: []uint32{9}},
		},
	}) {
		if err != nil {
			t.Fatal(err)
		}
		for {
			s, err := m.Next()
			if err == io.EOF {
				break
			}
			b, err := io.ReadAll(s)
			if err != nil || int64(len(b)) != s.Size {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%s %q %v", s.Section.AppendName(nil), b, s.IsNil))
		}
		if m.EmailID == "" || m.ThreadID == "" || m.SaveDate.IsZero() || m.Preview == "" || m.ModSeq == 0 ||
			m.BodyStructure.Parts[1].Filename() != "f.bin" || m.BodyStructure.Parts[1].Disposition != "attachment" {
			t.Errorf("%+v", m)
		}
		if len(m.Extra) != 1 || m.Extra[0].Name != "BINARY.SIZE[2]" || string(m.Extra[0].Value) != "4" {
			t.Errorf("%q", m.Extra)
		}
	}
	want := []string{
		`BINARY[2] "\x00\x01\x02\x03" false`, `BODY[HEADER.FIELDS (Subject)] "Subject: x\r\n\r\n" false`,
		`BODY[]<3> "ject" false`, `BODY[9] "" true`,
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestCondStore(t *testing.T) {
	addr, _ := serveAll(t, nil)
	var vanished imap.UIDSet
	c := dial(t, addr, imapclient.Dialer{
		Enable:  []imap.Capability{imap.CapQResync, "X-NONE"},
		Handler: imapclient.Handler{Vanished: func(set imap.UIDSet, _ bool) { vanished.AddSet(set) }},
	})
	if !c.Enabled(imap.CapQResync) || !c.Enabled(imap.CapCondStore) || c.Enabled("X-NONE") {
		t.Fatal("not enabled")
	}
	ctx := t.Context()
	fill(t, c, "INBOX", 10)
	box := open(t, c, "INBOX")
	before := box.HighestModSeq
	other := dial(t, addr, imapclient.Dialer{})
	open(t, other, "INBOX")
	must(other.Store(ctx, store.UIDs(2), imap.StoreOptions{Flags: store.Flagged, Keywords: []string{"x"}}))(t)
	must(other.Store(ctx, store.UIDs(5, 6), imap.StoreOptions{Flags: store.Deleted}))(t)
	if err := other.UIDExpunge(ctx, store.UIDs(5, 6)); err != nil {
		t.Fatal(err)
	}
	modified := must(c.Store(ctx, store.UIDs(1, 2, 3), imap.StoreOptions{Flags: store.Seen, Silent: true, UnchangedSince: &before}))(t)
	if !slices.Equal(modified, store.UIDs(2)) {
		t.Errorf("modified %v", modified)
	}
	var changed []imap.UID
	for m, err := range c.Fetch(ctx, store.AllUIDs(), imap.FetchOptions{Items: imap.FetchFlags, ChangedSince: before, Vanished: true}) {
		if err != nil {
			t.Fatal(err)
		}
		changed = append(changed, m.UID)
	}
	if !slices.Equal(changed, []imap.UID{1, 2, 3}) || !slices.Equal(vanished, store.UIDs(5, 6)) {
		t.Errorf("changed %v, vanished %v", changed, vanished)
	}
	changed = nil
	box = must(c.Select(ctx, "INBOX", imapclient.SelectOptions{
		QResync: &imap.QResync{UIDValidity: box.UIDValidity, ModSeq: before, KnownUIDs: store.AllUIDs()},
		Changed: func(m *imapclient.Message) { changed = append(changed, m.UID) },
	}))(t)
	if box.Exists != 8 || !slices.Equal(box.Vanished, store.UIDs(5, 6)) || !slices.Equal(changed, []imap.UID{1, 2, 3}) {
		t.Errorf("%+v, changed %v", box, changed)
	}
}

func TestTransfer(t *testing.T) {
	addr, _ := serveAll(t, nil)
	var expunged []uint32
	c := dial(t, addr, imapclient.Dialer{Handler: imapclient.Handler{Expunge: func(n uint32) { expunged = append(expunged, n) }}})
	ctx := t.Context()
	fill(t, c, "INBOX", 5)
	must(c.Create(ctx, "x"))(t)
	open(t, c, "INBOX")
	cp := must(c.Copy(ctx, store.UIDs(1, 3), "x"))(t)
	if cp.UIDValidity == 0 || cp.Source.String() != "1,3" || cp.Dest.String() != "1:2" {
		t.Errorf("%v", cp)
	}
	mv := must(c.Move(ctx, store.UIDs(4, 5), "x"))(t)
	if mv.Source.String() != "4:5" || mv.Dest.String() != "3:4" || c.Mailbox().Exists != 3 || len(expunged) != 2 {
		t.Errorf("%v, %v", mv, expunged)
	}
	_, err := c.Copy(ctx, store.UIDs(1), "none")
	if imapclient.Code(err) != imap.CodeTryCreate {
		t.Error(err)
	}
	if e, ok := errors.AsType[*imapclient.Error](err); !ok || e.Command != "UID COPY" || e.Temporary() {
		t.Error(err)
	}
	if err := c.Unselect(ctx); err != nil || c.Mailbox() != nil || c.State() != imapclient.Authenticated {
		t.Error(err)
	}
	if _, err := c.Copy(ctx, store.UIDs(1), "x"); !errors.Is(err, imapclient.ErrState) {
		t.Error(err)
	}
}

func TestAppends(t *testing.T) {
	for _, hidden := range [][]imap.Capability{nil, {imap.CapLiteralPlus}, {imap.CapLiteralPlus, imap.CapLiteralMinus, imap.CapIMAP4rev2}} {
		addr, _ := serveAll(t, func(cfg *imapserver.Config) {
			cfg.Hide = func(_ *imapserver.Client, c imap.Capability) bool { return slices.Contains(hidden, c) }
		})
		c := dial(t, addr, imapclient.Dialer{})
		ctx := t.Context()
		var uids []string
		for uid, err := range c.AppendAll(ctx, "INBOX", letters(100)) {
			if err != nil {
				t.Fatal(err)
			}
			uids = append(uids, uid.UIDs.String())
		}
		if len(uids) != 100 || uids[0] != "1" || uids[99] != "100" {
			t.Errorf("%v", uids)
		}
		all := must(c.MultiAppend(ctx, "INBOX", letters(3)))(t)
		if all.UIDs.String() != "101:103" {
			t.Errorf("%v", all)
		}
		n := 0
		for _, err := range c.AppendAll(ctx, "none", letters(3)) {
			if n++; imapclient.Code(err) != imap.CodeTryCreate {
				t.Error(err)
			}
		}
		if n != 3 || c.Err() != nil {
			t.Error(n, c.Err())
		}
		open(t, c, "INBOX")
		n = 0
		for m, err := range c.Fetch(ctx, store.AllUIDs(), imap.FetchOptions{Sections: []imap.Section{{Peek: true, Text: imap.TextText}}}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			if b := must(io.ReadAll(must(m.Body())(t)))(t); m.UID <= 100 && string(b) != fmt.Sprintf("body %d\r\n", m.UID) {
				t.Errorf("%d: %q", m.UID, b)
			}
		}
		if n != 103 {
			t.Errorf("%d messages", n)
		}
	}
}

// A body that is not as long as it says leaves no message behind.
func TestAppendWrongSize(t *testing.T) {
	addr, _ := serveAll(t, nil)
	ctx := t.Context()
	for _, body := range []string{"Subject: x\r\n\r\nshort\r\n", "Subject: x\r\n\r\nmuch, much, much, much, much, much, much longer\r\n"} {
		c := dial(t, addr, imapclient.Dialer{})
		if _, err := c.Append(ctx, "INBOX", &imapclient.NewMessage{Size: 40, Body: strings.NewReader(body)}); err == nil || c.Err() == nil {
			t.Error("no error")
		}
	}
	c := dial(t, addr, imapclient.Dialer{})
	if box := open(t, c, "INBOX"); box.Exists != 0 {
		t.Errorf("%d messages", box.Exists)
	}
}

func TestSearch(t *testing.T) {
	addr, _ := serveAll(t, nil)
	c := dial(t, addr, imapclient.Dialer{})
	ctx := t.Context()
	fill(t, c, "INBOX", 30)
	must(c.Append(ctx, "INBOX", letter("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "x")))(t)
	open(t, c, "INBOX")
	must(c.Store(ctx, store.UIDs(3, 4, 5), imap.StoreOptions{Flags: store.Seen, Keywords: []string{"$Done"}}))(t)
	for _, tt := range []struct {
		q    imap.Criteria
		want string
	}{
		{imap.Criteria{}, "1:31"},
		{imap.Criteria{Flags: store.Seen, Keywords: []string{"$done"}, UIDs: store.UIDs(4, 5, 6)}, "4:5"},
		{imap.Criteria{Subject: []string{"grüße"}}, "31"},
		{imap.Criteria{Not: []imap.Criteria{{NotFlags: store.Seen}}}, "3:5"},
		{imap.Criteria{Or: [][2]imap.Criteria{{{UIDs: store.UIDs(1)}, {Body: []string{"body 30"}}}}}, "1,30"},
		{imap.Criteria{Header: []imap.Param{{Name: "From"}}, Since: time.Now().Add(-48 * time.Hour), Larger: 1, Younger: time.Hour, Raw: "UID 1:2"}, "1:2"},
		{imap.Criteria{Text: []string{"nothing \"of\" this\\"}}, ""},
	} {
		r, err := c.Search(ctx, tt.q, imap.SearchOptions{})
		if err != nil {
			t.Errorf("%+v: %v", tt.q, err)
			continue
		}
		if got := text(r.UIDs); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.q, got, tt.want)
		}
	}
	all := imap.SearchOptions{Return: imap.ReturnMin | imap.ReturnMax | imap.ReturnCount | imap.ReturnPartial, Partial: imap.PartialRange{Start: 2, Stop: 4}}
	sorting := imap.SearchOptions{Return: imap.ReturnMin | imap.ReturnCount | imap.ReturnAll}
	plain := dial(t, hideFrom(t, c, "INBOX"), imapclient.Dialer{})
	open(t, plain, "INBOX")
	for _, c := range []*imapclient.Client{c, plain} {
		r := must(c.Search(ctx, imap.Criteria{NotFlags: store.Seen}, all))(t)
		if r.Min != 1 || r.Max != 31 || r.Count != 28 {
			t.Errorf("%+v", r)
		}
	}
	r := must(c.Sort(ctx, []string{"REVERSE", "SUBJECT"}, imap.Criteria{UIDs: store.UIDs(7, 8, 9)}, sorting))(t)
	if !slices.Equal(r.Order, []imap.UID{9, 8, 7}) || r.Min != 9 || r.Count != 3 {
		t.Errorf("%+v", r)
	}
	threads := must(c.Thread(ctx, "REFERENCES", imap.Criteria{}))(t)
	if len(threads) != 31 {
		t.Errorf("%d threads", len(threads))
	}
}

// hideFrom serves the same 31 messages without ESEARCH and ESORT.
func hideFrom(t *testing.T, from *imapclient.Client, mailbox string) (addr string) {
	addr, _ = serveAll(t, func(cfg *imapserver.Config) {
		cfg.Hide = func(_ *imapserver.Client, c imap.Capability) bool {
			return c == imap.CapESearch || c == imap.CapESort || c == imap.CapIMAP4rev2 || c == imap.CapPartial
		}
	})
	c := dial(t, addr, imapclient.Dialer{})
	fill(t, c, mailbox, 31)
	open(t, c, mailbox)
	must(c.Store(t.Context(), store.UIDs(3, 4, 5), imap.StoreOptions{Flags: store.Seen}))(t)
	return addr
}

// text writes a set.
func text(set imap.UIDSet) string {
	var s imap.NumSet
	for _, r := range set {
		s = append(s, imap.NumRange{Start: uint32(r.First), Stop: uint32(r.Last)})
	}
	return s.String()
}
