package smtpclient_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// pooled sends one message through the pool.
func pooled(t *testing.T, p *smtpclient.Pool, key smtpclient.Key, dials *atomic.Int64) *smtpclient.Result {
	t.Helper()
	c, err := p.Get(t.Context(), key, func(ctx context.Context) (*smtpclient.Client, error) {
		dials.Add(1)
		return (&smtpclient.Dialer{Hello: "x"}).Dial(ctx, "tcp", key.Addr)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Put(key, c)
	res, _ := c.Send(t.Context(), envelope(t, "a@x", "b@x"), body("x\r\n"))
	return res
}

func TestPool(t *testing.T) {
	var resets, quits atomic.Int64
	srv := smtptest.NewServerWith(t, smtptest.Options{Reply: func(cmd string) string {
		switch cmd {
		case "RSET":
			if resets.Add(1) == 2 {
				return "close"
			}
		case "QUIT":
			quits.Add(1)
		}
		return ""
	}})
	p := &smtpclient.Pool{MaxMessages: 3, Fresh: -1}
	key := smtpclient.Key{Addr: srv.Addr}
	var dials atomic.Int64
	for range 6 {
		if res := pooled(t, p, key, &dials); outcomes(res) != "delivered(.)" {
			t.Fatal(outcomes(res))
		}
	}
	// 1: dialed; 2: reused; 3: found dead, dialed; 4, 5: reused, which is three
	// messages; 6: dialed.
	if dials.Load() != 3 || resets.Load() != 4 || quits.Load() != 1 {
		t.Errorf("%d dials, %d RSET, %d QUIT", dials.Load(), resets.Load(), quits.Load())
	}
	other := key
	other.Policy = "dane"
	pooled(t, p, other, &dials)
	if dials.Load() != 4 {
		t.Error("a connection of another policy was used")
	}
	if err := p.Close(); err != nil || quits.Load() != 3 {
		t.Errorf("%d QUIT, %v", quits.Load(), err)
	}
	pooled(t, p, key, &dials)
	if quits.Load() != 4 {
		t.Error("a closed pool keeps connections")
	}
}

// A server that closes, or says something, while a connection is unused: it is
// not used again, and no message is in doubt.
func TestPoolClosed(t *testing.T) {
	for _, last := range []string{"", "421 idle\r\n", "250 what\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			dials := 0
			dial := func(ctx context.Context) (*smtpclient.Client, error) {
				dials++
				client, server := net.Pipe()
				go func() {
					defer server.Close()
					r := bufio.NewReader(server)
					io.WriteString(server, "220 x\r\n")
					r.ReadString('\n')
					io.WriteString(server, "250 x\r\n")
					time.Sleep(time.Millisecond)
					io.WriteString(server, last)
				}()
				return (&smtpclient.Dialer{Hello: "x"}).NewClient(ctx, client, "x")
			}
			p := &smtpclient.Pool{}
			for range 2 {
				c, err := p.Get(t.Context(), smtpclient.Key{}, dial)
				if err != nil {
					t.Fatal(err)
				}
				p.Put(smtpclient.Key{}, c)
				time.Sleep(2 * time.Millisecond)
			}
			if dials != 2 {
				t.Errorf("%q: %d dials", last, dials)
			}
			p.Close()
		})
	}
}

// A connection that is used no more says goodbye in time; one that is fresh is
// not asked.
func TestPoolIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		dial := func(ctx context.Context) (*smtpclient.Client, error) {
			conn, _ := unbuffered(t, "250 PIPELINING", func(line string) string {
				lines.WriteString(strings.TrimSpace(line) + ";")
				return "250 ok"
			})
			return (&smtpclient.Dialer{Hello: "x"}).NewClient(ctx, conn, "x")
		}
		p := &smtpclient.Pool{IdleTimeout: time.Minute}
		get := func() *smtpclient.Client {
			c, err := p.Get(t.Context(), smtpclient.Key{}, dial)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		first := get()
		p.Put(smtpclient.Key{}, first)
		if get() != first {
			t.Error("the connection was not kept")
		}
		p.Put(smtpclient.Key{}, first)
		time.Sleep(59 * time.Second)
		if get() != first {
			t.Error("the connection was not kept")
		}
		p.Put(smtpclient.Key{}, first)
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if got := lines.String(); got != "EHLO x;RSET;QUIT;" {
			t.Error(got)
		}
		second := get()
		if second == first {
			t.Error("a connection that said goodbye was used")
		}
		p.Put(smtpclient.Key{}, second)
		p.Close()
	})
}

// As many connections as are used at a time are kept for the next messages, but
// those beyond MaxIdle for a second only, and never so many that other servers
// have none.
func TestPoolSpare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		dial := func(ctx context.Context) (*smtpclient.Client, error) {
			dials++
			conn, _ := unbuffered(t, "250 PIPELINING", func(string) string { return "250 ok" })
			return (&smtpclient.Dialer{Hello: "x"}).NewClient(ctx, conn, "x")
		}
		burst := func(p *smtpclient.Pool, addr string, n int) int {
			before := dials
			var used []*smtpclient.Client
			for range n {
				c, err := p.Get(t.Context(), smtpclient.Key{Addr: addr}, dial)
				if err != nil {
					t.Fatal(err)
				}
				used = append(used, c)
			}
			for _, c := range used {
				p.Put(smtpclient.Key{Addr: addr}, c)
			}
			return dials - before
		}
		p := &smtpclient.Pool{}
		want := func(p *smtpclient.Pool, what, addr string, n, want int) {
			t.Helper()
			if got := burst(p, addr, n); got != want {
				t.Errorf("%s: %d dials, want %d", what, got, want)
			}
		}
		want(p, "first", "a", 10, 10)
		want(p, "at once", "a", 10, 0)
		want(p, "more than are kept", "a", 30, 20)
		want(p, "again", "a", 30, 8)
		time.Sleep(1500 * time.Millisecond)
		want(p, "after a pause", "a", 10, 8)
		p.Close()

		p = &smtpclient.Pool{MaxTotal: 12}
		want(p, "six of twelve", "a", 10, 10)
		want(p, "six are kept", "a", 10, 4)
		want(p, "another server", "b", 2, 2)
		want(p, "it has its two", "b", 2, 0)
		p.Close()

		p = &smtpclient.Pool{MaxSpare: -1}
		want(p, "none to spare", "a", 10, 10)
		want(p, "two are kept", "a", 10, 8)
		p.Close()
		time.Sleep(time.Minute)
	})
}
