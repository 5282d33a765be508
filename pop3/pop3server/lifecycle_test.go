package pop3server_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
)

// apopServer judges by the secret itself.
func apopServer(t *testing.T, edit func(*pop3server.Config)) string {
	t.Helper()
	svc := &login.Service{
		Backend: users{"mrose": "tanstaaf", "gr\u00fc\u00dfe": "\u00fcber"}, Enable: []string{login.APOP},
		Guard: login.Unguarded{}, Logger: slog.New(slog.DiscardHandler),
	}
	_, addr := serve(t, dropOf(t), func(c *pop3server.Config) {
		c.Auth = svc.Authenticator()
		if edit != nil {
			edit(c)
		}
	})
	return addr
}

// timestamp reads the greeting.
func (c *client) timestamp() string {
	c.t.Helper()
	line, err := c.br.ReadString('\n')
	i := strings.IndexByte(line, '<')
	if err != nil || i < 0 {
		c.t.Fatalf("greeting %q, %v", line, err)
	}
	return strings.TrimSuffix(line[i:], "\r\n")
}

func apop(timestamp, secret string) string {
	sum := md5.Sum([]byte(timestamp + secret))
	return hex.EncodeToString(sum[:])
}

// RFC 1939 §7: APOP, each time with another timestamp, and not for a replay.
func TestAPOP(t *testing.T) {
	addr := apopServer(t, nil)
	c := dial(t, addr)
	first := c.timestamp()
	c.send("APOP mrose " + apop(first, "tanstaaf"))
	c.play("S: +OK Maildrop ...\nC: QUIT\nS: +OK ...\nS: EOF")
	c = dial(t, addr)
	if again := c.timestamp(); again == first {
		t.Errorf("the timestamp %q came twice", first)
	}
	c.send("APOP mrose " + apop(first, "tanstaaf"))
	c.play("S: -ERR [AUTH] Authentication failed")
	c = dial(t, addr)
	c.send("APOP gr\u00fc\u00dfe " + apop(c.timestamp(), "\u00fcber"))
	c.play("S: +OK Maildrop ...")
}

// Where a login needs TLS there is no APOP without it.
func TestAPOPRequiresTLS(t *testing.T) {
	config := testTLS(t)
	addr := apopServer(t, func(c *pop3server.Config) { c.TLSConfig, c.RequireTLS = config, true })
	dial(t, addr).play("S: +OK POP3 server ready\nC: APOP mrose c4c9334bac560ecc979e58001b3e22fb\nS: -ERR APOP is not offered")
	addr = apopServer(t, func(c *pop3server.Config) { c.TLSConfig, c.RequireTLS, c.ImplicitTLS = config, true, true })
	c := dial(t, addr)
	c.Conn = tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	c.br.Reset(c.Conn)
	c.send("APOP mrose " + apop(c.timestamp(), "tanstaaf"))
	c.play("S: +OK Maildrop ...")
}

// RFC 2449 §6.5: who comes too soon hears so, after he has proved who he is.
func TestLoginDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := maildrop(t)
		defer s.Close()
		known := new(pop3server.Users)
		var servers []*pop3server.Server
		for range 2 {
			srv, err := pop3server.New(pop3server.Config{
				Store: s, Users: known, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true,
				Policy: pop3server.Policy{LoginDelay: time.Minute}, Logger: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			servers = append(servers, srv)
		}
		visit := func(n int, pass, want string) {
			t.Helper()
			here, there := net.Pipe()
			done := make(chan error, 1)
			go func() { done <- servers[n].ServeConn(there) }()
			go io.WriteString(here, "USER alice\r\nPASS "+pass+"\r\nQUIT\r\n")
			out, _ := io.ReadAll(here)
			<-done
			if lines := strings.Split(string(out), "\r\n"); len(lines) < 4 || !strings.HasPrefix(lines[2], want) {
				t.Errorf("got %q, want %q", out, want)
			}
		}
		visit(0, "pass word", "+OK Maildrop")
		visit(0, "pass word", "-ERR [LOGIN-DELAY] Wait 60 seconds")
		time.Sleep(59 * time.Second)
		visit(1, "pass word", "-ERR [LOGIN-DELAY] Wait 1 seconds")
		visit(1, "wrong", "-ERR [AUTH]")
		time.Sleep(time.Second)
		visit(1, "pass word", "+OK Maildrop")
		visit(0, "pass word", "-ERR [LOGIN-DELAY]")
	})
}

// The policy of a user is asked for after the login, and has to be there.
func TestUserPolicyFails(t *testing.T) {
	_, addr := serve(t, maildrop(t), func(c *pop3server.Config) {
		c.UserPolicy = func(context.Context, store.AccountID) (pop3server.Policy, error) {
			return pop3server.Policy{}, errors.New("database 10.1.2.3 is down")
		}
	})
	dial(t, addr).play("S: +OK ...\nC: USER alice\nS: +OK ...\nC: PASS pass word\nS: -ERR [SYS/TEMP] Internal error, reference ...")
}

// SharedMaildrops lets several sessions in, up to the limit, and each deletes
// what it marked.
func TestSharedMaildrops(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n", "B: 2\r\n\r\n", "C: 3\r\n\r\n")
	_, addr := serve(t, s, func(c *pop3server.Config) { c.SharedMaildrops, c.Limits.MaxSessionsPerUser = true, 2 })
	one, two, three := dial(t, addr), dial(t, addr), dial(t, addr)
	one.play(greetAndLogin + "C: DELE 1\nS: +OK ...")
	two.play(greetAndLogin + "C: DELE 1\nS: +OK ...\nC: DELE 3\nS: +OK ...")
	three.play("S: +OK ...\nC: USER alice\nS: +OK ...\nC: PASS pass word\nS: -ERR [IN-USE] Too many sessions have this maildrop")
	one.play("C: QUIT\nS: +OK ...\nS: EOF")
	two.play("C: RSET\nS: +OK ...\nC: RETR 1\nS: -ERR Message was deleted by another client\nC: DELE 3\nS: +OK ...\nC: QUIT\nS: +OK ...\nS: EOF")
	three.play("C: USER alice\nS: +OK ...\nC: PASS pass word\nS: +OK Maildrop has 1 messages (8 octets)")
}

// The peers of Proxies have to say for whom they speak, and that counts.
func TestProxy(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		var mu sync.Mutex
		var seen []netip.Addr
		config := testTLS(t)
		_, addr := serve(t, maildrop(t), func(c *pop3server.Config) {
			c.Proxies, c.Limits.MaxConnectionsPerIP = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, 1
			if implicit {
				c.TLSConfig, c.ImplicitTLS = config, true
			}
			c.Trace.LoggedIn = func(p pop3server.Peer, _ store.AccountID) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, p.Addr)
			}
		})
		c := dial(t, addr)
		io.WriteString(c, "PROXY TCP4 192.0.2.7 192.0.2.1 4000 110\r\n")
		if implicit {
			c.Conn = tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
			c.br.Reset(c.Conn)
		}
		c.play(greetAndLogin)
		second := dial(t, addr)
		io.WriteString(second, "PROXY TCP4 192.0.2.7 192.0.2.1 4001 110\r\n")
		if !implicit {
			second.play("S: -ERR [SYS/TEMP] Too many connections, try again later")
		}
		second.play("S: EOF")
		none := dial(t, addr)
		io.WriteString(none, "USER alice\r\n")
		none.play("S: EOF")
		mu.Lock()
		if len(seen) != 1 || seen[0] != netip.MustParseAddr("192.0.2.7") {
			t.Errorf("implicit TLS %v: seen %v", implicit, seen)
		}
		mu.Unlock()
	}
}

// Neither trace nor log shows a secret, whatever way it comes.
func TestTraceShowsNoSecret(t *testing.T) {
	var mu sync.Mutex
	var seen bytes.Buffer
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(&seen, format+"\n", args...)
	}
	_, addr := serve(t, maildrop(t, "Subject: hush\r\n\r\nbody\r\n"), func(c *pop3server.Config) {
		c.Logger = slog.New(slog.NewTextHandler(writerFunc(func(b []byte) { note("%s", b) }), &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Trace = pop3server.Trace{
			Connected: func(pop3server.Peer) { note("connected") },
			LoggedIn:  func(_ pop3server.Peer, id store.AccountID) { note("logged in %s", id) },
			Command:   func(_ pop3server.Peer, verb string, ok bool, _ time.Duration) { note("%s %v", verb, ok) },
			Line:      func(_ pop3server.Peer, client bool, text []byte) { note("%v: %s", client, text) },
			Closed:    func(pop3server.Peer) { note("closed") },
		}
	})
	c := dial(t, addr)
	c.play(`
		S: +OK ...
		C: AUTH PLAIN c2VjcmV0
		S: -ERR Malformed response
		C: AUTH FOO\r\nc2VjcmV0
		S: -ERR Mechanism not offered
		S: -ERR Unknown command
		C: AUTH PLAIN
		S: + 
		C: c2VjcmV0
		S: -ERR Malformed response
		C: APOP alice c2VjcmV0
		S: -ERR APOP is not offered
		C: USER alice
		S: +OK ...
		C: PASS secret word
		S: -ERR [AUTH] ...
		C: USER alice
		S: +OK ...
		C: PASS pass word
		S: +OK ...
		C: RETR 1
		S: +OK ...
		S: Subject: hush
		S: 
		S: body
		S: .
		C: QUIT
		S: +OK ...
		S: EOF`)
	mu.Lock()
	defer mu.Unlock()
	for _, secret := range []string{"c2Vj", "secret", "pass word", "hush"} {
		if strings.Contains(seen.String(), secret) {
			t.Errorf("%q is shown:\n%s", secret, seen.String())
		}
	}
	for _, want := range []string{"connected\n", "logged in " + string(alice), "true: PASS ***", "true: AUTH PLAIN ***", "RETR true", " false\n"} {
		if !strings.Contains(seen.String(), want) {
			t.Errorf("%q is missing:\n%s", want, seen.String())
		}
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}

// Shutdown lets a RETR end whose client is slow, and says goodbye behind it.
func TestShutdownWaitsForRETR(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n"+strings.Repeat("x\r\n", 1<<20))
	srv, addr := serve(t, s, nil)
	c := dial(t, addr)
	c.play(greetAndLogin + "C: RETR 1\nS: +OK 3145736 octets")
	done := make(chan error, 1)
	go func() { done <- srv.Shutdown(t.Context()) }()
	if n := c.discard(); n != 3145736 {
		t.Errorf("%d octets", n)
	}
	c.play("S: -ERR [SYS/TEMP] Server shutting down\nS: EOF")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// An idle connection holds its goroutine and a small input buffer, however
// large its maildrop is: sessions on one maildrop share the table.
func TestIdleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory")
	}
	var each [2]int64
	for i, messages := range []int{1, 3000} {
		s := maildrop(t)
		for range messages {
			add(t, s, "A: 1\r\n\r\n")
		}
		srv, addr := serve(t, s, func(c *pop3server.Config) { c.SharedMaildrops, c.Limits.MaxSessionsPerUser = true, -1 })
		idle(t, addr)
		before := memory()
		for range idleSessions {
			idle(t, addr)
		}
		each[i] = (memory() - before) / idleSessions
		t.Logf("%d octets an idle session with both ends, %d messages", each[i], messages)
		srv.Close()
	}
	if each[0] > 16<<10 || each[1] > each[0]+2<<10 {
		t.Errorf("octets an idle session: %d", each)
	}
}

const idleSessions = 500

// idle is a session that has retrieved a message.
func idle(t *testing.T, addr string) {
	t.Helper()
	c := dial(t, addr)
	c.br = nil
	io.WriteString(c, "USER alice\r\nPASS pass word\r\nSTAT\r\nRETR 1\r\nNOOP\r\n")
	buf := make([]byte, 4096)
	for got := 0; !bytes.HasSuffix(buf[:got], []byte(".\r\n+OK \r\n")); {
		k, err := c.Read(buf[got:])
		if err != nil {
			t.Fatal(err)
		}
		got += k
	}
}

func memory() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
