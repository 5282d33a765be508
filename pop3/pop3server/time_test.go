package pop3server_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
)

// An idle client is closed without a word, and nothing is deleted (RFC 1939
// §3): before login from the start of the connection, after it from the last
// command.
func TestIdle(t *testing.T) {
	for name, test := range map[string]struct {
		say  string
		want time.Duration
	}{
		"before login": {"CAPA\r\n", time.Minute},
		"half a line":  {"USER al", time.Minute},
		"logged in":    {"USER alice\r\nPASS pass word\r\nDELE 1\r\n", 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := maildrop(t, "A: 1\r\n\r\n")
				defer s.Close()
				srv, err := pop3server.New(pop3server.Config{Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				defer srv.Close()
				here, there := net.Pipe()
				begun := time.Now()
				go srv.ServeConn(there)
				go io.WriteString(here, test.say)
				out, _ := io.ReadAll(here)
				if got := time.Since(begun); got != test.want {
					t.Errorf("closed after %v, want %v", got, test.want)
				}
				if lines := strings.Split(string(out), "\r\n"); strings.HasPrefix(lines[len(lines)-2], "-ERR") {
					t.Errorf("last line %q", lines[len(lines)-2])
				}
				if left := uids(t, s); left != "1" {
					t.Errorf("left %q", left)
				}
			})
		})
	}
}

// A client that never ends its handshake holds nothing up: neither Shutdown
// nor, beyond the limit, a connection.
func TestHandshakeStalls(t *testing.T) {
	for name, implicit := range map[string]bool{"implicit": true, "STLS": false} {
		t.Run(name, func(t *testing.T) {
			srv, addr := serve(t, maildrop(t), func(c *pop3server.Config) { c.TLSConfig, c.ImplicitTLS = testTLS(t), implicit })
			c := dial(t, addr)
			if !implicit {
				c.play("S: +OK ...\nC: STLS\nS: +OK ...")
			}
			io.WriteString(c, "\x16\x03\x01") // the server is in the handshake
			if implicit {
				// Another connection was served behind it.
				other := tls.Client(dial(t, addr).Conn, &tls.Config{InsecureSkipVerify: true})
				if err := other.Handshake(); err != nil {
					t.Fatal(err)
				}
			}
			if err := srv.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			if out, _ := io.ReadAll(c.br); strings.Contains(string(out), "-ERR") {
				t.Errorf("%q in the middle of a handshake", out)
			}
		})
	}
}

// What is known of INBOX is not older than a second, however long a flight of
// commands takes.
func TestLongFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := maildrop(t, "A: 1\r\n\r\n"+strings.Repeat("x\r\n", 100_000), "B: 2\r\n\r\n", "C: 3\r\n\r\n")
		defer s.Close()
		srv, err := pop3server.New(pop3server.Config{Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: discard})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
		here, there := net.Pipe()
		go srv.ServeConn(there)
		c := &client{t, here, bufio.NewReader(here)}
		c.play(greetAndLogin)
		go io.WriteString(here, "RETR 1\r\nRETR 2\r\nRETR 3\r\nQUIT\r\n")
		c.play("S: +OK 300008 octets") // the server waits for us to read on
		time.Sleep(2 * time.Second)
		a, inbox := open(t, s)
		if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{store.Expunge{Mailbox: inbox, UIDs: store.UIDs(2)}}}); err != nil {
			t.Fatal(err)
		}
		c.discard()
		c.play("S: -ERR Message was deleted by another client\nS: +OK ...\nS: C: 3\nS: \nS: .\nS: +OK Bye\nS: EOF")
	})
}
