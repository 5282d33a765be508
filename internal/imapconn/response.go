package imapconn

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapresp"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// Response is one response, or a FETCH response up to the text of a message.
// Its slices are valid until the next read.
type Response struct {
	Tag    uint64 // of a tagged one; else 0
	Cont   bool   // a continuation request
	Number uint32 // in front of the name: "* 5 EXISTS"
	Name   string // of an untagged one, in upper case
	Args   []byte // behind the name, with the line end
	Status imap.StatusResponse

	Section bool // ends with the announcement of a literal
	Line    []byte
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
func parseResponse(r *Response, chunk []byte) (err error) {
	*r = Response{Line: chunk}
	switch {
	case len(chunk) > 0 && chunk[0] == '+':
		r.Cont = true
		r.Args = bytes.TrimLeft(chunk[1:], " ")
		return nil
	case len(chunk) > 1 && chunk[0] == '*' && chunk[1] == ' ':
		err = r.untagged(bytes.TrimLeft(chunk[2:], " "))
	default:
		err = r.tagged(chunk)
	}
	if err != nil {
		err = fmt.Errorf("%w: response %q", ErrProtocol, imapresp.Text(chunk[:min(len(chunk), 80)]))
	}
	return err
}

var errResponse = errors.New("imapclient: no response")

// tagged reads "a12 OK text".
func (r *Response) tagged(b []byte) error {
	word, rest, ok := bytes.Cut(b, []byte{' '})
	if !ok || len(word) < 2 || word[0]|0x20 != 'a' {
		return errResponse
	}
	tag, err := strconv.ParseUint(string(word[1:]), 10, 64)
	if err != nil || tag == 0 {
		return errResponse
	}
	r.Tag = tag
	if r.Status, ok = imapresp.ParseStatus(rest); !ok {
		return errResponse
	}
	return nil
}

// untagged reads "5 EXISTS" or "LIST …".
func (r *Response) untagged(b []byte) error {
	if n, used, err := imapwire.ConsumeNumber(b); err == nil && b[used] == ' ' {
		r.Number = n
		b = bytes.TrimLeft(b[used:], " ")
	}
	word, n, err := imapresp.ConsumeWord(b, false)
	if err != nil {
		return errResponse
	}
	r.Name, r.Args = upperName(word), b[n:]
	switch r.Name {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		r.Status, _ = imapresp.ParseStatus(b)
	}
	return nil
}

func upperName(word []byte) string {
	if s, ok := names[string(word)]; ok {
		return s
	}
	return string(bytes.ToUpper(word[:min(len(word), 64)]))
}

// parseNext reads one response, without its consequences. It is valid until the
// next one is read.
func (c *Conn) parseNext() (*Response, error) {
	c.block = false
	r := &c.response
	chunk, section, err := c.in.next(false)
	if err != nil {
		return r, err
	}
	c.until = time.Time{}
	err = parseResponse(r, chunk)
	r.Section = section
	if err == nil && section && r.Name != "FETCH" && r.Name != "UIDFETCH" && r.Name != "URLFETCH" {
		err = fmt.Errorf("%w: text of a message in a response %q", ErrProtocol, r.Name)
	}
	return r, err
}

// next reads one response. Where it fails, the connection is lost; an
// interrupted IDLE apart.
func (c *Conn) next() (*Response, error) {
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
	return r, c.Lost(err)
}
