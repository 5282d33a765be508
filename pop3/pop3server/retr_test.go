package pop3server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
)

// What RETR sends, its dot-stuffing undone, is the message; a last line
// without a CRLF gets one, which is part of the end mark (RFC 1939 §3).
func TestRetrIsExact(t *testing.T) {
	bodies := []string{"", "\r\n", "A: 1\r\n\r\nx", "A: 1\r\n\r\nx\r", "A: 1\r\n\r\n.\r\n", "A: 1\r\n\r\n..a\r\n.", "a\n.\nb\n", "\n.\r\n", strings.Repeat("x", 100<<10) + "\r\n.", strings.Repeat(".\r\n", 30<<10)}
	_, addr := serve(t, maildrop(t, bodies...), func(cfg *pop3server.Config) { cfg.Headers = pop3server.MaskHeaders })
	c := dial(t, addr)
	c.play(greetAndLogin)
	for i, want := range bodies {
		fmt.Fprintf(c, "RETR %d\r\n", i+1)
		c.play("S: +OK ...")
		if want != "" && !strings.HasSuffix(want, "\r\n") {
			want = strings.TrimSuffix(want, "\r") + "\r\n"
		}
		var got strings.Builder
		for {
			line, err := c.br.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line == ".\r\n" {
				break
			}
			got.WriteString(strings.TrimPrefix(line, "."))
		}
		if got.String() != want {
			t.Errorf("message %d: got %.80q, want %.80q", i+1, got.String(), want)
		}
	}
}

// A header that is longer than a read is looked into as a whole, and as long as
// it is no UTF-8 it comes as it is.
func TestLongHeaders(t *testing.T) {
	long := strings.Repeat("X: "+strings.Repeat("y", 70)+"\r\n", 2000)
	bodies := []string{
		long + "Subject: \u00fc\r\n\r\n\u00fc\r\n", long + "Subject: \xfc\r\n\r\n\u00fc\r\n",
		"Subject: \u00fc\r\n" + long + "\r\n\u00fc\r\n", long + "Subject: \u00fc",
	}
	wants := slices.Clone(bodies)
	for i := range wants {
		if i != 1 {
			wants[i] = strings.Replace(wants[i], "\u00fc", "??", 1)
		}
	}
	_, addr := serve(t, maildrop(t, bodies...), func(cfg *pop3server.Config) { cfg.Headers = pop3server.MaskHeaders })
	c := dial(t, addr)
	c.play(greetAndLogin)
	for i, want := range wants {
		c.send(fmt.Sprintf("RETR %d", i+1))
		c.play(fmt.Sprintf("S: +OK %d octets", len(want)))
		var got strings.Builder
		for line := ""; line != ".\r\n"; {
			got.WriteString(line)
			var err error
			if line, err = c.br.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		if strings.TrimSuffix(got.String(), "\r\n") != strings.TrimSuffix(want, "\r\n") {
			t.Errorf("message %d: got ...%q", i+1, got.String()[max(0, got.Len()-40):])
		}
	}
}

// failing is a store whose messages cannot be read behind an octet.
type failing struct {
	store.Store
	at int64
}

func (f failing) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := f.Store.Open(ctx, id)
	return failingAccount{a, f.at}, err
}

type failingAccount struct {
	store.Account
	at int64
}

func (a failingAccount) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	c, err := a.Account.Content(ctx, id, uid)
	return failingContent{c, a.at}, err
}

func (a failingAccount) As(any) bool { return false }

type failingContent struct {
	store.Content
	at int64
}

func (c failingContent) ReadAt(p []byte, off int64) (int, error) {
	if off >= c.at {
		return 0, errors.New("disk: secret text")
	}
	return c.Content.ReadAt(p[:min(int64(len(p)), c.at-off)], off)
}

// A message that cannot be read is -ERR, and half of one never looks whole.
func TestReadFails(t *testing.T) {
	body := "A: 1\r\n\r\n" + strings.Repeat("x\r\n", 50<<10)
	_, addr := serve(t, maildrop(t, body), func(c *pop3server.Config) { c.Store = failing{c.Store, 0} })
	c := dial(t, addr)
	c.play(greetAndLogin + "C: RETR 1\nS: -ERR [SYS/TEMP] Internal error, reference ...\nC: STAT\nS: +OK 1 153608")
	_, addr = serve(t, maildrop(t, body), func(c *pop3server.Config) { c.Store = failing{c.Store, 100_000} })
	c = dial(t, addr)
	c.play(greetAndLogin + "C: RETR 1\nS: +OK ...")
	out, _ := io.ReadAll(c.br)
	if strings.HasSuffix(string(out), "\r\n.\r\n") || len(out) < 50_000 {
		t.Errorf("%d octets, the last %q", len(out), out[max(0, len(out)-10):])
	}
}

// cutOff is a connection whose peer is gone before an answer that holds text.
type cutOff struct {
	net.Conn
	text string
}

func (c cutOff) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.text) {
		return 0, io.ErrClosedPipe
	}
	return c.Conn.Write(p)
}

// EXPIRE 0 deletes what was sent: a QUIT in one flight with its RETR deletes
// nothing where the message does not leave.
func TestNothingUnsentIsDeleted(t *testing.T) {
	for text, want := range map[string]string{"precious": "1", "nothing": ""} {
		s := maildrop(t, "A: 1\r\n\r\nprecious\r\n")
		srv, err := pop3server.New(pop3server.Config{
			Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: discard,
			Policy: pop3server.Policy{DeleteRetrieved: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		here, there := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- srv.ServeConn(cutOff{there, text}) }()
		go io.WriteString(here, loggedIn+"RETR 1\r\nQUIT\r\n")
		io.Copy(io.Discard, here)
		<-done
		if got := uids(t, s); got != want {
			t.Errorf("cut off at %q: left %q, want %q", text, got, want)
		}
		srv.Close()
		s.Close()
	}
}
