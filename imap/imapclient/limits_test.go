package imapclient_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/store"
)

// Each limit ends the call with ErrLimit, and the connection, where what a server
// sends is one more than is allowed, and not where it is just as much.
func TestLimits(t *testing.T) {
	many := func(n int, line func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(i))
		}
		return b.String()
	}
	l := imapclient.Limits{Response: 1000, Literal: 100, Untagged: 10, List: 5, Ranges: 5, Caps: 7, Discard: 500}
	list := func(c *imapclient.Client) error { _, err := c.List(t.Context(), imap.ListOptions{}); return err }
	noop := func(c *imapclient.Client) error { return c.Noop(t.Context()) }
	search := func(c *imapclient.Client) error {
		if _, err := c.Select(t.Context(), "x", imapclient.SelectOptions{}); err != nil {
			return err
		}
		_, err := c.Search(t.Context(), imap.Criteria{}, imap.SearchOptions{})
		return err
	}
	skip := func(c *imapclient.Client) error {
		if _, err := c.Select(t.Context(), "x", imapclient.SelectOptions{}); err != nil {
			return err
		}
		for _, err := range c.Fetch(t.Context(), store.UIDs(1, 2), imap.FetchOptions{Sections: []imap.Section{{Peek: true}}}) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	for _, tt := range []struct {
		name string
		most int // allowed
		call func(c *imapclient.Client) error
		text func(n int) string
	}{
		{"untagged", 10, noop, func(n int) string { return many(n, func(int) string { return "* OK x\r\n" }) + "a1 OK" }},
		{"literal", 100, list, func(n int) string { return fmt.Sprintf("* LIST () NIL {%d}\r\n%s\r\na1 OK", n, strings.Repeat("x", n)) }},
		{"response", 980, noop, func(n int) string { return "* X " + strings.Repeat("x", n) + "\r\na1 OK" }},
		{"response of literals", 9, list, func(n int) string {
			return "* LIST () NIL x (" + many(n, func(i int) string { return fmt.Sprintf("\"K%d\" ({80}\r\n%s)", i, strings.Repeat("x", 80)) }) + ")\r\na1 OK"
		}},
		{"list", 5, list, func(n int) string {
			return many(n, func(i int) string { return fmt.Sprintf("* LIST () NIL %d\r\n", i) }) + "a1 OK"
		}},
		{"capabilities", 7, noop, func(n int) string {
			return "* CAPABILITY" + many(n, func(i int) string { return fmt.Sprintf(" X%d", i) }) + "\r\na1 OK"
		}},
		{"ranges", 5, search, func(n int) string {
			return "* 9 EXISTS\r\na1 OK\r\n* SEARCH" + many(n, func(i int) string { return fmt.Sprintf(" %d", 2*i+1) }) + "\r\na2 OK"
		}},
		{"text that nobody reads", 500, skip, func(n int) string {
			return fmt.Sprintf("* 9 EXISTS\r\na1 OK\r\n* 1 FETCH (UID 1 BODY[] {%d}\r\n%s)\r\na2 OK", n, strings.Repeat("x", n))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range []int{tt.most, tt.most + 20} {
				d := imapclient.Dialer{TLS: imapclient.TLSNever, Limits: l}
				c, err := d.NewClient(t.Context(), &canned{text: "* PREAUTH [CAPABILITY IMAP4rev1 ID] x\r\n" + tt.text(n) + "\r\n"}, "")
				if err != nil {
					t.Fatal(err)
				}
				err = tt.call(c)
				if n == tt.most && (err != nil || c.Err() != nil) {
					t.Errorf("%d: %v", n, err)
				}
				if n > tt.most && (!errors.Is(err, imapclient.ErrLimit) || !errors.Is(c.Err(), imapclient.ErrClosed)) {
					t.Errorf("%d: %v, connection %v", n, err, c.Err())
				}
			}
		})
	}
}

// Messages that were not asked for, and news of flags, are the Handler's.
func TestUnaskedFetch(t *testing.T) {
	var told []imap.UID
	d := imapclient.Dialer{
		TLS: imapclient.TLSNever, Handler: imapclient.Handler{Fetch: func(m *imapclient.Message) { told = append(told, m.UID) }},
	}
	c, err := d.NewClient(t.Context(), &canned{text: "* PREAUTH [CAPABILITY IMAP4rev1] x\r\n* 9 EXISTS\r\na1 OK\r\n" +
		"* 7 FETCH (UID 7 BODY[] {1}\r\nx)\r\n* 2 FETCH (UID 2 FLAGS ())\r\n* 1 FETCH (UID 1 BODY[] {2}\r\nab FLAGS (\\Seen))\r\na2 OK\r\n" +
		"* 3 FETCH (FLAGS () UID 3)\r\na3 OK\r\n"}, "")
	if err != nil {
		t.Fatal(err)
	}
	open(t, c, "x")
	var asked []imap.UID
	for m, err := range c.Fetch(t.Context(), store.UIDs(1, 2), imap.FetchOptions{Sections: []imap.Section{{Peek: true}}}) {
		if err != nil {
			t.Fatal(err)
		}
		asked = append(asked, m.UID)
		if _, err := m.Body(); err != nil || m.Has(imap.FetchFlags) {
			t.Error(err)
		}
		if _, err := m.Next(); err == nil || m.Flags.System != store.Seen {
			t.Errorf("%v, %+v", err, m.Flags)
		}
	}
	if err := c.Noop(t.Context()); err != nil || fmt.Sprint(asked) != "[1]" || fmt.Sprint(told) != "[7 2 3]" {
		t.Errorf("asked %v, told %v, %v", asked, told, err)
	}
}

// doubting is a mechanism that finds out that the server does not know the
// password.
type doubting struct{ sasl.Client }

func (doubting) Outcome() error { return errors.New("not the server") }

func TestOutcome(t *testing.T) {
	c, err := scripted(t, imapclient.Dialer{TLS: imapclient.TLSNever}, "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x",
		"C: a1 AUTHENTICATE PLAIN AGEAYg==", "S: a1 OK x")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Auth(t.Context(), doubting{sasl.NewPlainClient("", "a", "b")}); err == nil || c.Err() == nil || c.State() != imapclient.NotAuthenticated {
		t.Error(err)
	}
}
