package imapclient

import (
	"context"
	"iter"
	"slices"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapcmd"
)

// Fetch yields messages of the selected mailbox by UID. A long set becomes
// several commands, of which the next is sent while the one before is answered.
// Messages that do not exist are left out. A message is valid in its turn of the
// loop only, and the Client is not free before the loop has ended (ErrBusy). A
// loop that is left early reads what is still to come, up to Limits.Discard
// octets, or gives the connection up.
//
// What the server says about messages without being asked goes to the Handler.
// Where only flags, UID or MODSEQ are asked for, both look the same, and it is
// yielded.
func (c *Client) Fetch(ctx context.Context, uids imap.UIDSet, o imap.FetchOptions) iter.Seq2[*Message, error] {
	f := &fetch{c: c, o: &o, uids: uids, verb: "UID FETCH"}
	return func(yield func(*Message, error) bool) {
		f.rest = uids
		f.run(ctx, yield)
	}
}

// FetchSeq is Fetch by sequence numbers, in one command.
func (c *Client) FetchSeq(ctx context.Context, set imap.NumSet, o imap.FetchOptions) iter.Seq2[*Message, error] {
	f := &fetch{c: c, o: &o, verb: "FETCH", seqs: set}
	return func(yield func(*Message, error) bool) { f.run(ctx, yield) }
}

// fetch is one call of Fetch or FetchSeq.
type fetch struct {
	c     *Client
	o     *imap.FetchOptions
	verb  string
	uids  imap.UIDSet
	rest  imap.UIDSet // not asked for yet
	seqs  imap.NumSet
	calls []*call
	yield func(*Message, error) bool
	over  bool // the caller wants no more
}

// flagItems are what a server tells of its own accord.
const flagItems = imap.FetchUID | imap.FetchFlags | imap.FetchModSeq

func (f *fetch) run(ctx context.Context, yield func(*Message, error) bool) {
	f.yield, f.over, f.calls = yield, false, f.calls[:0]
	if err := f.c.inBox(ctx, f.commands); err != nil && !f.over {
		yield(nil, err)
	}
}

// commands sends one command after the other, and the next before the one before
// is answered.
func (f *fetch) commands() error {
	if f.o.Vanished && !f.c.enabled[imap.CapQResync] {
		return ErrState
	}
	if f.o.Partial != (imap.PartialRange{}) {
		if err := f.c.need(imap.CapPartial); err != nil {
			return err
		}
	}
	if len(f.seqs) == 0 && len(f.uids) == 0 {
		return nil
	}
	var failed error
	for first := true; ; first = false {
		for len(f.calls) < 2 && failed == nil && !f.over && (len(f.rest) > 0 || first && f.seqs != nil) {
			if err := f.send(); err != nil {
				return err
			}
			if f.seqs != nil {
				break
			}
		}
		if len(f.calls) == 0 {
			return failed
		}
		k := f.calls[0]
		if err := f.c.conn.Await(k, f.take); err != nil {
			return err
		}
		f.calls = f.calls[1:]
		if err := f.c.conn.Failed(k); err != nil && failed == nil {
			failed = err
		}
		f.rest = slices.Concat(f.c.below(k.UIDs), f.rest)
	}
}

func (f *fetch) send() error {
	l := f.c.command(f.verb)
	var head imap.UIDSet
	if f.seqs != nil {
		l.SP(f.seqs.String())
	} else {
		head, f.rest = imapcmd.Cut(f.rest)
		l.UIDs(head)
	}
	k, err := f.c.conn.Send(l.Fetch(f.o))
	if err == nil {
		k.UIDs = head
		f.calls = append(f.calls, k)
	}
	return err
}

// take has all FETCH responses. Its errors are those of a lost connection.
func (f *fetch) take(r *response) (taken bool, err error) {
	if r.Name != "FETCH" && r.Name != "UIDFETCH" {
		return false, nil
	}
	return true, f.message(r)
}

// message deals with one FETCH response.
func (f *fetch) message(r *response) error {
	c, m := f.c, &f.c.message
	c.discards = c.limits.Discard
	if f.over {
		c.discards = f.budget()
	}
	if err := m.begin(r); err != nil {
		return err
	}
	if err := m.advance(); err != nil {
		return err
	}
	switch {
	case !f.asked(m):
		return c.tellFetch(m)
	case f.over:
		err := m.finish()
		c.spare = c.discards
		return err
	}
	if m.UID == 0 && len(f.uids) == 1 && f.uids[0].First == f.uids[0].Last {
		m.UID = f.uids[0].First
	}
	if !f.yield(m, nil) {
		f.over = true
		c.spare = c.limits.Discard
	}
	if c.conn.Err() != nil {
		return c.conn.Err()
	}
	return m.finish()
}

// budget is what may still be read of a result that nobody wants. Each response
// counts, too.
func (f *fetch) budget() int64 {
	f.c.spare -= 64
	return f.c.spare
}

// asked reports whether a response answers the command.
func (f *fetch) asked(m *Message) bool {
	if f.uids != nil && m.UID != 0 && !f.uids.Contains(m.UID) {
		return false
	}
	if m.sec.ready {
		return len(f.o.Sections) > 0
	}
	want := f.o.Items &^ flagItems
	if want == 0 && len(f.o.Sections) == 0 && len(f.o.Extra) == 0 {
		return true
	}
	return m.HasAny(want) || len(m.Extra) > 0
}

// unaskedFetch deals with a FETCH response to no FETCH command.
func (c *Client) unaskedFetch(r *response) error {
	c.discards = c.limits.Discard
	m := &c.message
	if err := m.begin(r); err != nil {
		return err
	}
	if err := m.advance(); err != nil {
		return err
	}
	return c.tellFetch(m)
}

// tellFetch reads the message to its end and tells the Handler.
func (c *Client) tellFetch(m *Message) error {
	if err := m.finish(); err != nil {
		return err
	}
	switch {
	case c.deaf || c.current() == nil:
	case c.opening != nil && !c.closing && c.changed != nil:
		c.changed(m)
	case c.handler.Fetch != nil:
		c.handler.Fetch(m)
	}
	return nil
}
