package imapclient

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// FetchOptions say what Fetch asks for. The UID is always asked for.
type FetchOptions struct {
	Items    imap.FetchItem
	Sections []imap.Section // Peek should be set

	// ChangedSince leaves out what has not changed (RFC 7162 §3.1.4.1); 0 = no
	// condition. Vanished tells the Handler which UIDs of the set are gone since
	// then (§3.2.6); it needs QRESYNC enabled.
	ChangedSince imap.ModSeq
	Vanished     bool

	// Partial: only the n-th to m-th message of the set, negative from its end
	// (RFC 9394). Only for sets that fit into one command.
	Partial imap.PartialRange

	// Extra are other items, as the server knows them: "X-GM-LABELS".
	Extra []string
}

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
func (c *Client) Fetch(ctx context.Context, uids imap.UIDSet, o FetchOptions) iter.Seq2[*Message, error] {
	f := &fetch{c: c, o: &o, uids: uids, verb: "UID FETCH"}
	return func(yield func(*Message, error) bool) {
		f.rest = uids
		f.run(ctx, yield)
	}
}

// FetchSeq is Fetch by sequence numbers, in one command.
func (c *Client) FetchSeq(ctx context.Context, set imap.NumSet, o FetchOptions) iter.Seq2[*Message, error] {
	f := &fetch{c: c, o: &o, verb: "FETCH", seqs: set}
	return func(yield func(*Message, error) bool) { f.run(ctx, yield) }
}

// fetch is one call of Fetch or FetchSeq.
type fetch struct {
	c     *Client
	o     *FetchOptions
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
	end, err := f.c.begin(ctx)
	if err != nil {
		yield(nil, err)
		return
	}
	defer end()
	f.yield, f.over, f.calls = yield, false, f.calls[:0]
	if err := f.commands(); err != nil && !f.over {
		yield(nil, err)
	}
}

// commands sends one command after the other, and the next before the one before
// is answered.
func (f *fetch) commands() error {
	if f.c.box == nil {
		return ErrState
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
		if err := f.await(k); err != nil {
			return err
		}
		f.calls = f.calls[1:]
		if err := k.err(); err != nil && failed == nil {
			failed = err
		}
		f.rest = slices.Concat(f.c.below(k.uids), f.rest)
	}
}

func (f *fetch) send() error {
	l := f.c.command(f.verb)
	var head imap.UIDSet
	if f.seqs != nil {
		l.sp(f.seqs.String())
	} else {
		head, f.rest = cut(f.rest)
		l.uids(head)
	}
	if err := f.o.add(l); err != nil {
		return err
	}
	k, err := f.c.send(l)
	if err == nil {
		k.uids = head
		f.calls = append(f.calls, k)
	}
	return err
}

// await reads the answers to a command.
func (f *fetch) await(k *call) error {
	c := f.c
	c.wait = c.timeouts.Command
	for !k.done {
		r, err := c.next()
		if err != nil {
			return err
		}
		if r.name == "FETCH" || r.name == "UIDFETCH" {
			err = f.message(&r)
		} else {
			err = c.route(&r)
		}
		if err != nil {
			return err
		}
	}
	return nil
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
	if c.err != nil {
		return c.err
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
	return m.items&want != 0 || len(m.Extra) > 0
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
	case !c.hears() || c.current() == nil:
	case c.opening != nil && !c.closing && c.changed != nil:
		c.changed(m)
	case c.handler.Fetch != nil:
		c.handler.Fetch(m)
	}
	return nil
}

// add adds the items and the modifiers.
func (o *FetchOptions) add(l *line) error {
	l.text(" (UID")
	for bit, name := range fetchNames {
		if o.Items&(1<<bit) != 0 && name != "UID" {
			l.sp(name)
		}
	}
	for i := range o.Sections {
		l.text(" ")
		if err := addSection(l, &o.Sections[i]); err != nil {
			return err
		}
	}
	for _, e := range o.Extra {
		l.raw(e)
	}
	l.text(")")
	return o.modifiers(l)
}

// modifiers adds those of RFC 4466 §2.4.
func (o *FetchOptions) modifiers(l *line) error {
	if o.ChangedSince == 0 && o.Partial == (imap.PartialRange{}) {
		return nil
	}
	l.text(" (")
	if o.ChangedSince > 0 {
		l.text("CHANGEDSINCE").number(int64(o.ChangedSince))
		if o.Vanished {
			if !l.c.enabled[imap.CapQResync] {
				return ErrState
			}
			l.text(" VANISHED")
		}
	}
	if o.Partial != (imap.PartialRange{}) {
		if !l.c.Has(imap.CapPartial) {
			return fmt.Errorf("%w: %s", ErrNotOffered, imap.CapPartial)
		}
		if o.ChangedSince > 0 {
			l.text(" ")
		}
		l.text("PARTIAL ").text(o.Partial.String())
	}
	l.text(")")
	return nil
}

// fetchNames are the items in the order of their bits.
var fetchNames = [...]string{
	"UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "MODSEQ", "PREVIEW", "SAVEDATE",
	"EMAILID", "THREADID",
}

// addSection adds BODY.PEEK[…] and the like.
func addSection(l *line, s *imap.Section) error {
	switch s.Form {
	case imap.FormBinary:
		l.text("BINARY")
	case imap.FormBinarySize:
		l.text("BINARY.SIZE")
	default:
		l.text("BODY")
	}
	if s.Peek && s.Form != imap.FormBinarySize {
		l.text(".PEEK")
	}
	for _, f := range s.Fields {
		if _, n, err := imapwire.ConsumeAtom([]byte(f + " ")); err != nil || n != len(f) {
			return fmt.Errorf("%w: header field %q", ErrArgument, f)
		}
	}
	name := imap.Section{Part: s.Part, Text: s.Text, Fields: s.Fields}
	l.b = append(l.b, name.AppendName(nil)[len("BODY"):]...)
	if s.Partial {
		l.text("<" + itoa(s.Offset) + "." + itoa(s.Count) + ">")
	}
	return nil
}
