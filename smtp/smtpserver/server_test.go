package smtpserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// pipeClient is the client's end of a session over net.Pipe.
type pipeClient struct {
	t *testing.T
	net.Conn
	r    *bufio.Reader
	done chan struct{}
}

// servePipe serves one session over net.Pipe; for synctest bubbles.
func servePipe(t *testing.T, srv *Server) *pipeClient {
	a, b := net.Pipe()
	c := &pipeClient{t: t, Conn: a, r: bufio.NewReader(a), done: make(chan struct{})}
	go func() {
		defer close(c.done)
		srv.ServeConn(context.Background(), b)
	}()
	return c
}

// want reads a reply whose last line starts with text.
func (c *pipeClient) want(text string) {
	c.t.Helper()
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("waiting for %q: %v", text, err)
		}
		if len(line) > 3 && line[3] == '-' {
			continue
		}
		if !strings.HasPrefix(line, text) {
			c.t.Fatalf("got %q, want %q", line, text)
		}
		return
	}
}

func (c *pipeClient) ask(line, reply string) {
	c.t.Helper()
	fmt.Fprintf(c, "%s\r\n", line)
	c.want(reply)
}

func (c *pipeClient) ended() {
	c.t.Helper()
	if line, err := c.r.ReadString('\n'); err == nil {
		c.t.Fatalf("got %q, want the end", line)
	}
	<-c.done
}

func quiet(cfg Config) Config {
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.Hostname = "mx.example"
	if cfg.Receiver == nil {
		cfg.Receiver = &actor{}
	}
	return cfg
}

func (c *pipeClient) openData() {
	c.t.Helper()
	c.want("220")
	c.ask("EHLO c", "250")
	c.ask("MAIL FROM:<a@b>", "250")
	c.ask("RCPT TO:<a@b>", "250")
	c.ask("DATA", "354")
}

func TestTimeouts(t *testing.T) {
	tests := []struct {
		name string
		play func(c *pipeClient)
		want time.Duration
	}{
		{"no command", func(c *pipeClient) { c.want("220") }, 5 * time.Minute},
		{"half a command", func(c *pipeClient) {
			c.want("220")
			io.WriteString(c, "EHL")
		}, 5 * time.Minute},
		{"silent body", func(c *pipeClient) { c.openData() }, 3 * time.Minute},
		{"slow body", func(c *pipeClient) { // one octet a minute
			c.openData()
			for range 2 {
				time.Sleep(time.Minute)
				io.WriteString(c, "x")
			}
		}, 3 * time.Minute},
		{"long transaction", func(c *pipeClient) { // 1 kB/s
			c.openData()
			for range 29 {
				time.Sleep(time.Minute)
				io.WriteString(c, strings.Repeat("x", 60_000))
			}
		}, 30 * time.Minute},
		{"silent chunk", func(c *pipeClient) {
			c.want("220")
			c.ask("EHLO c", "250")
			c.ask("MAIL FROM:<a@b>", "250")
			c.ask("RCPT TO:<a@b>", "250")
			io.WriteString(c, "BDAT 10\r\nabc")
		}, 3 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &actor{}
				c := servePipe(t, New(quiet(Config{Receiver: a})))
				begin := time.Now()
				tt.play(c)
				c.want("421")
				if got := time.Since(begin); got != tt.want {
					t.Errorf("after %v, want %v", got, tt.want)
				}
				c.ended()
				if len(a.bodies) > 0 {
					t.Errorf("accepted %q", a.bodies)
				}
			})
		})
	}
}

// A receiver that is slow is not the peer's fault.
func TestSlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) error {
			time.Sleep(10 * time.Minute)
			_, err := io.Copy(io.Discard, r)
			return err
		})
		c := servePipe(t, New(quiet(Config{Receiver: r})))
		c.openData()
		c.ask("x\r\n.", "250 2.0.0")
		c.ask("QUIT", "221")
		c.ended()
	})
}

// Replies that are held leave before a delay, and the 20th error ends it.
func TestErrorDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := servePipe(t, New(quiet(Config{})))
		c.want("220")
		begin := time.Now()
		go io.WriteString(c, "NOOP\r\n"+strings.Repeat("FOO\r\n", 25))
		c.want("250")
		for range 10 {
			c.want("500")
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("the first replies waited %v", d)
		}
		for i := range 9 {
			c.want("500")
			if d := time.Since(begin); d != time.Duration(i+1)*time.Second {
				t.Errorf("error %d after %v", 11+i, d)
			}
		}
		c.want("421")
		c.ended()
		c.Close()
	})
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := New(quiet(Config{}))
		idle, busy := servePipe(t, srv), servePipe(t, srv)
		idle.want("220")
		busy.openData()
		done := make(chan error, 1)
		go func() { done <- srv.Shutdown(t.Context()) }()
		idle.want("421")
		idle.ended()
		synctest.Wait()
		busy.ask("x\r\n.", "250 2.0.0 OK")
		busy.want("421")
		busy.ended()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := srv.ServeConn(t.Context(), nopConn{}); !errors.Is(err, ErrServerClosed) {
			t.Errorf("ServeConn after Shutdown: %v", err)
		}
	})
}

// The end of Shutdown's context closes what is left; nothing was accepted.
func TestShutdownDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &actor{}
		srv := New(quiet(Config{Receiver: a}))
		c := servePipe(t, srv)
		c.openData()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		c.ended()
		if len(a.bodies) != 0 {
			t.Error("accepted")
		}
	})
}

func TestServeContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	srv := New(quiet(Config{}))
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, l) }()
	c := dial(t, l.Addr().String())
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("connection outlives the context")
	}
	srv.Close()
}

// A body that is cut is never accepted, whatever the receiver says.
func TestTruncated(t *testing.T) {
	for _, wire := range []string{"DATA\r\nSubject: x\r\n\r\nhalf", "DATA\r\nx\r\n.", "DATA\r\nx\r\n.\r", "BDAT 10 LAST\r\nabc", "BDAT 3\r\nabc", "BDAT 3\r\nabcBDAT 5 LA"} {
		a := &actor{}
		srv, addr := start(t, quiet(Config{Receiver: a}))
		c := dial(t, addr)
		io.WriteString(c, "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n"+wire)
		c.(*net.TCPConn).CloseWrite()
		out, _ := io.ReadAll(c)
		srv.Close()
		if strings.Contains(string(out), "queued") || len(a.bodies) > 0 {
			t.Errorf("%q was accepted: %q", wire, out)
		}
	}
}

// keeper refuses each body unread, and reads the one before when the next
// transaction begins.
type keeper struct {
	body *smtp.Body
	got  error
}

func (k *keeper) Begin(context.Context, *smtp.Mail) (smtp.Transaction, error) {
	if k.body != nil {
		_, k.got = k.body.Read(make([]byte, 100))
	}
	return k, nil
}

func (k *keeper) Rcpt(_ context.Context, rs []*smtp.Recipient) []error { return make([]error, len(rs)) }

func (k *keeper) Data(_ context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	k.body = b
	return nil, errors.New("no")
}

func (k *keeper) Abort() {}

// Invariant I2, the other way round: commands are never taken for a body.
func TestKeptBody(t *testing.T) {
	k := &keeper{}
	const mail = "MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n"
	f := &flights{hello: "EHLO c\r\n", in: []string{mail + "BDAT 3\r\nabc" + mail + "RSET\r\nQUIT\r\n"}, rounds: 1, keep: true}
	New(quiet(Config{Receiver: k})).ServeConn(t.Context(), f)
	var codes []string
	for line := range strings.Lines(f.out.String()) {
		if line[3] == ' ' {
			codes = append(codes, line[:3])
		}
	}
	if got := strings.Join(codes, " "); k.got == nil || k.got == io.EOF || got != "220 250 250 250 451 250 250 250 221" {
		t.Errorf("Read: %v; %s\n%s", k.got, got, f.out.String())
	}
}

// Overlong lines are answered once, endless ones end the session.
func TestLongLines(t *testing.T) {
	_, addr := start(t, quiet(Config{}))
	for _, tt := range []struct{ in, want string }{
		{"NOOP " + strings.Repeat("x", 3000) + "\r\nNOOP\r\nQUIT\r\n", "220 500 250 221"},
		{"NOOP " + strings.Repeat("x", 60000) + "\r\nQUIT\r\n", "220 500 221"},
		{strings.Repeat("x", 200000), "220 500"},
		{"NOOP " + strings.Repeat("x", 2041) + "\r\nQUIT\r\n", "220 250 221"},
		{"NOOP " + strings.Repeat("x", 2042) + "\r\nQUIT\r\n", "220 500 221"},
		{"AUTH PLAIN " + strings.Repeat("x", 12000) + "\r\nQUIT\r\n", "220 503 221"},
	} {
		c := dial(t, addr)
		go io.WriteString(c, tt.in)
		out, _ := io.ReadAll(c)
		var codes []string
		for line := range strings.Lines(string(out)) {
			codes = append(codes, line[:3])
		}
		if got := strings.Join(codes, " "); got != tt.want {
			t.Errorf("%.20q (%d octets): %s, want %s", tt.in, len(tt.in), got, tt.want)
		}
	}
}

func TestConnectionLimits(t *testing.T) {
	srv, addr := start(t, quiet(Config{Limits: Limits{Connections: 1}}))
	first := bufio.NewReader(dial(t, addr))
	if line, _ := first.ReadString('\n'); !strings.HasPrefix(line, "220") {
		t.Errorf("got %q", line)
	}
	second := bufio.NewReader(dial(t, addr))
	if line, _ := second.ReadString('\n'); !strings.HasPrefix(line, "421") {
		t.Errorf("got %q", line)
	}
	if err := srv.ServeConn(t.Context(), nopConn{}); !errors.Is(err, ErrTooManyConnections) {
		t.Errorf("ServeConn: %v", err)
	}
}

// When the time of Shutdown is up, who is in a transaction or in the middle of
// a body is told with 421 too, and nobody has accepted the body.
func TestShutdownTimeIsUp(t *testing.T) {
	for _, in := range []string{
		"EHLO c\r\nMAIL FROM:<a@b.c>\r\n",
		"EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nhalf of a message\r\n",
		"EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nBDAT 1000\r\nhalf of a chunk",
	} {
		srv, addr := start(t, quiet(Config{}))
		c := dial(t, addr)
		io.WriteString(c, in)
		r := bufio.NewReader(c)
		for range strings.Count(strings.SplitN(in, "BDAT", 2)[0], "\n") {
			if line, err := r.ReadString('\n'); err != nil || strings.HasPrefix(line, "354") {
				break
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := srv.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown: %v", err)
		}
		out, _ := io.ReadAll(r)
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "421") || strings.Contains(string(out), "queued") {
			t.Errorf("%.60q ended with %q", in, out)
		}
	}
}

// A peer that never finishes its TLS handshake does not hold Shutdown up.
func TestShutdownInHandshake(t *testing.T) {
	serverTLS, _ := testTLS(t)
	synctest.Test(t, func(t *testing.T) {
		srv := New(quiet(Config{TLSConfig: serverTLS, ImplicitTLS: true}))
		here, there := net.Pipe()
		defer here.Close()
		go srv.ServeConn(t.Context(), there)
		io.WriteString(here, "\x16\x03")
		synctest.Wait()
		begun := time.Now()
		if err := srv.Shutdown(t.Context()); err != nil || time.Since(begun) > time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

func TestHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := servePipe(t, New(quiet(Config{Connect: func(context.Context, *smtp.Peer) error {
			return smtp.Errorf(554, smtp.EnhancedCode{}, "go away")
		}})))
		c.want("554 go away")
		c.ended()
		c = servePipe(t, New(quiet(Config{
			Hello: func(_ context.Context, p *smtp.Peer) error {
				if p.Hello == "bad" {
					return smtp.Errorf(550, smtp.EnhancedCode{}, "bad name")
				}
				return nil
			},
			Admit: func(_ context.Context, size int64) error {
				if size > 1000 {
					return errors.New("disk full")
				}
				return nil
			},
		})))
		c.want("220")
		c.ask("EHLO bad", "550 bad")
		c.ask("MAIL FROM:<a@b>", "503")
		c.ask("EHLO good", "250")
		c.ask("MAIL FROM:<a@b> SIZE=2000", "452 4.3.1")
		c.ask("MAIL FROM:<a@b> SIZE=1000", "250")
		c.ask("QUIT", "221")
		c.ended()
	})
}

func TestValidate(t *testing.T) {
	err := New(Config{ImplicitTLS: true, RequireAuth: true, Hostname: "a b", Extensions: BINARYMIME}).Serve(t.Context(), nopListener{})
	for _, want := range []string{"Receiver", "ImplicitTLS", "RequireAuth", "Hostname", "BINARYMIME"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
}

type nopListener struct{ net.Listener }

func (nopListener) Close() error { return nil }

type nopConn struct{ net.Conn }

func (nopConn) RemoteAddr() net.Addr             { return nil }
func (nopConn) LocalAddr() net.Addr              { return nil }
func (nopConn) Close() error                     { return nil }
func (nopConn) SetWriteDeadline(time.Time) error { return nil }
func (nopConn) SetReadDeadline(time.Time) error  { return nil }
func (nopConn) SetDeadline(time.Time) error      { return nil }
func (nopConn) Write(p []byte) (int, error)      { return len(p), nil }
