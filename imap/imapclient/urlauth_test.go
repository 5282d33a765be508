package imapclient_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/store"
)

func named(cfg *imapserver.Config) {
	cfg.Hostname, cfg.JMAPAccess = "imap.example.org", "https://example.org/jmap"
}

const encoded = "Subject: x\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"

// What one user authorizes, streams to whoever has the URL, decoded where that is
// asked for, and does no more once the keys are reset.
func TestURLAuth(t *testing.T) {
	ctx := t.Context()
	c := dial(t, serve(t, named), imapclient.Dialer{})
	if _, err := c.Append(ctx, imap.Inbox, &imapclient.NewMessage{Size: int64(len(encoded)), Body: strings.NewReader(encoded)}); err != nil {
		t.Fatal(err)
	}
	urls, err := c.AuthorizeURLs(ctx, "imap://alice@imap.example.org/INBOX/;UID=1;URLAUTH=anonymous",
		"imap://alice@imap.example.org/INBOX/;UID=1/;SECTION=1;URLAUTH=authuser")
	if err != nil || len(urls) != 2 {
		t.Fatal(urls, err)
	}
	for _, tt := range []struct {
		url    string
		binary bool
		want   string
	}{{urls[0], false, encoded}, {urls[1], false, "aGVsbG8=\r\n"}, {urls[1], true, "hello"}} {
		var got bytes.Buffer
		if n, err := c.FetchURL(ctx, tt.url, tt.binary, &got); err != nil || got.String() != tt.want || n != int64(got.Len()) {
			t.Errorf("%s: %q, %v", tt.url, got.String(), err)
		}
	}
	if part, err := c.URLStructure(ctx, urls[1]); err != nil || part == nil || !part.Is("text/plain") {
		t.Errorf("%+v, %v", part, err)
	}
	full := errors.New("full")
	if _, err := c.FetchURL(ctx, urls[0], false, failing{full}); !errors.Is(err, full) || c.Err() != nil {
		t.Errorf("a writer that fails: %v, connection %v", err, c.Err())
	}
	if err := c.ResetURLs(ctx, imap.Inbox); err != nil {
		t.Fatal(err)
	}
	if _, err := c.FetchURL(ctx, urls[0], false, io.Discard); !errors.Is(err, imapclient.ErrNoURL) || c.Err() != nil {
		t.Errorf("behind RESETKEY: %v", err)
	}
	if err := c.ResetURLs(ctx, ""); err != nil {
		t.Error(err)
	}
	if url, err := c.JMAPAccess(ctx); err != nil || url != "https://example.org/jmap" {
		t.Errorf("%q, %v", url, err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// URLFETCH in all the forms that servers may send, and in those that they may not.
func TestURLFetchForms(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"* URLFETCH imap://x {5}\r\nab\r\n1\r\n", "ab\r\n1"},
		{"* URLFETCH \"imap://x\" {5}\r\na1 OK\r\n", "a1 OK"},
		{"* URLFETCH {8}\r\nimap://x {2}\r\nab\r\n", "ab"},
		{"* URLFETCH imap://x {20}\r\n01234567890123456789\r\n", "01234567890123456789"}, // more than is kept in memory
		{"* URLFETCH imap://x \"abc\"\r\n", "abc"},
		{"* URLFETCH imap://x NIL\r\n", "no"},
		{"* URLFETCH imap://x (BODY {2}\r\nab)\r\n", "ab"},
		{"* URLFETCH imap://x (BODYPARTSTRUCTURE (\"TEXT\" \"PLAIN\" (\"NAME\" {1}\r\nx) NIL NIL \"7BIT\" 1 1)) (BINARY ~{2}\r\na\x00)\r\n", "a\x00"},
		{"* URLFETCH imap://x (BINARY {2}\r\nab) (BODYPARTSTRUCTURE NIL)\r\n", "ab"},
		{"* URLFETCH imap://x {2}\r\nab imap://y {2}\r\ncd\r\n", "broken"},
		{"* URLFETCH imap://x {2}\r\nab\r\n* URLFETCH imap://x {2}\r\nab\r\n", "broken"},
		{"* URLFETCH imap://x )\r\n", "broken"},
		{"* 99999999999 FETCH (BODY[] {7}\r\na1 OK x)\r\n", "broken"},
	} {
		for _, step := range []int{0, 1} {
			d := imapclient.Dialer{TLS: imapclient.TLSNever, Limits: imapclient.Limits{Literal: 8}}
			c, err := d.NewClient(t.Context(), &canned{text: "* PREAUTH [CAPABILITY IMAP4rev1 URLAUTH] x\r\n" + tt.text + "a1 OK x\r\na2 OK x\r\n", step: step}, "")
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			_, err = c.FetchURL(t.Context(), "imap://x", false, &got)
			switch {
			case tt.want == "broken" && errors.Is(err, imapclient.ErrProtocol) && c.Err() != nil:
			case tt.want == "no" && errors.Is(err, imapclient.ErrNoURL):
			case err == nil && got.String() == tt.want && c.Noop(t.Context()) == nil:
			default:
				t.Errorf("%q: %q, %v", tt.text, got.String(), err)
			}
		}
	}
}

// A text that comes with URLFETCH to another command is not taken for responses.
func TestURLFetchUnasked(t *testing.T) {
	d := imapclient.Dialer{TLS: imapclient.TLSNever}
	c, err := d.NewClient(t.Context(), &canned{text: "* PREAUTH [CAPABILITY IMAP4rev1] x\r\n* URLFETCH imap://x {10}\r\na1 OK no\r\n\r\na1 BAD x\r\n"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Noop(t.Context()); !errors.Is(err, imapclient.ErrProtocol) || c.Err() == nil {
		t.Error(err)
	}
}

// The server puts a message together of texts and of what it has; a URL that gives
// nothing is a refusal that leaves the connection usable.
func TestCatenate(t *testing.T) {
	ctx := t.Context()
	c := dial(t, serve(t, named), imapclient.Dialer{})
	if _, err := c.Append(ctx, imap.Inbox, letter("one", "first")); err != nil {
		t.Fatal(err)
	}
	text := func(s string) imapclient.Part {
		return imapclient.Part{Size: int64(len(s)), Body: strings.NewReader(s)}
	}
	url := imapclient.Part{URL: "/INBOX/;UID=1/;SECTION=TEXT"}
	head := "Subject: two\r\n\r\n"
	uid, err := c.Append(ctx, imap.Inbox, &imapclient.NewMessage{Flags: store.Seen, Parts: []imapclient.Part{text(head), url, text("behind\r\n")}})
	if err != nil || uid.UIDs.String() != "2" {
		t.Fatal(uid, err)
	}
	for _, bad := range []imapclient.Part{{URL: "/INBOX/;UID=9"}, {URL: "/none/;UID=1"}} {
		if _, err := c.Append(ctx, imap.Inbox, &imapclient.NewMessage{Parts: []imapclient.Part{text(head), bad}}); imapclient.Code(err) != imap.CodeBadURL || c.Err() != nil {
			t.Errorf("%v, connection %v", err, c.Err())
		}
	}
	for _, m := range []*imapclient.NewMessage{
		{Parts: []imapclient.Part{{URL: "a\r\nb"}}}, {Parts: []imapclient.Part{}}, {Parts: []imapclient.Part{{Size: -1, Body: strings.NewReader("")}}}, {Size: 1},
	} {
		if _, err := c.Append(ctx, imap.Inbox, m); !errors.Is(err, imapclient.ErrArgument) || c.Err() != nil {
			t.Errorf("%+v: %v", m, err)
		}
	}
	open(t, c, imap.Inbox)
	if got := texts(t, c, store.UIDs(2)); fmt.Sprint(got) != fmt.Sprint(map[imap.UID]string{2: head + "first\r\nbehind\r\n"}) {
		t.Errorf("%v", got)
	}
	// A part that ends early: the message does not come into being, nor does the connection live on.
	if _, err := c.Append(ctx, imap.Inbox, &imapclient.NewMessage{Parts: []imapclient.Part{url, {Size: 9, Body: strings.NewReader("short")}}}); !errors.Is(err, io.ErrUnexpectedEOF) || c.Err() == nil {
		t.Errorf("%v, connection %v", err, c.Err())
	}
}

// texts fetches whole messages.
func texts(t *testing.T, c *imapclient.Client, uids imap.UIDSet) map[imap.UID]string {
	t.Helper()
	got := map[imap.UID]string{}
	for m, err := range c.Fetch(t.Context(), uids, imap.FetchOptions{Sections: []imap.Section{{Peek: true}}}) {
		if err != nil {
			t.Fatal(err)
		}
		body, err := m.Body()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		got[m.UID] = string(b)
	}
	return got
}

// REPLACE: the new message is there and the old one gone, or neither.
func TestReplace(t *testing.T) {
	ctx := t.Context()
	c := dial(t, serve(t, nil), imapclient.Dialer{})
	for _, s := range []string{"one", "two"} {
		if _, err := c.Append(ctx, imap.Inbox, letter(s, s)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Replace(ctx, 1, imap.Inbox, letter("x", "x")); !errors.Is(err, imapclient.ErrState) {
		t.Errorf("no mailbox is selected: %v", err)
	}
	open(t, c, imap.Inbox)
	uid, err := c.Replace(ctx, 1, imap.Inbox, letter("three", "three"))
	if err != nil || uid.UIDs.String() != "3" || c.Mailbox().Exists != 2 {
		t.Fatal(uid, err, c.Mailbox())
	}
	if _, err := c.Replace(ctx, 2, "none", letter("x", "x")); imapclient.Code(err) != imap.CodeTryCreate || c.Err() != nil {
		t.Errorf("%v", err)
	}
	if got := texts(t, c, store.AllUIDs()); len(got) != 2 || got[2] == "" || !strings.Contains(got[3], "three") {
		t.Errorf("%v", got)
	}
	if batches, err := c.UIDBatches(ctx, 500); err != nil || len(batches) != 1 || batches[0] != (imap.UIDRange{First: 1, Last: 3}) {
		t.Errorf("%v, %v", batches, err)
	}
}
