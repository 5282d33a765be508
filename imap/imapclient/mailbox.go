package imapclient

import (
	"context"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// SelectOptions of Select.
type SelectOptions struct {
	ReadOnly bool // EXAMINE

	// CondStore asks for mod-sequences (RFC 7162 §3.1.8); ignored where neither
	// CONDSTORE nor QRESYNC is offered.
	CondStore bool

	// QResync names the state that the client has (RFC 7162 §3.2.5); QRESYNC must
	// be enabled (ErrState). The server answers with Mailbox.Vanished and calls of
	// Changed.
	QResync *QResync

	// Changed is called for each message that changed since, as a Handler's Fetch
	// is; nil = Handler.Fetch is.
	Changed func(m *Message)
}

// QResync is the parameter of SELECT (RFC 7162 §3.2.5).
type QResync struct {
	UIDValidity imap.UIDValidity
	ModSeq      imap.ModSeq
	KnownUIDs   imap.UIDSet // nil = all up to the last one

	// SeqMatch pairs sequence numbers with UIDs (§3.2.5.2); nil = none.
	SeqMatch *imap.CopyUID
}

// Mailbox is the selected mailbox.
type Mailbox struct {
	Name           string
	ReadOnly       bool
	Exists         uint32           // messages
	Recent         uint32           // with \Recent
	FirstUnseen    uint32           // sequence number; 0 = none, or not said
	UIDValidity    imap.UIDValidity // 0 = not said: UIDs mean nothing later
	UIDNext        imap.UID         // 0 = not said
	UIDNotSticky   bool             // RFC 4315 §3
	HighestModSeq  imap.ModSeq      // 0 = not said, or NOMODSEQ
	NoModSeq       bool             // the mailbox keeps none (RFC 7162 §3.1.2.2)
	MailboxID      string           // RFC 8474 §4.2
	Flags          Flags
	PermanentFlags Flags       // those of Flags where the server did not say (RFC 9051 §7.1)
	Vanished       imap.UIDSet // gone since the QResync of SelectOptions

	saidPermanent bool
}

// code takes what a response code says about the mailbox.
func (m *Mailbox) code(s imap.StatusResponse, c *Client) {
	n := imapresp.ParseNumber(s.Args)
	switch s.Code {
	case imap.CodeUIDValidity:
		m.UIDValidity = imap.UIDValidity(n)
	case imap.CodeUIDNext:
		m.UIDNext = imap.UID(n)
	case imap.CodeUnseen:
		m.FirstUnseen = uint32(n)
	case imap.CodeHighestMod:
		m.HighestModSeq, m.NoModSeq = imap.ModSeq(n), false
	case "NOMODSEQ":
		m.HighestModSeq, m.NoModSeq = 0, true
	case imap.CodeUIDNotSticky:
		m.UIDNotSticky = true
	case imap.CodeReadOnly:
		m.ReadOnly = true
	case imap.CodeReadWrite:
		m.ReadOnly = false
	case imap.CodeMailboxID:
		m.MailboxID = imapresp.ParseObjectID(s.Args)
	case imap.CodePermanentFlags:
		var f Flags
		if _, err := imapresp.ConsumeFlags([]byte(s.Args+"\r\n"), &f, c.word, maxFlags); err == nil {
			m.PermanentFlags, m.saidPermanent = f, true
		}
	}
}

// maxFlags bounds the keywords of one list.
const maxFlags = 10_000

// boxData deals with responses about the mailbox.
func (c *Client) boxData(r *response) error {
	box := c.current()
	if box == nil {
		return nil // of no meaning here
	}
	h := &c.handler
	quiet := c.opening != nil && !c.closing // Select returns it
	switch r.name {
	case "FLAGS":
		f := Flags{}
		m := skipSpace(r.args)
		if _, err := imapresp.ConsumeFlags(m, &f, c.word, maxFlags); err != nil {
			return err
		}
		box.Flags = f
		if h.Flags != nil && !quiet {
			h.Flags(f)
		}
	case "EXISTS":
		box.Exists = r.number
		if h.Exists != nil && !quiet {
			h.Exists(r.number)
		}
	case "RECENT":
		box.Recent = r.number
		if h.Recent != nil && !quiet {
			h.Recent(r.number)
		}
	case "EXPUNGE":
		if r.number == 0 || r.number > box.Exists {
			return imapErr("EXPUNGE of a message that does not exist")
		}
		box.Exists--
		if h.Expunge != nil {
			h.Expunge(r.number)
		}
	case "VANISHED":
		return c.vanished(r, box, quiet)
	}
	return nil
}

func (c *Client) vanished(r *response, box *Mailbox, quiet bool) error {
	uids, earlier, err := imapresp.ParseVanished(r.args, c.limits.Ranges)
	if err != nil {
		return err
	}
	if earlier && quiet {
		box.Vanished.AddSet(uids)
		return nil
	}
	if !earlier { // of a client in step all of them exist
		box.Exists -= uint32(min(int64(box.Exists), uids.Len()))
	}
	if c.handler.Vanished != nil {
		c.handler.Vanished(uids, earlier)
	}
	return nil
}

// Select opens a mailbox: SELECT, or EXAMINE. Where it fails, none is open. What
// the server tells about the mailbox meanwhile is in the result, not told to the
// Handler.
func (c *Client) Select(ctx context.Context, mailbox string, o SelectOptions) (*Mailbox, error) {
	end, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	l, err := c.selectLine(mailbox, &o)
	if err != nil {
		return nil, err
	}
	k, err := c.send(l)
	if err != nil {
		return nil, err
	}
	// What comes before CLOSED is about the old mailbox (RFC 7162 §3.2.11).
	c.closing = c.box != nil && (c.enabled[imap.CapQResync] || c.rev2())
	if c.closing {
		c.box = &Mailbox{Name: c.box.Name, Exists: c.box.Exists}
	} else {
		c.box = nil
	}
	c.opening = &Mailbox{Name: mailbox, ReadOnly: o.ReadOnly}
	c.changed = o.Changed
	err = c.await(k, nil)
	box := c.opening
	if c.closing { // CLOSED never came: all was about the new one
		box = c.box
		box.Name, box.ReadOnly = mailbox, o.ReadOnly || box.ReadOnly
	}
	c.opening, c.changed, c.closing, c.box = nil, nil, false, nil
	if err != nil {
		return nil, err
	}
	c.state = Authenticated
	if err := k.err(); err != nil {
		return nil, err
	}
	box.code(k.status, c)
	if !box.saidPermanent {
		box.PermanentFlags = box.Flags.Clone()
	}
	c.box, c.state = box, Selected
	return box, nil
}

func (c *Client) selectLine(mailbox string, o *SelectOptions) (*line, error) {
	verb := "SELECT"
	if o.ReadOnly {
		verb = "EXAMINE"
	}
	l := c.command(verb).mailbox(mailbox)
	l.long = true
	switch q := o.QResync; {
	case q != nil && !c.enabled[imap.CapQResync]:
		return nil, ErrState
	case q != nil:
		l.text(" (QRESYNC (").text(uitoa(uint64(q.UIDValidity))).number(int64(q.ModSeq))
		if len(q.KnownUIDs) > 0 {
			known := q.KnownUIDs
			if _, tail := cut(known); tail != nil { // all that matters is that none is left out
				known = imap.UIDSet{{First: known.Min(), Last: known.Max()}}
			}
			l.uids(known)
		}
		if q.SeqMatch != nil {
			l.text(" (").text(q.SeqMatch.Source.String()).sp(q.SeqMatch.Dest.String()).text(")")
		}
		l.text("))")
	case o.CondStore && c.Has(imap.CapCondStore):
		l.text(" (CONDSTORE)")
	}
	return l, nil
}

// Unselect leaves the mailbox as it is: UNSELECT (RFC 3691), or without it
// EXAMINE and CLOSE.
func (c *Client) Unselect(ctx context.Context) error {
	return c.run(ctx, func() error {
		switch {
		case c.box == nil:
			return ErrState
		case c.Has(imap.CapUnselect):
			return c.leave("UNSELECT")
		case !c.box.ReadOnly:
			if err := c.simple(c.command("EXAMINE").mailbox(c.box.Name)); err != nil {
				c.box, c.state = nil, Authenticated
				return err
			}
		}
		return c.leave("CLOSE")
	})
}

// CloseMailbox leaves the mailbox and expunges what has \Deleted.
func (c *Client) CloseMailbox(ctx context.Context) error {
	return c.run(ctx, func() error {
		if c.box == nil {
			return ErrState
		}
		return c.leave("CLOSE")
	})
}

func (c *Client) leave(verb string) error {
	l := c.command(verb)
	l.long = true
	err := c.simple(l)
	if err == nil {
		c.box, c.state = nil, Authenticated
	}
	return err
}
