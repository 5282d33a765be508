package imapclient

import (
	"bytes"
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
	QResync *imap.QResync

	// Changed is called for each message that changed since, as a Handler's Fetch
	// is; nil = Handler.Fetch is.
	Changed func(m *Message)
}

// boxData deals with responses about the mailbox.
func (c *Client) boxData(r *response) error {
	box := c.current()
	if box == nil {
		return nil // of no meaning here
	}
	h := &c.handler
	quiet := c.opening != nil && !c.closing // Select returns it
	switch r.Name {
	case "FLAGS":
		f := imap.FlagList{}
		if _, err := imapresp.ConsumeFlags(bytes.TrimLeft(r.Args, " "), &f, c.word, imapresp.MaxFlags); err != nil {
			return err
		}
		box.Flags = f
		if h.Flags != nil && !quiet {
			h.Flags(f)
		}
	case "EXISTS":
		box.Exists = r.Number
		if h.Exists != nil && !quiet {
			h.Exists(r.Number)
		}
	case "RECENT":
		box.Recent = r.Number
		if h.Recent != nil && !quiet {
			h.Recent(r.Number)
		}
	case "EXPUNGE":
		if r.Number == 0 || r.Number > box.Exists {
			return errResponse("EXPUNGE of a message that does not exist")
		}
		box.Exists--
		if h.Expunge != nil {
			h.Expunge(r.Number)
		}
	case "VANISHED":
		return c.vanished(r, box, quiet)
	}
	return nil
}

func (c *Client) vanished(r *response, box *imap.SelectedMailbox, quiet bool) error {
	uids, earlier, err := imapresp.ParseVanished(r.Args, c.limits.Ranges)
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
func (c *Client) Select(ctx context.Context, mailbox string, o SelectOptions) (*imap.SelectedMailbox, error) {
	end, err := c.conn.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	l, err := c.selectLine(mailbox, &o)
	if err != nil {
		return nil, err
	}
	k, err := c.conn.Send(l)
	if err != nil {
		return nil, err
	}
	// What comes before CLOSED is about the old mailbox (RFC 7162 §3.2.11).
	c.closing = c.box != nil && (c.enabled[imap.CapQResync] || c.rev2())
	if c.closing {
		c.box = &imap.SelectedMailbox{Name: c.box.Name, Exists: c.box.Exists}
	} else {
		c.box = nil
	}
	c.permanent = false
	c.opening = &imap.SelectedMailbox{Name: mailbox, ReadOnly: o.ReadOnly}
	c.changed = o.Changed
	err = c.conn.Await(k, nil)
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
	if err := c.conn.Failed(k); err != nil {
		return nil, err
	}
	c.noteCode(box, k.Status)
	if !c.permanent {
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
	l := c.command(verb).Mailbox(mailbox)
	l.Long = true
	switch q := o.QResync; {
	case q != nil && !c.enabled[imap.CapQResync]:
		return nil, ErrState
	case q != nil:
		l.QResync(q)
	case o.CondStore && c.Has(imap.CapCondStore):
		l.Text(" (CONDSTORE)")
	}
	return l, nil
}

// Unselect leaves the mailbox as it is: UNSELECT (RFC 3691), or without it
// EXAMINE and CLOSE.
func (c *Client) Unselect(ctx context.Context) error {
	return c.inBox(ctx, func() error {
		switch {
		case c.Has(imap.CapUnselect):
			return c.leave("UNSELECT")
		case !c.box.ReadOnly:
			if err := c.simple(c.command("EXAMINE").Mailbox(c.box.Name)); err != nil {
				c.box, c.state = nil, Authenticated
				return err
			}
		}
		return c.leave("CLOSE")
	})
}

// CloseMailbox leaves the mailbox and expunges what has \Deleted.
func (c *Client) CloseMailbox(ctx context.Context) error {
	return c.inBox(ctx, func() error { return c.leave("CLOSE") })
}

func (c *Client) leave(verb string) error {
	err := c.simple(c.command(verb).Slow())
	if err == nil {
		c.box, c.state = nil, Authenticated
	}
	return err
}

// noteCode takes what a response code says about a mailbox.
func (c *Client) noteCode(box *imap.SelectedMailbox, s imap.StatusResponse) {
	if imapresp.NoteCode(box, s, c.word) {
		c.permanent = true
	}
}
