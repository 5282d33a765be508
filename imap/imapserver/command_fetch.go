package imapserver

import (
	"errors"
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// fetch runs FETCH and UID FETCH (RFC 3501 §6.4.5).
func (s *session) fetch(cmd *command) error {
	set, plan, err := s.readFetch()
	if err != nil {
		return err
	}
	uids, err := s.sel.resolve(cmd, set)
	if err != nil {
		return err
	}
	if cmd.uid {
		plan.items |= imap.FetchUID
	}
	t, err := s.table()
	if err != nil {
		return err
	}
	f := &fetcher{session: s, plan: plan, table: t, uids: uids}
	if plan.seen && !s.sel.readOnly {
		if err := f.markSeen(); err != nil {
			return err
		}
	}
	if s.sel.newKeywords(f.table) {
		s.tellFlags(f.table)
	}
	if plan.items&^(imap.FetchUID|imap.FetchFlags|imap.FetchSize) == 0 && len(plan.sections) == 0 {
		f.fromTable()
	} else if err := f.fromStore(); err != nil {
		return err
	}
	if plan.items&imap.FetchFlags != 0 {
		s.sel.echo = echo{uids, f.table}
	} else {
		s.sel.echo = echo{f.marked, f.table}
	}
	return f.result(cmd)
}

// fetcher runs one FETCH.
type fetcher struct {
	session *session
	plan    *fetchPlan
	table   *view.Table
	uids    store.UIDSet
	marked  store.UIDSet // got \Seen by this command

	sent    int64
	failure error  // of a message that could not be read
	buf     []byte // for header fields

	// The flag list of the last message, and for which state it is.
	flags      []byte
	flagsState uint32
}

// result is the outcome behind the responses. Messages that another session
// expunged are missing: by number that is an error (RFC 2180 §4.1.2, RFC 5530),
// by UID it is not (RFC 3501 §6.4.8).
func (f *fetcher) result(cmd *command) error {
	switch {
	case f.failure != nil:
		return f.failure
	case !cmd.uid && f.sent < f.uids.Len():
		return no(imap.CodeExpungeIssued, "Some messages are gone")
	}
	return nil
}

// markSeen sets \Seen on the messages that lack it, in one change for each
// store.MaxChange of them.
func (f *fetcher) markSeen() error {
	s := f.session
	for _, r := range f.uids {
		for row := range f.table.Without(store.Seen, r.First, r.Last) {
			f.marked.Add(row.UID)
		}
	}
	if len(f.marked) == 0 {
		return nil
	}
	for part := range batches(f.marked, store.MaxChange) {
		if _, err := s.apply(store.SetFlags{Mailbox: s.sel.id, UIDs: part, Flags: store.Seen}); err != nil {
			return err
		}
	}
	t, err := s.fresh()
	if err != nil {
		return err
	}
	f.table = t
	return nil
}

// fromTable answers from the view alone.
func (f *fetcher) fromTable() {
	for _, r := range f.uids {
		for row := range f.table.Rows(r.First, r.Last) {
			b := f.begin(row)
			_, _ = f.session.enc.Write(append(b, ")\r\n"...))
			f.sent++
		}
		if f.session.enc.Err() != nil {
			return
		}
	}
}

// begin writes the start of a FETCH response with what the row holds, into the
// free buffer of the encoder.
func (f *fetcher) begin(row *view.Row) []byte {
	s := f.session
	b := s.enc.AvailableBuffer()
	b = append(b, "* "...)
	b = strconv.AppendUint(b, uint64(s.sel.told.seq(row.UID)), 10)
	b = append(b, " FETCH ("...)
	from := len(b)
	items := f.plan.items
	if items&imap.FetchUID != 0 {
		b = append(b, "UID "...)
		b = strconv.AppendUint(b, uint64(row.UID), 10)
	}
	if items&imap.FetchFlags != 0 || f.marked.Contains(row.UID) {
		b = space(b, from)
		b = append(b, "FLAGS "...)
		b = f.appendFlags(b, row)
	}
	if items&imap.FetchSize != 0 {
		b = space(b, from)
		b = append(b, "RFC822.SIZE "...)
		b = strconv.AppendInt(b, row.Size, 10)
	}
	return b
}

// space separates an item from the one before it in b[from:].
func space(b []byte, from int) []byte {
	if len(b) > from {
		b = append(b, ' ')
	}
	return b
}

// appendFlags adds the flag list; that of the last message where it is equal.
func (f *fetcher) appendFlags(b []byte, row *view.Row) []byte {
	sel := f.session.sel
	if len(sel.recent) > 0 && row.UID >= sel.recent[0].First {
		return sel.appendFlags(b, f.table, row)
	}
	if f.flags == nil || f.flagsState != row.State() {
		f.flags = sel.appendFlags(f.flags[:0], f.table, row)
		f.flagsState = row.State()
	}
	return append(b, f.flags...)
}

// fromStore answers with what the store has to be asked for.
func (f *fetcher) fromStore() error {
	s := f.session
	q := store.Query{UIDs: f.uids}
	if f.plan.items&imap.FetchInternalDate != 0 {
		q.Fields |= store.FieldDates
	}
	if f.plan.items&(imap.FetchEnvelope|imap.FetchBody|imap.FetchBodyStructure) != 0 {
		q.Fields |= store.FieldMeta
	}
	if len(f.plan.sections) > 0 {
		q.Fields |= store.FieldContent
		if f.plan.needsMeta() {
			q.Fields |= store.FieldMeta
		}
	}
	if len(f.uids) == 0 {
		return nil
	}
	for m, err := range s.account.Store().Messages(s.ctx, s.sel.id, q) {
		if err != nil {
			return err
		}
		row := f.table.Row(m.UID)
		if row == nil || m.Gone {
			continue
		}
		err := f.message(row, m, q.Fields)
		switch {
		case s.enc.Err() != nil:
			return s.enc.Err()
		case errors.Is(err, store.ErrExpunged), errors.Is(err, store.ErrNoMessage):
			continue
		case err != nil:
			// The others are well: one damaged message must not hide them.
			f.failure = err
			f.sent++
		}
	}
	return nil
}

// message writes the FETCH response of one message.
func (f *fetcher) message(row *view.Row, m *store.Message, fields store.Fields) error {
	msg := mail{session: f.session, row: row, m: m, fields: fields}
	defer msg.close()
	if err := msg.prepare(f.plan); err != nil {
		return err
	}
	enc := f.session.enc
	b := f.begin(row)
	first := b[len(b)-1] == '(' // no item so far
	item := func(name string) {
		if !first {
			b = append(b, ' ')
		}
		first = false
		b = append(b, name...)
	}
	items := f.plan.items
	if items&imap.FetchInternalDate != 0 {
		item("INTERNALDATE ")
		b = imapwire.AppendDateTime(b, m.Received)
	}
	if items&imap.FetchEnvelope != 0 {
		item("ENVELOPE ")
		b = append(b, msg.meta.Envelope...)
	}
	if items&imap.FetchBody != 0 {
		item("BODY ")
		b = append(b, msg.meta.Body...)
	}
	if items&imap.FetchBodyStructure != 0 {
		item("BODYSTRUCTURE ")
		b = append(b, msg.meta.BodyStructure...)
	}
	for i := range f.plan.sections {
		sec := &f.plan.sections[i]
		item("")
		b = append(sec.AppendName(b), ' ')
		_, _ = enc.Write(b)
		f.section(&msg, sec)
		b = enc.AvailableBuffer()
	}
	_, _ = enc.Write(append(b, ")\r\n"...))
	f.sent++
	return enc.Err()
}
