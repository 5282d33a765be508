package pop3server_test

import (
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
)

var discard = slog.New(slog.DiscardHandler)

// allocated runs f and returns the octets that were allocated meanwhile.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Whatever comes, the answer is -ERR, costs little, and the next command is
// understood.
func TestHostile(t *testing.T) {
	_, addr := serve(t, maildrop(t, "A: 1\r\n\r\n"), func(c *pop3server.Config) { c.Limits.MaxErrors = -1 })
	for name, line := range map[string]string{
		"NUL":               "RETR \x001",
		"CR":                "RETR 1\rRETR 1",
		"8-bit":             "RETR \xff",
		"long":              strings.Repeat("RETR 1 ", 8000),
		"many spaces":       "RETR" + strings.Repeat(" ", 900) + "2",
		"huge number":       "RETR " + strings.Repeat("9", 900),
		"zero":              "RETR 0",
		"2^64":              "LIST 18446744073709551616",
		"2^64+1":            "DELE 18446744073709551617",
		"negative":          "UIDL -1",
		"two":               "RETR 1 2",
		"TOP of many lines": "TOP 1 99999999999999999999999999",
		"TOP negative":      "TOP 1 -9223372036854775808",
		"no verb":           " RETR 1",
		"tabs":              "RETR\t1",
		"empty":             "",
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, addr)
			c.play(greetAndLogin)
			n := allocated(func() {
				c.send(line)
				c.play("S: -ERR ...\nC: STAT\nS: +OK 1 8\nC: QUIT\nS: +OK ...\nS: EOF")
			})
			if n > 256<<10 {
				t.Errorf("%d octets allocated", n)
			}
		})
	}
}

// A client that is cut off at any octet leaves nothing behind: nothing is
// deleted but by a whole QUIT, and the maildrop is free.
func TestCutAtEveryOctet(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n", "B: 2\r\n\r\n")
	defer s.Close()
	known := new(pop3server.Users)
	locks := new(store.Maildrops)
	srv, err := pop3server.New(pop3server.Config{
		Store: s, Users: known, Locks: locks, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	session := "CAPA\r\nAUTH PLAIN\r\nAGFsaWNlAHBhc3Mgd29yZA==\r\nLANG en\r\nSTAT\r\nLIST\r\nUIDL 1\r\nTOP 1 1\r\nRETR 2\r\nDELE 2\r\nRSET\r\nDELE 1\r\nQUIT\r\n"
	for n := range len(session) {
		here, there := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- srv.ServeConn(there) }()
		go func() {
			io.WriteString(here, session[:n])
			here.Close()
		}()
		io.Copy(io.Discard, here)
		<-done
		if got := uids(t, s); got != "1:2" {
			t.Fatalf("cut at %d (%q): left %s", n, session[:n], got)
		}
	}
	a, _ := open(t, s)
	lock, err := locks.Lock(t.Context(), a, alice)
	if err != nil {
		t.Fatal(err)
	}
	lock.Unlock(t.Context())
}

// A flood of one client costs the others nothing but time: its errors are
// counted, and what it pipelines is answered in few writes.
func TestFlightIsAnsweredInFewWrites(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\nbody\r\n")
	defer s.Close()
	srv, err := pop3server.New(pop3server.Config{Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	here, there := net.Pipe()
	w := &counting{Conn: there}
	done := make(chan error, 1)
	go func() { done <- srv.ServeConn(w) }()
	go io.WriteString(here, "USER alice\r\nPASS pass word\r\n"+strings.Repeat("RETR 1\r\nLIST 1\r\n", 100)+"QUIT\r\n")
	out, _ := io.ReadAll(here)
	<-done
	if n := strings.Count(string(out), "+OK"); n != 204 || w.writes > 20 {
		t.Errorf("%d answers in %d writes", n, w.writes)
	}
}

type counting struct {
	net.Conn
	writes int
}

func (c *counting) Write(p []byte) (int, error) {
	c.writes++
	return c.Conn.Write(p)
}

// A client that does not read holds its own session up and no other, until the
// write times out.
func TestWriteStalls(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n"+strings.Repeat("x\r\n", 4<<20))
	closed := make(chan struct{}, 2)
	_, addr := serve(t, s, func(c *pop3server.Config) {
		c.Limits.WriteTimeout = 200 * time.Millisecond
		c.Trace.Closed = func(pop3server.Peer) { closed <- struct{}{} }
	})
	stalled := dial(t, addr)
	stalled.play(greetAndLogin)
	stalled.send("RETR 1\r\nRETR 1\r\nRETR 1")
	select {
	case <-closed:
	case <-time.After(20 * time.Second):
		t.Fatal("the session does not end")
	}
	dial(t, addr).play(greetAndLogin)
}
