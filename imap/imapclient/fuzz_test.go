package imapclient_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/store"
)

// canned is a connection on which all that a server sends is known before. step
// bounds the octets of a read; 0 = any number.
type canned struct {
	text string
	step int
}

func (c *canned) Read(p []byte) (int, error) {
	if c.text == "" {
		return 0, io.EOF
	}
	if c.step > 0 {
		p = p[:min(len(p), c.step)]
	}
	n := copy(p, c.text)
	c.text = c.text[n:]
	return n, nil
}

func (c *canned) Write(p []byte) (int, error)      { return len(p), nil }
func (c *canned) Close() error                     { return nil }
func (c *canned) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *canned) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *canned) SetDeadline(time.Time) error      { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }

// deep is v with what its pointers point to.
func deep(v any) string {
	b, err := json.Marshal(v)
	return fmt.Sprint(string(b), err)
}

// transcript is all that a client makes of what a server sends.
func transcript(t *testing.T, text string, step int) string {
	var out strings.Builder
	note := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	message := func(m *imapclient.Message) {
		note("message %d %d %v %d %v %v %d %s %s %q %q %q %q", m.Seq, m.UID, m.Flags, m.ModSeq, m.InternalDate, m.SaveDate, m.Size,
			deep(m.Envelope), deep(m.BodyStructure), m.EmailID, m.ThreadID, m.Preview, m.Extra)
	}
	d := imapclient.Dialer{
		TLS:    imapclient.TLSNever,
		Limits: imapclient.Limits{Response: 10_000, Literal: 1000, Untagged: 100, List: 20, Ranges: 50, Discard: 10_000},
		Handler: imapclient.Handler{
			Exists: func(n uint32) { note("exists %d", n) }, Expunge: func(n uint32) { note("expunge %d", n) },
			Vanished: func(set imap.UIDSet, e bool) { note("vanished %v %v", set, e) }, Fetch: message,
			Flags: func(f imap.FlagList) { note("flags %v", f) }, Mailbox: func(e *imap.ListEntry) { note("list %s", deep(e)) },
			Status: func(s *imap.MailboxStatus) { note("status %+v", *s) }, Response: func(r imap.StatusResponse) { note("told %v", r) },
			Search: func(u *imap.SearchUpdate) { note("search %+v", *u) }, Unknown: func(b []byte) { note("unknown %q", b) },
		},
	}
	c, err := d.NewClient(t.Context(), &canned{text: "* PREAUTH [CAPABILITY IMAP4rev1 ESEARCH] x\r\n" + text, step: step}, "")
	if err != nil {
		return "no session"
	}
	list, err := c.List(t.Context(), imap.ListOptions{})
	note("list %s %v", deep(list), err)
	box, err := c.Select(t.Context(), "x", imapclient.SelectOptions{})
	note("select %+v %v", box, err)
	for m, err := range c.Fetch(t.Context(), store.AllUIDs(), imap.FetchOptions{Items: imap.FetchFlags, Sections: []imap.Section{{Peek: true}}}) {
		if err != nil {
			note("fetch: %v", err)
			break
		}
		for {
			s, err := m.Next()
			if err != nil {
				note("next: %v", err)
				break
			}
			b, err := io.ReadAll(io.LimitReader(s, 5000))
			note("section %s %d %v %q %v", s.Section.AppendName(nil), s.Size, s.IsNil, b, err)
		}
		message(m)
	}
	found, err := c.Search(t.Context(), imap.Criteria{}, imap.SearchOptions{})
	note("search %+v %v, %v", found, err, c.Err())
	return out.String()
}

// FuzzSession: octet by octet a client understands what it understands at once.
func FuzzSession(f *testing.F) {
	const open = "* LIST () \"/\" a\r\na1 OK done\r\n* 3 EXISTS\r\na2 OK [READ-WRITE] done\r\n"
	f.Add(open + "* 1 FETCH (UID 1 FLAGS (\\Seen) BODY[] {5}\r\nabc\r\n)\r\n* 2 FETCH (BODY[] {0}\r\n UID 2)\r\n* 3 FETCH (UID 3 BODY[] \"x\\\"\")\r\na3 OK done\r\n* SEARCH 1 2\r\na4 OK x\r\n")
	f.Add(open + "* 1 FETCH (BODY[1.2.HEADER.FIELDS ({1}\r\nA)]<3> ~{2}\r\nab RFC822 {1}\r\nx ENVELOPE ({3}\r\nabc))\r\n* BYE x\r\n")
	f.Add(open + "* 1 FETCH (ENVELOPE (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL) BODYSTRUCTURE (\"a\" \"b\" NIL NIL NIL \"7BIT\" 1))\r\n* 1 EXPUNGE\r\na3 NO [LIMIT] x\r\n* ESEARCH (TAG \"a4\") UID ALL 1:3\r\na4 OK x\r\n")
	f.Add("* LIST () NIL {3}\r\na\"b\r\n* STATUS a (MESSAGES 3)\r\na1 OK\r\n* VANISHED 1:3\r\na2 BAD\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 5000 {
			return
		}
		whole := transcript(t, text, 0)
		for _, step := range []int{1, 7} {
			if got := transcript(t, text, step); got != whole {
				t.Errorf("in steps of %d:\n%s\nat once:\n%s", step, got, whole)
			}
		}
	})
}
