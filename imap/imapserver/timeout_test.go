package imapserver

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// pipeSession serves one session on a pipe within a synctest bubble. said
// returns what the server wrote until it closed or fell silent.
type pipeSession struct {
	net.Conn
	r *bufio.Reader
}

func startPipe(t *testing.T, srv *Server) *pipeSession {
	a, b := net.Pipe()
	go func() { _ = srv.ServeConn(b) }()
	return &pipeSession{a, bufio.NewReader(a)}
}

// run sends a command and returns the response up to its tagged line.
func (p *pipeSession) run(t *testing.T, line string) string {
	t.Helper()
	if _, err := io.WriteString(p, line+"\r\n"); err != nil {
		t.Fatal(err)
	}
	tag, _, _ := strings.Cut(line, " ")
	var out strings.Builder
	for {
		l, err := p.r.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: after %q: %v", line, out.String(), err)
		}
		out.WriteString(l)
		if strings.HasPrefix(l, tag+" ") || strings.HasPrefix(l, "+ ") {
			return out.String()
		}
	}
}

// rest reads until the server closes.
func (p *pipeSession) rest() string {
	b, _ := io.ReadAll(p.r)
	return string(b)
}

func inBubble(t *testing.T, f func(t *testing.T, srv *Server, st store.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		st := memstore.New(nil)
		if err := st.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
			t.Fatal(err)
		}
		srv, err := New(testConfig(st))
		if err != nil {
			t.Fatal(err)
		}
		f(t, srv, st)
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		st.Close()
	})
}

// A client has 60 seconds to log in, whatever it does meanwhile.
func TestLoginTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *Server, _ store.Store) {
		start := time.Now()
		p := startPipe(t, srv)
		p.r.ReadString('\n')
		time.Sleep(50 * time.Second)
		p.run(t, "a NOOP")
		if out := p.rest(); !strings.HasPrefix(out, "* BYE Autologout") {
			t.Errorf("got %q", out)
		}
		if d := time.Since(start); d != time.Minute {
			t.Errorf("closed after %v", d)
		}
	})
}

// An idle session ends after 30 minutes, in IDLE too (RFC 3501 §5.4).
func TestIdleTimeout(t *testing.T) {
	for _, idle := range []bool{false, true} {
		inBubble(t, func(t *testing.T, srv *Server, _ store.Store) {
			p := startPipe(t, srv)
			p.r.ReadString('\n')
			p.run(t, "a LOGIN alice secret")
			p.run(t, "b SELECT INBOX")
			time.Sleep(29 * time.Minute)
			p.run(t, "c NOOP")
			if idle {
				p.run(t, "d IDLE")
			}
			start := time.Now()
			if out := p.rest(); !strings.HasPrefix(out, "* BYE Autologout") {
				t.Errorf("got %q", out)
			}
			if d := time.Since(start); d != 30*time.Minute {
				t.Errorf("closed after %v", d)
			}
		})
	}
}

// A command that stops in its middle ends the session after 5 minutes.
func TestReadTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *Server, _ store.Store) {
		p := startPipe(t, srv)
		p.r.ReadString('\n')
		p.run(t, "a LOGIN alice secret")
		p.run(t, "b APPEND INBOX {10}")
		start := time.Now()
		io.WriteString(p, "abc")
		p.rest()
		if d := time.Since(start); d != 5*time.Minute {
			t.Errorf("closed after %v", d)
		}
	})
}

// A client that reads nothing is given up after 60 seconds.
func TestWriteTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *Server, st store.Store) {
		p := startPipe(t, srv)
		p.r.ReadString('\n')
		p.run(t, "a LOGIN alice secret")
		start := time.Now()
		io.WriteString(p, "b NOOP\r\n")
		time.Sleep(61 * time.Second)
		if _, err := io.WriteString(p, "c NOOP\r\n"); err == nil {
			t.Error("the server still listens")
		}
		if d := time.Since(start); d > 62*time.Second {
			t.Errorf("closed after %v", d)
		}
	})
}

// Shutdown lets a command end, and says BYE to everybody.
func TestShutdown(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *Server, st store.Store) {
		idle, parked, busy := startPipe(t, srv), startPipe(t, srv), startPipe(t, srv)
		for _, p := range []*pipeSession{idle, parked, busy} {
			p.r.ReadString('\n')
			p.run(t, "a LOGIN alice secret")
			p.run(t, "b SELECT INBOX")
		}
		idle.run(t, "c IDLE")
		busy.run(t, "c APPEND INBOX {3}")
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- srv.Shutdown(context.Background()) }()
		if out := idle.rest(); !strings.HasPrefix(out, "* BYE [UNAVAILABLE]") {
			t.Errorf("idle: %q", out)
		}
		if out := parked.rest(); !strings.HasPrefix(out, "* BYE [UNAVAILABLE]") {
			t.Errorf("parked: %q", out)
		}
		io.WriteString(busy, "abc\r\n")
		if out := busy.rest(); !strings.Contains(out, "c OK [APPENDUID") || !strings.HasSuffix(out, "* BYE [UNAVAILABLE] Server is shutting down\r\n") {
			t.Errorf("busy: %q", out)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := srv.Serve(closedListener{}); err != ErrServerClosed {
			t.Errorf("Serve after Shutdown: %v", err)
		}
	})
}

// When its context ends, Shutdown tells those that are left, and closes them.
func TestShutdownForced(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *Server, st store.Store) {
		p := startPipe(t, srv)
		p.r.ReadString('\n')
		p.run(t, "a LOGIN alice secret")
		p.run(t, "b APPEND INBOX {3}")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		said := make(chan string, 1)
		go func() { said <- p.rest() }()
		if err := srv.Shutdown(ctx); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		if out := <-said; out != "* BYE [UNAVAILABLE] Server is shutting down\r\n" {
			t.Errorf("last words: %q", out)
		}
	})
}

type closedListener struct{ net.Listener }

func (closedListener) Close() error { return nil }
