package smtpserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// A connection that waits for a command holds no big buffer, whatever was done
// on it before; one inside a body holds one.
func TestIdleBuffers(t *testing.T) {
	serverTLS, _ := testTLS(t)
	clientTLS := &tls.Config{InsecureSkipVerify: true} // the clock of the test stands in another year
	synctest.Test(t, func(t *testing.T) {
		for _, secure := range []bool{false, true} {
			srv := New(quiet(Config{TLSConfig: serverTLS, ImplicitTLS: secure}))
			want := func(n int64, when string) {
				t.Helper()
				synctest.Wait()
				if got := srv.buffers.Lent(); got != n {
					t.Errorf("TLS %v: %s %d buffers are lent, want %d", secure, when, got, n)
				}
			}
			var all []*pipeClient
			for range 3 {
				c := servePipe(t, srv)
				if secure {
					c.Conn = tls.Client(c.Conn, clientTLS)
					c.r = bufio.NewReader(c.Conn)
				}
				all = append(all, c)
				c.openData()
			}
			want(3, "in a body")
			for _, c := range all {
				c.ask(strings.Repeat("x", 40_000)+"\r\n.", "250")
			}
			want(0, "behind a body")
			for _, c := range all {
				io.WriteString(c, "NOOP "+strings.Repeat("x", 1000))
			}
			want(3, "in a long line")
			for _, c := range all {
				c.ask("", "250")
			}
			want(0, "behind it")
			for _, c := range all {
				c.ask("MAIL FROM:<a@b>", "250")
				c.ask("RCPT TO:<a@b>", "250")
				io.WriteString(c, "BDAT 1\r\nx")
				c.want("250")
			}
			want(0, "between two chunks")
			for _, c := range all {
				c.Close()
				<-c.done
			}
			want(0, "at the end")
		}
	})
}

// 10,000 chunks of one octet cost ten times what 1,000 cost: each is looked at
// once, and needs no write of its own.
func TestManyChunks(t *testing.T) {
	run := func(n int) (looks, writes int) {
		s := &sink{}
		var in strings.Builder
		in.WriteString("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n")
		for range n {
			in.WriteString("BDAT 1\r\nx")
		}
		in.WriteString("BDAT 0 LAST\r\n")
		f := &flights{hello: "EHLO c\r\n", in: []string{in.String()}, rounds: 1}
		allocs := testing.AllocsPerRun(1, func() {
			f.next, f.rounds, f.hello, f.writes = 0, 1, "EHLO c\r\n", 0
			New(quiet(Config{Receiver: s})).ServeConn(context.Background(), f)
		})
		if s.messages == 0 {
			t.Fatal("no message")
		}
		return int(allocs), f.writes
	}
	few, fewWrites := run(1000)
	many, manyWrites := run(10_000)
	if many > 12*few || manyWrites > 12*fewWrites || manyWrites > 20 {
		t.Errorf("1,000 chunks: %d allocations, %d writes; 10,000: %d, %d", few, fewWrites, many, manyWrites)
	}
}

const proxyHeader = "PROXY TCP4 192.0.2.7 192.0.2.8 4711 25\r\n"

func proxyConfig() Config {
	return quiet(Config{Extensions: DefaultExtensions | PROXY, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
}

// The header has its own deadline, and nothing is said before it.
func TestProxyDeadline(t *testing.T) {
	for _, start := range []string{"", "PROXY TCP4 192.", "\r\n\r\n\x00\r\nQUIT\n\x21\x11"} {
		synctest.Test(t, func(t *testing.T) {
			srv := New(proxyConfig())
			here, there := net.Pipe()
			begin := time.Now()
			done := make(chan struct{})
			go func() {
				defer close(done)
				srv.ServeConn(context.Background(), pipeEnd{there})
			}()
			io.WriteString(here, start)
			out, err := io.ReadAll(here)
			if d := time.Since(begin); len(out) > 0 || err != nil || d != 5*time.Second {
				t.Errorf("%q: %q, %v after %v", start, out, err, d)
			}
			<-done
		})
	}
}

// A client behind a proxy counts for itself, and the proxy not at all.
func TestProxyLimits(t *testing.T) {
	cfg := proxyConfig()
	cfg.Limits.PerAddress = 1
	_, addr := start(t, cfg)
	for _, tt := range []struct{ header, want string }{
		{proxyHeader, "220"},
		{strings.Replace(proxyHeader, "192.0.2.7", "192.0.2.9", 1), "220"},
		{proxyHeader, "421"},
	} {
		c := dial(t, addr)
		io.WriteString(c, tt.header)
		if line, _ := bufio.NewReader(c).ReadString('\n'); !strings.HasPrefix(line, tt.want) {
			t.Errorf("%q: got %q, want %s", tt.header, line, tt.want)
		}
	}
}

// TLS starts behind the header, also where both come in one segment.
func TestProxyTLS(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	cfg := proxyConfig()
	cfg.TLSConfig, cfg.ImplicitTLS = serverTLS, true
	_, addr := start(t, cfg)
	c := tls.Client(&headed{Conn: dial(t, addr), head: proxyHeader}, clientTLS)
	r := bufio.NewReader(c)
	io.WriteString(c, "EHLO c\r\nMAIL FROM:<who@b>\r\nQUIT\r\n")
	out, _ := io.ReadAll(r)
	if !strings.Contains(string(out), "550 5.7.0 addr=192.0.2.7:4711") {
		t.Errorf("%q", out)
	}
}

// headed sends head with the first write.
type headed struct {
	net.Conn
	head string
}

func (h *headed) Write(p []byte) (int, error) {
	if h.head == "" {
		return h.Conn.Write(p)
	}
	head := h.head
	h.head = ""
	if _, err := h.Conn.Write(append([]byte(head), p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Config.Connect judges the client that XCLIENT names, as it judges any, and
// Config.Closed is told of the end of each.
func TestXClientConnect(t *testing.T) {
	var open, closed []string
	cfg := quiet(Config{
		Extensions: DefaultExtensions | XCLIENT, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Connect: func(_ context.Context, p *smtp.Peer) error {
			open = append(open, p.Addr.Addr().String())
			if p.Addr.Addr() == netip.MustParseAddr("192.0.2.7") {
				return smtp.Errorf(554, smtp.EnhancedCode{}, "go away")
			}
			return nil
		},
		Closed:      func(p *smtp.Peer) { closed = append(closed, p.Addr.Addr().String()) },
		RequireAuth: true, Auth: scriptConfig("auth", nil).Auth,
	})
	srv, addr := start(t, cfg)
	c := dial(t, addr)
	io.WriteString(c, "XCLIENT LOGIN=alice ADDR=192.0.2.8\r\nEHLO c\r\nMAIL FROM:<a@b>\r\nRSET\r\nXCLIENT ADDR=192.0.2.7\r\nEHLO c\r\n")
	out, _ := io.ReadAll(c)
	srv.Close()
	var codes []string
	for _, r := range replies(t, string(out)) {
		codes = append(codes, r[:3])
	}
	if got := strings.Join(codes, " "); got != "220 220 250 250 250 554" {
		t.Errorf("%s\n%s", got, out)
	}
	const want = "127.0.0.1 192.0.2.8 192.0.2.7"
	if strings.Join(open, " ") != want || strings.Join(closed, " ") != want {
		t.Errorf("Connect %q, Closed %q, want %s", open, closed, want)
	}
}

// Config.Priority decides, also where nothing was asked, and may refuse.
func TestPriorityHook(t *testing.T) {
	var seen []smtp.Priority
	r := smtp.ReceiveFunc(func(_ context.Context, env *smtp.Envelope, r io.Reader) error {
		seen = append(seen, env.Mail.Params.Priority)
		_, err := io.Copy(io.Discard, r)
		return err
	})
	cfg := quiet(Config{Receiver: r, Extensions: DefaultExtensions | MTPRIORITY})
	cfg.Priority = func(_ context.Context, _ *smtp.Peer, level int) (int, error) {
		switch level {
		case 9:
			return 0, smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 15}, "not now")
		case 0:
			return 2, nil
		case 8:
			panic("priority")
		}
		return level + 5, nil
	}
	const rest = "RCPT TO:<a@b>\r\nBDAT 1 LAST\r\nx"
	out := converse(cfg, "MAIL FROM:<a@b> MT-PRIORITY=9\r\nMAIL FROM:<a@b> MT-PRIORITY=8\r\nMAIL FROM:<a@b>\r\n"+rest+
		"MAIL FROM:<a@b> MT-PRIORITY=6\r\n"+rest+"QUIT\r\n")
	got := replies(t, out)
	for i, want := range []string{"220", "250", "550 5.7.15", "451 4.3.0", "250 2.3.6 2 ", "250", "250", "250 2.3.6 9 ", "250", "250", "221"} {
		if i >= len(got) || !strings.HasPrefix(got[i], want) {
			t.Fatalf("reply %d of %q is not %s", i, got, want)
		}
	}
	if len(seen) != 2 || seen[0] != (smtp.Priority{Level: 2, Given: true}) || seen[1] != (smtp.Priority{Level: 9, Given: true}) {
		t.Errorf("%+v", seen)
	}
}

func TestValidateExtensions(t *testing.T) {
	run := func(context.Context, *smtp.Peer, string) smtp.Reply { return smtp.Reply{} }
	cfg := Config{
		Receiver: &actor{}, Extensions: XCLIENT, PriorityProfile: "not one",
		Commands: []Command{{Verb: "MAIL", Run: run}, {Verb: "x", Run: run}, {Verb: "XNONE"}, {Verb: "XLINE", Keyword: "a\r\nb", Run: run}},
	}
	err := cfg.Validate()
	for _, want := range []string{"Proxies", "PriorityProfile", "MAIL", `"x"`, "XNONE", "XLINE"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
}

// One server serves many listeners, and Shutdown ends all of them.
func TestManyListeners(t *testing.T) {
	srv := New(quiet(Config{}))
	ends := make(chan error, 5)
	var idle []*bufio.Reader
	for range cap(ends) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { ends <- srv.Serve(context.Background(), l) }()
		r := bufio.NewReader(dial(t, l.Addr().String()))
		if line, _ := r.ReadString('\n'); !strings.HasPrefix(line, "220") {
			t.Errorf("got %q", line)
		}
		idle = append(idle, r)
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for _, r := range idle {
		if line, _ := r.ReadString('\n'); !strings.HasPrefix(line, "421") {
			t.Errorf("got %q", line)
		}
	}
	for range cap(ends) {
		if err := <-ends; !errors.Is(err, ErrServerClosed) {
			t.Error(err)
		}
	}
}

// The certificate is asked for at each handshake, so that it can be renewed.
func TestCertificateReload(t *testing.T) {
	first, _ := testTLS(t)
	second, _ := testTLS(t)
	use := first
	cfg := quiet(Config{ImplicitTLS: true, TLSConfig: &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &use.Certificates[0], nil },
	}})
	_, addr := start(t, cfg)
	for _, pair := range []*tls.Config{first, second} {
		use = pair
		c := tls.Client(dial(t, addr), &tls.Config{InsecureSkipVerify: true})
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().PeerCertificates[0].Raw; string(got) != string(pair.Certificates[0].Certificate[0]) {
			t.Error("another certificate was shown")
		}
		c.Close()
	}
}

// Every line of a reply has its enhanced status code (RFC 2034 §4).
func TestEnhancedLines(t *testing.T) {
	verify := func(context.Context, *smtp.Peer, string) smtp.Reply {
		return smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, Lines: []string{"one", strings.Repeat("two ", 300), "three\nfour"}}
	}
	out := converse(quiet(Config{Verify: verify}), "VRFY x\r\nHELO c\r\nVRFY x\r\nQUIT\r\n")
	lines := 0
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "550") {
			continue
		}
		if lines++; len(line) > smtp.MaxReplyLine {
			t.Errorf("line of %d octets", len(line))
		}
	}
	with := strings.Count(out, "550-5.1.1 ") + strings.Count(out, "550 5.1.1 ")
	if lines < 10 || with*2 != lines+1 && with*2 != lines { // behind HELO a line holds more
		t.Errorf("%d of %d lines have a code\n%s", with, lines, out)
	}
}
