package smtppolicy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

func TestEarlyTalkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &smtppolicy.EarlyTalkers{Exempt: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}
		srv := quiet(smtpserver.Config{Pause: e.Pause, StrictPipelining: true})
		wait := func(addr string, want time.Duration) {
			t.Helper()
			start := time.Now()
			s := dial(t, srv, addr)
			s.cmd("", "220")
			if d := time.Since(start); d != want {
				t.Errorf("%s: greeted after %v, want %v", addr, d, want)
			}
			s.cmd("EHLO client.example", "250")
			s.close()
		}
		early := func(text string) {
			t.Helper()
			s := dial(t, srv, "192.0.2.1")
			go io.WriteString(s.conn, text) // the server reads no more than it has to
			s.cmd("", "554 You spoke")
			s.close()
		}
		early("EHLO client.example\r\n")
		early("x")
		wait("192.0.2.1", 5*time.Second)
		wait("192.0.2.1", 0)
		wait("192.0.2.2", 5*time.Second)
		wait("127.0.0.1", 0)
		wait("198.51.100.7", 0)
		time.Sleep(7 * 24 * time.Hour)
		wait("192.0.2.1", 5*time.Second)

		gone := dial(t, srv, "192.0.2.3") // leaves while it waits
		synctest.Wait()
		gone.close()
		wait("192.0.2.3", 5*time.Second)
	})
}

// RFC 2920 §3.1: what may not be pipelined is refused; groups never are.
func TestImproperPipelining(t *testing.T) {
	for _, test := range []struct{ name, flight, want string }{
		{"behind EHLO", "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n", "554 5.5.0"},
		{"behind DATA", "MAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nSubject: x\r\n", "554 5.5.0"},
		{"a group", "MAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n", "354"},
		{"a group behind a message", "MAIL FROM:<a@b.example>\r\nRSET\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n", "354"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := dial(t, quiet(smtpserver.Config{StrictPipelining: true}), "192.0.2.1")
			s.cmd("", "220")
			if !strings.HasPrefix(test.flight, "EHLO") {
				s.cmd("EHLO c.example", "250")
			}
			go s.send(test.flight)
			last := ""
			for range strings.Count(test.flight, "\r\n") {
				if last = s.reply(); strings.HasPrefix(last, "554") || strings.HasPrefix(last, "354") {
					break
				}
			}
			if last, _ = strings.CutPrefix(last, "554 Improper"); !strings.HasPrefix(last, test.want[:3]) && last == "" {
				t.Errorf("got %q, want %q", last, test.want)
			}
		})
	}
}

func TestTarpit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tar := &smtppolicy.Tarpit{Sessions: 2, Most: 12 * time.Second}
		refuse := smtp.JudgeRcpt(func(_ context.Context, _ *smtp.Mail, rs []*smtp.Recipient) []error {
			errs := make([]error, len(rs))
			for i, r := range rs {
				if r.ForwardPath.Local == "nobody" {
					errs[i] = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "No such user here")
				}
			}
			return errs
		})
		srv := quiet(smtpserver.Config{Pause: tar.Pause, Closed: tar.Closed, Receiver: smtp.Chain(accept(), tar.Count(), refuse)})
		timed := func(s *session, line, want string, wait time.Duration) {
			t.Helper()
			start := time.Now()
			s.cmd(line, want)
			if d := time.Since(start); d != wait {
				t.Errorf("%q took %v, want %v", line, d, wait)
			}
		}
		open := func() *session {
			s := dial(t, srv, "192.0.2.1")
			s.cmd("", "220")
			timed(s, "EHLO c.example", "250", 0)
			timed(s, "MAIL FROM:<a@b.example>", "250", 0)
			for range 4 {
				timed(s, "RCPT TO:<nobody@x.example>", "550", 0)
			}
			return s
		}
		a, b, c := open(), open(), open()
		timed(a, "RCPT TO:<nobody@x.example>", "550", 5*time.Second)
		timed(b, "RCPT TO:<u@x.example>", "250", 5*time.Second)
		timed(c, "RCPT TO:<nobody@x.example>", "550", 0) // only two at once
		if tar.Held() != 2 {
			t.Errorf("%d held", tar.Held())
		}
		timed(a, "NOOP", "250", 5*time.Second)
		timed(a, "NOOP", "250", 5*time.Second)
		timed(a, "NOOP", "250", 0) // enough
		timed(b, "QUIT", "221", 0)
		b.close()
		timed(c, "NOOP", "250", 5*time.Second) // there is room now
		a.close()
		c.close()
		if tar.Held() != 0 {
			t.Errorf("%d held at the end", tar.Held())
		}
	})
}

// Who waits in a tarpit is told at once when the server ends.
func TestTarpitShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tar := &smtppolicy.Tarpit{Delay: time.Minute}
		connect := func(_ context.Context, p *smtp.Peer) error {
			smtppolicy.Suspect(p)
			return nil
		}
		srv := quiet(smtpserver.Config{Connect: connect, Pause: tar.Pause, Closed: tar.Closed})
		s := dial(t, srv, "192.0.2.1")
		s.cmd("", "220")
		s.send("EHLO c.example\r\n")
		synctest.Wait()
		start := time.Now()
		go srv.Shutdown(t.Context())
		s.cmd("", "421")
		if d := time.Since(start); d != 0 {
			t.Errorf("took %v", d)
		}
		<-s.done
		if tar.Held() != 0 {
			t.Errorf("%d held at the end", tar.Held())
		}
	})
}

// What is held back leaves before a pause.
func TestPauseFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pause := func(_ *smtp.Peer, verb string) time.Duration {
			if verb == "?" {
				return time.Minute
			}
			return 0
		}
		srv := quiet(smtpserver.Config{Pause: pause})
		s := dial(t, srv, "192.0.2.1")
		s.cmd("", "220")
		s.cmd("EHLO c.example", "250")
		start := time.Now()
		s.send("RSET\r\nXYZZY\r\n")
		s.cmd("", "250")
		if d := time.Since(start); d != 0 {
			t.Errorf("RSET took %v", d)
		}
		s.cmd("", "500")
		if d := time.Since(start); d != time.Minute {
			t.Errorf("XYZZY took %v", d)
		}
	})
}

func TestRequire(t *testing.T) {
	plain, secure, user := peerAt("192.0.2.1"), peerAt("192.0.2.1"), peerAt("192.0.2.1")
	secure.TLS, user.Identity = &tls.ConnectionState{}, "u@x.example"
	local := func(m *smtp.Mail) bool { return m.ReversePath.Domain == "local.example" }
	for _, test := range []struct {
		name string
		mw   smtp.Middleware
		peer *smtp.Peer
		from string
		want int
	}{
		{"TLS", smtppolicy.RequireTLS(nil), plain, "a@b.example", 530},
		{"TLS there", smtppolicy.RequireTLS(nil), secure, "a@b.example", 250},
		{"TLS not for all", smtppolicy.RequireTLS(local), plain, "a@local.example", 250},
		{"TLS for others", smtppolicy.RequireTLS(local), plain, "a@b.example", 530},
		{"mail that starts here", smtppolicy.RequireTLS(nil), nil, "a@b.example", 250},
		{"AUTH", smtppolicy.RequireAuth(nil), secure, "a@b.example", 530},
		{"AUTH there", smtppolicy.RequireAuth(nil), user, "a@b.example", 250},
		{"AUTH not for all", smtppolicy.RequireAuth(local), plain, "a@local.example", 250},
	} {
		if got, _ := offer(t, test.mw, test.peer, test.from); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestSenderLogin(t *testing.T) {
	mw := smtppolicy.SenderLogin(func(_ context.Context, account string, from smtp.ReversePath) (bool, error) {
		if from.Domain == "down.example" {
			return false, errors.New("no directory")
		}
		return account == from.String(), nil
	})
	user := peerAt("192.0.2.1")
	user.Identity = "u@x.example"
	for _, test := range []struct {
		peer *smtp.Peer
		from string
		want int
	}{
		{user, "u@x.example", 250},
		{user, "v@x.example", 553},
		{user, "", 250},
		{user, "u@down.example", 451},
		{peerAt("192.0.2.1"), "v@x.example", 250},
		{nil, "v@x.example", 250},
	} {
		if got, _ := offer(t, mw, test.peer, test.from); got != test.want {
			t.Errorf("<%s>: %d, want %d", test.from, got, test.want)
		}
	}
}

func TestJoin(t *testing.T) {
	no := func(context.Context, *smtp.Peer) error { return errors.New("no") }
	yes := func(context.Context, *smtp.Peer) error { return nil }
	if smtppolicy.AllOf(yes, no)(t.Context(), nil) == nil || smtppolicy.AllOf(yes, yes)(t.Context(), nil) != nil {
		t.Error("AllOf")
	}
	pause := func(d time.Duration) func(*smtp.Peer, string) time.Duration {
		return func(*smtp.Peer, string) time.Duration { return d }
	}
	if d := smtppolicy.Longest(pause(1), pause(3), pause(2))(nil, ""); d != 3 {
		t.Error("Longest", d)
	}
	n := 0
	smtppolicy.Each(func(*smtp.Peer) { n++ }, func(*smtp.Peer) { n++ })(nil)
	if n != 2 {
		t.Error("Each", n)
	}
}

func TestTraceTo(t *testing.T) {
	var out bytes.Buffer
	trace := smtppolicy.TraceTo(slog.New(slog.NewTextHandler(&out, nil)), slog.LevelInfo)
	trace(peerAt("192.0.2.1"), true, []byte("NOOP "+strings.Repeat("x", 4000)))
	trace(peerAt("192.0.2.1"), false, []byte("250-a\r\n250 b\r\n"))
	for _, want := range []string{`msg="smtp: C" peer=192.0.2.1:25 line="NOOP x`, `msg="smtp: S" peer=192.0.2.1:25 line=250-a`, `line="250 b"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if out.Len() > 1000 {
		t.Errorf("%d octets", out.Len())
	}
}

// What a connection costs with all policies on, beside the same without.
func BenchmarkConnection(b *testing.B) {
	th, early, tar := &smtppolicy.Throttle{}, &smtppolicy.EarlyTalkers{}, &smtppolicy.Tarpit{}
	bl := &smtppolicy.DNSBL{Lists: []smtppolicy.List{{Zone: "a.example"}, {Zone: "b.example"}}, Resolver: &fakeDNSNone{}}
	names := &smtppolicy.FCrDNS{Resolver: &fakeDNSNone{}}
	connect := smtppolicy.AllOf(th.Connect, names.Connect, bl.Connect)
	pause, closed := smtppolicy.Longest(early.Pause, tar.Pause), smtppolicy.Each(th.Closed, tar.Closed)
	b.ReportAllocs()
	for i := range b.N {
		p := &smtp.Peer{Addr: netip.AddrPortFrom(addr4(uint32(i%1000)), 25)}
		connect(b.Context(), p)
		pause(p, "")
		pause(p, "EHLO")
		closed(p)
	}
}
