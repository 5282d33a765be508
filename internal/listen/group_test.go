package listen_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/internal/listen"
)

// fake is a connection that ends when it is told to.
type fake struct {
	g        *listen.Group
	stubborn int // how many Wakes it does not listen to
	end      chan struct{}
	last     string
}

func (f *fake) Wake(now bool) {
	f.last = "wake"
	if now {
		f.last = "now"
	}
	if f.stubborn--; f.stubborn < 0 {
		f.done()
	}
}

func (f *fake) Close() error {
	f.last = "close"
	f.done()
	return nil
}

func (f *fake) done() {
	select {
	case <-f.end:
	default:
		close(f.end)
	}
}

// add starts a connection with its goroutine.
func add(t *testing.T, g *listen.Group, addr string, stubborn int) (*fake, error) {
	t.Helper()
	f := &fake{g: g, stubborn: stubborn, end: make(chan struct{})}
	if err := g.Add(f, netip.MustParseAddr(addr)); err != nil {
		return nil, err
	}
	go func() { <-f.end; g.Done(f) }()
	return f, nil
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &listen.Group{Limits: listen.Limits{Total: 6, PerPrefix: 2, Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
		want := func(addr string, ok bool) *fake {
			t.Helper()
			f, err := add(t, g, addr, 0)
			if ok != (err == nil) || !ok && !errors.Is(err, listen.ErrTooMany) {
				t.Errorf("%s: %v", addr, err)
			}
			return f
		}
		first := want("2001:db8::1", true)
		want("2001:db8::2", true)
		want("2001:db8::3", false)
		want("2001:db8:0:1::1", true)
		want("::ffff:192.0.2.1", true)
		want("192.0.2.1", true)
		want("192.0.2.1", true)
		want("127.0.0.1", false) // the total counts everyone
		first.done()
		synctest.Wait()
		want("2001:db8::ffff", true)
		g.Close()
	})
}

// A connection of a proxy counts for the client that the proxy speaks for.
func TestRekey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &listen.Group{Limits: listen.Limits{PerPrefix: 1}}
		client := netip.MustParseAddr("192.0.2.7")
		first, _ := add(t, g, "192.0.2.1", 0)
		if err := g.Rekey(first, client); err != nil {
			t.Error(err)
		}
		if err := g.Rekey(first, client); err != nil {
			t.Errorf("again: %v", err)
		}
		second, err := add(t, g, "192.0.2.1", 0) // its place is free
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Rekey(second, client); !errors.Is(err, listen.ErrTooMany) {
			t.Error(err)
		}
		first.done()
		synctest.Wait()
		if err := g.Rekey(second, client); err != nil {
			t.Error(err)
		}
		if err := g.Rekey(first, client); err != nil {
			t.Errorf("a connection that has ended: %v", err)
		}
		g.Close()
	})
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &listen.Group{}
		idle, _ := add(t, g, "192.0.2.1", 0)
		busy, _ := add(t, g, "192.0.2.2", 1)
		stuck, _ := add(t, g, "192.0.2.3", 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := g.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if idle.last != "wake" || busy.last != "now" || stuck.last != "close" {
			t.Errorf("idle: %s, busy: %s, stuck: %s", idle.last, busy.last, stuck.last)
		}
		if _, err := add(t, g, "192.0.2.4", 0); !errors.Is(err, listen.ErrClosed) {
			t.Errorf("a connection after Shutdown: %v", err)
		}
		if err := g.Shutdown(t.Context()); err != nil {
			t.Errorf("second Shutdown: %v", err)
		}
	})
}

// flaky fails to accept a few times, as when descriptors run out.
type flaky struct {
	net.Listener
	failures int
	closed   chan struct{}
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.failures--; f.failures >= 0 {
		return nil, errors.New("too many open files")
	}
	<-f.closed
	return nil, net.ErrClosed
}

func (f *flaky) Close() error {
	select {
	case <-f.closed:
	default:
		close(f.closed)
	}
	return nil
}

func TestServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &listen.Group{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
		l := &flaky{failures: 5, closed: make(chan struct{})}
		done := make(chan error)
		go func() { done <- g.Serve(l, func(net.Conn) {}) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if l.failures >= 0 {
			t.Error("Serve gave up, or is still waiting")
		}
		g.Close()
		if err := <-done; !errors.Is(err, listen.ErrClosed) {
			t.Error(err)
		}
		if err := g.Serve(&flaky{closed: make(chan struct{})}, nil); !errors.Is(err, listen.ErrClosed) {
			t.Error(err)
		}
	})
}
