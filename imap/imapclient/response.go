package imapclient

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapresp"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// response is one response, or a FETCH response up to the text of a message.
// Its slices are valid until the next read.
type response struct {
	tag    uint64 // of a tagged one; else 0
	cont   bool   // a continuation request
	number uint32 // in front of the name: "* 5 EXISTS"
	name   string // of an untagged one, in upper case
	args   []byte // behind the name, with the line end
	status imap.StatusResponse

	section bool // ends with the announcement of a literal
	lit     imapwire.Literal
	line    []byte
}

// names are those that responses and sections begin with.
var names = func() map[string]string {
	m := map[string]string{}
	for _, n := range []string{
		"OK", "NO", "BAD", "BYE", "PREAUTH", "CAPABILITY", "ENABLED", "LIST", "LSUB", "STATUS", "SEARCH", "SORT", "THREAD",
		"ESEARCH", "FLAGS", "EXISTS", "RECENT", "EXPUNGE", "FETCH", "UIDFETCH", "VANISHED", "NAMESPACE", "ID", "QUOTA",
		"QUOTAROOT", "ACL", "MYRIGHTS", "LISTRIGHTS", "METADATA", "BODY", "BINARY",
	} {
		m[n] = n
	}
	return m
}()

// parseResponse reads what a chunk begins with. The error is ErrProtocol.
func parseResponse(chunk []byte) (r response, err error) {
	r.line = chunk
	switch {
	case len(chunk) > 0 && chunk[0] == '+':
		r.cont = true
		r.args = bytes.TrimLeft(chunk[1:], " ")
		return r, nil
	case len(chunk) > 1 && chunk[0] == '*' && chunk[1] == ' ':
		err = r.untagged(bytes.TrimLeft(chunk[2:], " "))
	default:
		err = r.tagged(chunk)
	}
	if err != nil {
		err = fmt.Errorf("%w: response %q", ErrProtocol, imapresp.Text(chunk[:min(len(chunk), 80)]))
	}
	return r, err
}

var errResponse = errors.New("imapclient: no response")

// tagged reads "a12 OK text".
func (r *response) tagged(b []byte) error {
	word, rest, ok := bytes.Cut(b, []byte{' '})
	if !ok || len(word) < 2 || word[0]|0x20 != 'a' {
		return errResponse
	}
	tag, err := strconv.ParseUint(string(word[1:]), 10, 64)
	if err != nil || tag == 0 {
		return errResponse
	}
	r.tag = tag
	if r.status, ok = imapresp.ParseStatus(rest); !ok {
		return errResponse
	}
	return nil
}

// untagged reads "5 EXISTS" or "LIST …".
func (r *response) untagged(b []byte) error {
	if n, used, err := imapwire.ConsumeNumber(b); err == nil && b[used] == ' ' {
		r.number = n
		b = bytes.TrimLeft(b[used:], " ")
	}
	word, n, err := imapresp.ConsumeWord(b, false)
	if err != nil {
		return errResponse
	}
	r.name, r.args = upperName(word), b[n:]
	switch r.name {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		r.status, _ = imapresp.ParseStatus(b)
	}
	return nil
}

func upperName(word []byte) string {
	if s, ok := names[string(word)]; ok {
		return s
	}
	return string(bytes.ToUpper(word[:min(len(word), 64)]))
}

// parseNext reads one response, without its consequences.
func (c *Client) parseNext() (response, error) {
	c.block = false
	chunk, lit, section, err := c.in.next(false)
	if err != nil {
		return response{}, err
	}
	c.until = time.Time{}
	r, err := parseResponse(chunk)
	r.section, r.lit = section, lit
	return r, err
}

// next reads one response. Where it fails, the connection is lost; an
// interrupted IDLE apart.
func (c *Client) next() (response, error) {
	r, err := c.parseNext()
	switch {
	case err == nil:
		return r, nil
	case !c.idle.IsZero() && timedOut(err):
		return r, err
	}
	if timedOut(err) {
		err = fmt.Errorf("imapclient: no response: %w", err)
	}
	return r, c.lost(err)
}

// route does what follows from a response that no command took.
func (c *Client) route(r *response) error {
	if r.cont {
		c.contd, c.contText = true, append(c.contText[:0], r.args...)
		return nil
	}
	if r.tag != 0 {
		return c.complete(r)
	}
	if c.unasked++; c.limits.Untagged > 0 && c.unasked > c.limits.Untagged {
		return c.lost(fmt.Errorf("%w: %d responses that nobody asked for", ErrLimit, c.unasked))
	}
	if r.name == "FETCH" || r.name == "UIDFETCH" {
		return c.unaskedFetch(r)
	}
	if err := c.data(r); err != nil {
		return c.lost(tooMany(err))
	}
	return nil
}

// data deals with untagged responses, FETCH apart.
func (c *Client) data(r *response) error {
	switch r.name {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		c.told(r.status)
	case "CAPABILITY":
		return c.setCapabilities(string(r.args))
	case "ENABLED":
		c.noteEnabled(string(r.args))
	case "FLAGS", "EXISTS", "RECENT", "EXPUNGE", "VANISHED":
		return c.boxData(r)
	case "LIST", "LSUB":
		return c.listed(r)
	case "STATUS":
		s, err := imapresp.ParseMailboxStatus(r.args, c.mailboxName)
		if err == nil && c.hears() && c.handler.Status != nil {
			c.handler.Status(s)
		}
		return err
	case "ESEARCH":
		return c.searchUpdate(r)
	default:
		if c.hears() && c.handler.Unknown != nil {
			c.handler.Unknown(bytes.TrimRight(r.line, "\r\n"))
		}
	}
	return nil
}

// hears reports whether handlers are called.
func (c *Client) hears() bool { return !c.deaf }

// listed deals with a LIST response that no command asked for.
func (c *Client) listed(r *response) error {
	if !c.hears() || c.handler.Mailbox == nil {
		return nil
	}
	e, err := imapresp.ParseList(r.args, c.mailboxName)
	if err == nil {
		c.handler.Mailbox(&e)
	}
	return err
}

// searchUpdate deals with an ESEARCH response that no command asked for.
func (c *Client) searchUpdate(r *response) error {
	if !c.hears() || c.handler.Search == nil {
		return nil
	}
	f, err := imapresp.ParseESearch(r.args, false, c.limits.Ranges)
	if err == nil {
		u := &SearchUpdate{Tag: f.Tag}
		for _, o := range f.Other {
			u.Data = append(u.Data, Item{Name: o.Name, Value: bytes.Clone(o.Value)})
		}
		c.handler.Search(u)
	}
	return err
}

// told deals with an untagged status response.
func (c *Client) told(s imap.StatusResponse) {
	if s.Condition == imap.ConditionBye {
		c.bye = &Error{Response: s}
	}
	c.code(s)
	if c.hears() && c.handler.Response != nil {
		c.handler.Response(s)
	}
}

// code does what follows from a response code, tagged or not.
func (c *Client) code(s imap.StatusResponse) {
	if s.Code == imap.CodeCapability {
		_ = c.setCapabilities(s.Args)
		return
	}
	if s.Code == imap.CodeMessageLimit {
		c.low = lowest(s.Args)
	}
	if s.Code == imap.CodeClosed && c.closing {
		c.closing, c.box = false, nil
		return
	}
	if box := c.current(); box != nil && s.Condition == imap.ConditionOK {
		box.code(s, c)
	}
}

// current is the mailbox that responses are about.
func (c *Client) current() *Mailbox {
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
