package pop3server_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
)

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

// proxied is a connection from a proxy that does not count as loopback.
type proxied struct{ net.Conn }

func (proxied) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:4000"))
}

// Connections count for the client that a proxy speaks for, not for the proxy.
func TestProxyIsNotCounted(t *testing.T) {
	s := maildrop(t)
	defer s.Close()
	srv, err := pop3server.New(pop3server.Config{
		Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: discard,
		Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, Limits: pop3server.Limits{MaxConnectionsPerIP: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	var ends []net.Conn
	for range 3 {
		here, there := net.Pipe()
		defer here.Close()
		go srv.ServeConn(proxied{there})
		ends = append(ends, here)
	}
	for i, here := range ends {
		io.WriteString(here, "PROXY TCP4 192.0.2."+string(rune('5'+i))+" 192.0.2.1 4000 110\r\n")
		if line, err := bufio.NewReader(here).ReadString('\n'); !strings.HasPrefix(line, "+OK") {
			t.Errorf("connection %d: %q, %v", i, line, err)
		}
	}
}

// The hooks see the client that a proxy speaks for, and one that panics ends its
// own connection alone.
func TestTraceOfConnections(t *testing.T) {
	s := maildrop(t)
	defer s.Close()
	var mu sync.Mutex
	var seen []string
	note := func(what string) func(pop3server.Peer) {
		return func(p pop3server.Peer) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, what+" "+p.Addr.String())
			panic("a hook panics")
		}
	}
	srv, err := pop3server.New(pop3server.Config{
		Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: discard,
		Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")},
		Trace:   pop3server.Trace{Connected: note("connected"), Closed: note("closed")},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	for _, head := range []string{"PROXY TCP4 192.0.2.7 192.0.2.1 4000 110\r\n", "no header\r\n"} {
		here, there := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- srv.ServeConn(proxied{there}) }()
		go io.WriteString(here, head)
		io.Copy(io.Discard, here)
		<-done
	}
	if got := strings.Join(seen, ", "); got != "connected 192.0.2.7, closed 192.0.2.7" {
		t.Error(got)
	}
}

// panicking is a store that panics once in the middle of a login.
type panicking struct {
	store.Store
	once *sync.Once
}

func (p panicking) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := p.Store.Open(ctx, id)
	return panickingAccount{a, p.once}, err
}

type panickingAccount struct {
	store.Account
	once *sync.Once
}

func (a panickingAccount) Unwrap() store.Account { return a.Account }

func (a panickingAccount) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	a.once.Do(func() { panic("a store panics") })
	return a.Account.Mailboxes(ctx, since)
}

// A login that a panic of the store ends holds neither the maildrop nor a place
// of its user.
func TestPanicFreesTheMaildrop(t *testing.T) {
	for _, shared := range []bool{false, true} {
		s := maildrop(t)
		_, addr := serve(t, s, func(c *pop3server.Config) {
			c.Store = panicking{s, new(sync.Once)}
			c.SharedMaildrops, c.Limits.MaxSessionsPerUser = shared, 1
		})
		dial(t, addr).play("S: +OK ...\nC: USER alice\nS: +OK ...\nC: PASS pass word\nS: EOF")
		dial(t, addr).play(greetAndLogin)
	}
}

// The errors of ServeConn have names.
func TestServeConnErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := maildrop(t)
		defer s.Close()
		srv, err := pop3server.New(pop3server.Config{
			Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: discard,
			Limits: pop3server.Limits{MaxConnections: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		first, there := net.Pipe()
		go srv.ServeConn(there)
		synctest.Wait()
		_, there = net.Pipe()
		if err := srv.ServeConn(there); !errors.Is(err, pop3server.ErrTooManyConnections) {
			t.Error(err)
		}
		first.Close()
		srv.Close()
		_, there = net.Pipe()
		if err := srv.ServeConn(there); !errors.Is(err, pop3server.ErrServerClosed) {
			t.Error(err)
		}
	})
}
