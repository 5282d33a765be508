package itest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/pop3"
	"github.com/mailstead/mailstead/pop3/pop3client"
)

// collected are messages that POP3 has its trouble with, as they are to arrive.
func collected() []string {
	head := "From: <a@example.org>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nSubject: x\r\n\r\n"
	return []string{
		head + "one line\r\n",
		head + ".\r\n..\r\n...\r\n.a\r\na.\r\n.\r\n",
		head + "\r\n\r\n\r\n",
		head + strings.Repeat("x", 64<<10) + "\r\n.\r\n",
		head + "8bit: \xc3\xbc \xff\r\n",
		head + strings.Repeat(".\r\n", 20_000),
		head + strings.Repeat("0123456789abcdef\r\n", 100_000),
	}
}

// dialer logs in to a foreign server by the mechanisms named; none = any.
func (f *foreign) dialer(seen *[]string, mechanisms ...string) *pop3client.Dialer {
	account := login.Client{
		Credentials: saslmech.Credentials{Username: f.user, Password: password, Token: f.token},
		Policy:      saslmech.Policy{AllowPlaintext: true, Mechanisms: mechanisms},
	}
	d := &pop3client.Dialer{TLS: pop3client.TLSNever, Login: account.Login}
	if seen != nil {
		d.Trace.Line = func(_ bool, text string) { *seen = append(*seen, text) }
	}
	return d
}

// collect retrieves, judges and deletes messages of a foreign server that are
// there in any order.
func collect(t *testing.T, f *foreign, want []string) {
	t.Helper()
	ctx := t.Context()
	c, err := f.dialer(nil).Dial(ctx, "tcp", f.pop3)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Logf("%+v", c.Capabilities())
	drop, err := c.Maildrop(ctx)
	if err != nil || len(drop.Messages) != len(want) || drop.Missing+drop.Skipped != 0 || drop.NoUIDL {
		t.Fatalf("%+v, %v", drop, err)
	}
	count, octets, err := c.Stat(ctx)
	if err != nil || count != len(want) || octets == 0 {
		t.Errorf("STAT: %d, %d, %v", count, octets, err)
	}
	var numbers []int
	for _, m := range drop.Messages {
		if m.Fault != 0 {
			t.Errorf("%+v: %v", m, m.Fault)
		}
		numbers = append(numbers, m.Number)
	}
	got := map[string]int{}
	for b, err := range c.RetrEach(ctx, append(numbers, 4711)) {
		if b.Number == 4711 {
			if _, ok := errors.AsType[*pop3client.Error](err); !ok {
				t.Errorf("a message that is not there: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(b.Number, err)
		}
		all, err := io.ReadAll(b)
		if err != nil {
			t.Fatal(b.Number, err)
		}
		if size := drop.Messages[b.Number-1].Size; size != int64(len(all)) {
			t.Errorf("%d: %d octets, LIST says %d", b.Number, len(all), size)
		}
		got[string(all)] = b.Number
	}
	for i, w := range want {
		if got[w] == 0 {
			t.Errorf("message %d did not arrive as it is", i)
		}
	}
	for b, err := range c.TopEach(ctx, numbers, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if all, err := io.ReadAll(b); err != nil || !strings.HasSuffix(string(all), "Subject: x\r\n\r\n") {
			t.Errorf("TOP %d: %q, %v", b.Number, all, err)
		}
	}
	// A session that is lost deletes nothing, one that quits does.
	for n, err := range c.DeleEach(ctx, numbers) {
		if err != nil {
			t.Errorf("DELE %d: %v", n, err)
		}
	}
	c.Close()
	if c = again(t, f); c == nil {
		return
	}
	defer c.Close()
	second, err := c.Maildrop(ctx)
	if err != nil || len(second.Messages) != len(want) || second.Messages[0].UniqueID != drop.Messages[0].UniqueID {
		t.Fatalf("%+v, %v", second, err)
	}
	for _, err := range c.DeleEach(ctx, numbers[1:]) {
		if err != nil {
			t.Error(err)
		}
	}
	if err := c.Quit(ctx); err != nil {
		t.Error(err)
	}
	if c = again(t, f); c == nil {
		return
	}
	defer c.Close()
	if third, err := c.Maildrop(ctx); err != nil || len(third.Messages) != 1 || third.Messages[0].UniqueID != drop.Messages[0].UniqueID {
		t.Errorf("%+v, %v", third, err)
	}
}

// again logs in once the server knows that the last session is over.
func again(t *testing.T, f *foreign) (c *pop3client.Client) {
	t.Helper()
	eventually(t, 20*time.Second, "the maildrop stays locked", func() (free bool) {
		var err error
		if c, err = f.dialer(nil).Dial(t.Context(), "tcp", f.pop3); err != nil && !errors.Is(err, pop3.CodeInUse) {
			t.Fatal(err)
		}
		return err == nil
	})
	return c
}

// byMechanisms logs in by each of the mechanisms, and with a wrong password.
func byMechanisms(t *testing.T, f *foreign, mechanisms ...string) {
	for _, m := range mechanisms {
		var seen []string
		c, err := f.dialer(&seen, m).Dial(t.Context(), "tcp", f.pop3)
		if err != nil {
			t.Errorf("%s: %v\n%s", m, err, strings.Join(seen, "\n"))
			continue
		}
		if err := c.Quit(t.Context()); err != nil {
			t.Errorf("%s: %v", m, err)
		}
		bad := *f
		bad.user += "x"
		_, err = bad.dialer(&seen, m).Dial(t.Context(), "tcp", f.pop3)
		if e, ok := errors.AsType[*pop3client.Error](err); f.token == "" || !strings.Contains("OAUTHBEARER XOAUTH2", m) {
			if !ok || !e.BadCredentials() {
				t.Errorf("%s, another user: %v", m, err)
			}
		}
		if text := strings.Join(seen, "\n"); strings.Contains(text, password) || f.token != "" && strings.Contains(text, f.token) {
			t.Errorf("%s: the trace shows a secret:\n%s", m, text)
		}
	}
}

// byCommand logs in by USER and PASS.
func byCommand(t *testing.T, f *foreign) {
	t.Helper()
	for _, pass := range []string{password, "wrong"} {
		c, err := (&pop3client.Dialer{TLS: pop3client.TLSNever}).Dial(t.Context(), "tcp", f.pop3)
		if err != nil {
			t.Fatal(err)
		}
		err = c.UserPass(t.Context(), f.user, pass)
		if e, refused := errors.AsType[*pop3client.Error](err); refused != (pass == "wrong") || refused && !e.BadCredentials() {
			t.Errorf("USER and PASS with %q: %v", pass, err)
		}
		c.Close()
	}
}

// TestPOP3ClientDovecot collects from Dovecot, whose Maildir has lines that end
// in LF.
func TestPOP3ClientDovecot(t *testing.T) {
	needServer(t)
	f, dir := newDovecot(t)
	byMechanisms(t, f, strings.Fields("PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 OAUTHBEARER XOAUTH2")...)
	byCommand(t, f)
	inbox := filepath.Join(dir, "mail", f.user, "new")
	for i, m := range collected() {
		name := filepath.Join(inbox, string(rune('a'+i))+".host")
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(m, "\r\n", "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	collect(t, f, collected())
}

// TestPOP3ClientCyrus collects from Cyrus, which got its messages by IMAP.
func TestPOP3ClientCyrus(t *testing.T) {
	needServer(t)
	f := newCyrus(t)
	ic := dialLine(t, f.imap, true, nil)
	if err := ic.login(ourClient("PLAIN", f.user, "")); err != nil {
		t.Fatal(err)
	}
	for i, m := range collected() {
		if out := ic.command(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(m), m)); !out.ok {
			t.Fatalf("APPEND of %d: %q", i, out.last)
		}
	}
	byMechanisms(t, f, strings.Fields("PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512")...)
	byCommand(t, f)
	collect(t, f, collected())
}
