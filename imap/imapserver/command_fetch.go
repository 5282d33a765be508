package imapserver

import (
	"errors"
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapfetch"
	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// fetch runs FETCH and UID FETCH (RFC 3501 §6.4.5).
func (s *session) fetch(cmd *command) error {
	set, plan, err := s.readFetch()
	if err != nil {
		return err
	}
	if plan.Vanished && !(cmd.uid && s.has(qresync)) {
		return bad("VANISHED needs UID FETCH and QRESYNC enabled")
	}
	uids, err := s.sel.resolve(cmd, set)
	if err != nil {
		return err
	}
	if plan.Partial != (imap.PartialRange{}) {
		if !cmd.uid {
			return bad("PARTIAL needs UID FETCH")
		}
		if from, to := plan.Partial.Bounds(1 << 62); s.isOver(to - from) {
			return s.errOver()
		}
		uids = plan.Partial.Select(uids)
	}
	if cmd.uid && !s.has(uidOnly) {
		plan.Items |= imap.FetchUID
	}
	if plan.Items&imap.FetchModSeq != 0 {
		s.turnOn(condstore)
	}
	t, err := s.table()
	if err != nil {
		return err
	}
	if plan.Changed {
		if t, uids, err = s.narrow(plan, set, uids); err != nil {
			return err
		}
	}
	uids = s.capped(cmd, uids)
	f := &fetcher{session: s, plan: plan, table: t, uids: uids}
	if plan.Seen && !s.sel.readOnly && s.sel.rights.Has(imap.RightSeen) {
		if err := f.markSeen(); err != nil {
			return err
		}
	}
	if s.sel.newKeywords(f.table) {
		s.tellFlags(f.table)
	}
	if err := f.tell(); err != nil {
		return err
	}
	s.sel.echo = echo{f.marked, f.table}
	if plan.Items&imap.FetchFlags != 0 && (plan.Items&imap.FetchModSeq != 0 || !s.has(condstore)) {
		s.sel.echo.uids = uids
	}
	return f.result(cmd)
}

// narrow leaves of uids what changed since the client looked, as of now, and
// tells what of set was expunged since where the client asks for that (RFC 7162
// §3.1.4.1, §3.2.6).
func (s *session) narrow(plan *imapfetch.Plan, set imap.NumSet, uids store.UIDSet) (*view.Table, store.UIDSet, error) {
	t, err := s.fresh()
	if err != nil {
		return nil, nil, err
	}
	if plan.Vanished {
		last := s.sel.lastUID(t)
		asked := set.Resolve(uint32(last)).Intersect(store.UIDSet{{First: 1, Last: max(last, 1)}})
		gone, err := s.goneSince(t, plan.Since, asked)
		if err != nil {
			return nil, nil, err
		}
		s.tellVanished(" (EARLIER)", gone)
	}
	return t, changedSince(t, plan.Since, uids), nil
}

// readFetch takes SP sequence-set SP and what FETCH asks for, CRLF.
func (s *session) readFetch() (imap.NumSet, *imapfetch.Plan, error) {
	if err := s.dec.SP(); err != nil {
		return nil, nil, err
	}
	set, err := s.readSet()
	if err != nil {
		return nil, nil, err
	}
	if err := s.dec.SP(); err != nil {
		return nil, nil, err
	}
	plan, err := imapfetch.Parse(s.dec, imapfetch.Dialect{Rev2: s.has(rev2)})
	if err != nil {
		return nil, nil, err
	}
	return set, plan, s.dec.End()
}

// source is where the messages of the selected mailbox are read from.
func (s *session) source() imapmsg.Mailbox {
	return imapmsg.Mailbox{Account: s.sel.account.Store(), ID: s.sel.ID}
}

// fetcher runs one FETCH.
type fetcher struct {
	session *session
	plan    *imapfetch.Plan
	table   *view.Table
	uids    store.UIDSet
	marked  store.UIDSet // got \Seen by this command

	sent    int64
	failure error // of a message that could not be read

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
// bulk of them.
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
	for part := range batches(f.marked, bulk) {
		if _, err := s.apply(s.sel.account, store.SetFlags{Mailbox: s.sel.ID, UIDs: part, Flags: store.Seen}); err != nil {
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

// tell answers for all messages.
func (f *fetcher) tell() error {
	if f.plan.TableSuffices() {
		f.fromTable()
		return nil
	}
	return f.fromStore()
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
	b := s.appendFetch(s.enc.AvailableBuffer(), row.UID)
	from := len(b)
	items := f.plan.Items
	if f.marked.Contains(row.UID) { // what no client asked for is told as tellRow does
		items |= imap.FetchFlags
		if s.has(condstore) {
			items |= imap.FetchModSeq
		}
		if s.has(condstore|rev2) && !s.has(uidOnly) {
			items |= imap.FetchUID
		}
	}
	if items&imap.FetchUID != 0 {
		b = append(b, "UID "...)
		b = strconv.AppendUint(b, uint64(row.UID), 10)
	}
	if items&imap.FetchFlags != 0 {
		b = space(b, from)
		b = append(b, "FLAGS "...)
		b = f.appendFlags(b, row)
	}
	if items&imap.FetchModSeq != 0 {
		b = s.sel.appendModSeq(space(b, from), row)
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
	q := store.Query{UIDs: f.uids, Fields: f.plan.Fields()}
	if len(f.uids) == 0 {
		return nil
	}
	source := s.source()
	msg := imapmsg.Message{Mailbox: &source}
	w := imapfetch.Writer{Enc: s.enc, Plan: f.plan}
	for m, err := range source.Account.Messages(s.ctx, source.ID, q) {
		if err != nil {
			return err
		}
		row := f.table.Row(m.UID)
		if row == nil || m.Gone {
			continue
		}
		msg.Reset(m, q.Fields)
		err := f.message(&w, &msg, row)
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
func (f *fetcher) message(w *imapfetch.Writer, m *imapmsg.Message, row *view.Row) error {
	defer m.Close()
	if err := w.Prepare(f.session.ctx, m); err != nil {
		return err
	}
	enc := f.session.enc
	if err := w.Items(f.begin(row), m); err != nil {
		f.session.broken(err)
	}
	enc.Raw(")\r\n")
	f.sent++
	return enc.Err()
}

// broken ends a connection in the middle of a response: what was announced
// cannot be sent.
func (s *session) broken(err error) {
	s.conn.log.Error("imap: message could not be read", "account", s.id, "err", err)
	s.conn.nc.Close()
	s.conn.readErr = err
}
