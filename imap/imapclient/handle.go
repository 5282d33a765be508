package imapclient

import (
	"bytes"
	"errors"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// handle deals with a response that no command took, and with the end of a
// command.
func (c *Client) handle(r *response) error {
	switch r.Name {
	case "": // tagged
		return c.ended(r.Status)
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		return c.status(r.Status)
	case "FETCH", "UIDFETCH":
		return c.unaskedFetch(r)
	case "CAPABILITY":
		return c.setCapabilities(string(r.Args))
	case "ENABLED":
		c.noteEnabled(string(r.Args))
	case "FLAGS", "EXISTS", "RECENT", "EXPUNGE", "VANISHED":
		return c.boxData(r)
	case "LIST", "LSUB":
		return c.listed(r)
	case "STATUS":
		s, err := imapresp.ParseMailboxStatus(r.Args, c.mailboxName)
		if err == nil && !c.deaf && c.handler.Status != nil {
			c.handler.Status(s)
		}
		return err
	case "ESEARCH":
		return c.searchUpdate(r)
	case "METADATA":
		return c.metadataNews(r)
	case "URLFETCH":
		return errResponse("URLFETCH that nobody asked for") // its text may be on its way
	default:
		c.unknown(r)
	}
	return nil
}

func (c *Client) unknown(r *response) {
	if !c.deaf && c.handler.Unknown != nil {
		c.handler.Unknown(bytes.TrimRight(r.Line, "\r\n"))
	}
}

// ended does what follows from the end of a command.
func (c *Client) ended(s imap.StatusResponse) error {
	switch {
	case s.Code == imap.CodeCapability:
		_ = c.setCapabilities(s.Args)
	case s.Code == imap.CodeMessageLimit && s.Condition == imap.ConditionOK:
		c.low = lowest(s.Args)
	case s.Code == imap.CodeAlert && !c.deaf && c.handler.Response != nil:
		c.handler.Response(s)
	}
	return nil
}

// status deals with an untagged status response and its code.
func (c *Client) status(s imap.StatusResponse) error {
	box := c.current()
	switch {
	case s.Code == imap.CodeCapability:
		_ = c.setCapabilities(s.Args)
	case s.Code == imap.CodeMessageLimit:
		c.low = lowest(s.Args)
	case s.Code == imap.CodeClosed && c.closing:
		c.closing, c.box = false, nil
	case box != nil && s.Condition == imap.ConditionOK:
		c.noteCode(box, s)
	}
	if !c.deaf && c.handler.Response != nil {
		c.handler.Response(s)
	}
	return nil
}

// listed deals with a LIST response that no command asked for.
func (c *Client) listed(r *response) error {
	if c.deaf || c.handler.Mailbox == nil {
		return nil
	}
	e, err := imapresp.ParseList(r.Args, c.mailboxName)
	if err == nil {
		c.handler.Mailbox(&e)
	}
	return err
}

// searchUpdate deals with an ESEARCH response that no command asked for.
func (c *Client) searchUpdate(r *response) error {
	if c.deaf || c.handler.Search == nil {
		return nil
	}
	f, err := imapresp.ParseESearch(r.Args, false, c.limits.Ranges)
	if err == nil {
		u := &imap.SearchUpdate{Tag: f.Tag}
		for _, o := range f.Other {
			u.Data = append(u.Data, imap.Item{Name: o.Name, Value: bytes.Clone(o.Value)})
		}
		c.handler.Search(u)
	}
	return err
}

// metadataNews deals with a METADATA response that no command asked for: it names
// entries that changed (RFC 5464 §4.4.2).
func (c *Client) metadataNews(r *response) error {
	if c.deaf || c.handler.Metadata == nil {
		c.unknown(r)
		return nil
	}
	mailbox, _, names, err := imapresp.ParseMetadata(r.Args, c.mailboxName, c.limits.List)
	if err == nil {
		c.handler.Metadata(mailbox, names)
	}
	return err
}

// current is the mailbox that responses are about.
func (c *Client) current() *imap.SelectedMailbox {
	if c.opening != nil && !c.closing {
		return c.opening
	}
	return c.box
}

// lowest is the UID behind the limit of MESSAGELIMIT: the command went no further
// down (RFC 9738 §3.1).
func lowest(args string) imap.UID {
	_, uid, _ := strings.Cut(args, " ")
	return imap.UID(imapresp.ParseNumber(uid))
}

// below is what of a set a command left out because of MESSAGELIMIT; empty where
// it did all.
func (c *Client) below(set imap.UIDSet) imap.UIDSet {
	low := c.low
	c.low = 0
	if low <= 1 {
		return nil
	}
	rest := set.Intersect(imap.UIDSet{{First: 1, Last: low - 1}})
	if rest.Len() == set.Len() {
		return nil // no progress
	}
	return rest
}

// errResponse is the error of a response that has not what it should.
func errResponse(reason string) error { return errors.New("imapclient: " + reason) }
