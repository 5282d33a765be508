package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/deliver/fetch/pop3source"
	"github.com/mailstead/mailstead/internal/netpipe"
	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/pop3/pop3test"
)

// link makes connections to a server that is far away: what either side writes
// arrives after half a round trip.
type link struct {
	*pop3test.Server
	trip time.Duration
	work sync.WaitGroup
}

func (l *link) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	far, err := l.Server.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	client, near := netpipe.Pair(nil, nil)
	l.carry(near, far)
	l.carry(far, near)
	return client, nil
}

// carry carries one direction.
func (l *link) carry(from, to net.Conn) {
	type parcel struct {
		octets []byte
		due    time.Time
	}
	way := make(chan parcel, 1024)
	l.work.Go(func() {
		defer close(way)
		for {
			buf := make([]byte, 8<<10)
			n, err := from.Read(buf)
			way <- parcel{buf[:n], time.Now().Add(l.trip / 2)}
			if err != nil {
				return
			}
		}
	})
	l.work.Go(func() {
		defer to.Close()
		for p := range way {
			time.Sleep(time.Until(p.due))
			to.Write(p.octets)
		}
	})
}

// TestRoundTrips: what a message costs on a link with a delay.
func TestRoundTrips(t *testing.T) {
	without := []string{"TOP", "UIDL", "USER", "SASL PLAIN"}
	for _, tc := range []struct {
		name string
		caps []string
		want float64 // round trips for each message
	}{
		{"no pipelining", without, 2},
		{"a flight for each", slices.Concat(without, []string{"PIPELINING", "EXPIRE 0"}), 1},
		{"ahead", slices.Concat(without, []string{"PIPELINING"}), 1.0 / 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			const trip = 100 * time.Millisecond
			few, many := passTime(t, 30, trip, tc.caps), passTime(t, 330, trip, tc.caps)
			trips := float64(many-few) / float64(trip) / 300
			t.Logf("330 messages in %v, %.2f round trips for each", many, trips)
			if trips > tc.want+0.01 || trips < tc.want-0.01 {
				t.Errorf("%.2f round trips for each message, want %.2f", trips, tc.want)
			}
		})
	}
}

// passTime is how long a pass over n messages takes that deletes nothing.
func passTime(t *testing.T, n int, trip time.Duration, caps []string) (took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		l := &link{Server: pop3test.NewServer(t, pop3test.Options{Capabilities: caps}), trip: trip}
		for i := range n {
			l.Add(pop3test.Message{Text: letterText(fmt.Sprint(i))})
		}
		w := newWorld(t)
		c, s := w.collector(&remote{})
		s.Open = pop3source.Source{Addr: "x:110", Dialer: &pop3client.Dialer{Net: l, Login: plain{"ann", "x"}.Login}}.Open
		s.Keep.Always = true
		start := time.Now()
		if err := c.Once(t.Context()); err != nil {
			t.Error(err)
		}
		took = time.Since(start)
		w.arrived(n)
		l.Close()
		l.work.Wait()
	})
	return took
}

// TestPOP3CutAnywhere cuts the first session behind each octet, while messages
// are on their way that nobody has read: each arrives once.
func TestPOP3CutAnywhere(t *testing.T) {
	const n = 4
	last := false
	for cut := 1; !last; cut++ {
		if testing.Short() {
			cut += 6
		}
		synctest.Test(t, func(t *testing.T) {
			srv := pop3test.NewServer(t, pop3test.Options{Shared: true, Wire: func(conn int, c net.Conn) net.Conn {
				if conn > 1 {
					return c
				}
				return pop3test.CutAfter(c, cut)
			}})
			for i := range n {
				srv.Add(pop3test.Message{Text: letterText(fmt.Sprint(i))})
			}
			w := newWorld(t)
			box := pop3source.Source{Addr: "x:110", Dialer: &pop3client.Dialer{Net: srv, Login: plain{"ann", "x"}.Login}}
			for pass := range 3 {
				c, s := w.collector(&remote{})
				s.Open = box.Open
				err := c.Once(t.Context())
				if last = pass == 0 && err == nil; last || pass > 0 && err != nil {
					break
				}
				synctest.Wait() // the server notices that the session is over
			}
			w.arrived(n)
			if left := srv.Messages(); len(left) != 0 {
				t.Errorf("cut behind %d octets: %d left", cut, len(left))
			}
		})
		if t.Failed() || cut > 10_000 {
			t.Fatalf("cut behind %d octets", cut)
		}
	}
}

// TestPoisonAhead: a server that breaks at a message, and takes with it what was
// to be sent of those before, keeps none of the others waiting.
func TestPoisonAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		conns := map[int]net.Conn{}
		srv := pop3test.NewServer(t, pop3test.Options{
			Wire: func(n int, c net.Conn) net.Conn {
				mu.Lock()
				defer mu.Unlock()
				conns[n] = c
				return c
			},
			Shared: true,
			Reply: func(n int, command string) string {
				if command != "RETR 4" {
					return ""
				}
				mu.Lock()
				defer mu.Unlock()
				conns[n].Close() // with what is in the buffer
				return "close"
			},
		})
		for _, name := range []string{"0", "1", "2", "bad", "3", "4"} {
			srv.Add(pop3test.Message{ID: name, Text: letterText(name)})
		}
		w := newWorld(t)
		c, s := w.collector(&remote{})
		box := pop3source.Source{Addr: "x:110", Dialer: &pop3client.Dialer{Net: srv, Login: plain{"ann", "x"}.Login}}
		blamed := ""
		s.Open = func(ctx context.Context) (fetch.Session, error) {
			ses, err := box.Open(ctx)
			return &overheard{ses, t, &blamed}, err
		}
		s.Keep.Always = true
		c.OnEvent = func(e fetch.Event) {
			if e.Kind == fetch.EventFailed {
				blamed += e.Err.Error()
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		time.Sleep(time.Hour)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		w.arrived(5)
	})
}

// overheard is a session that must not be told of messages ahead with which there
// was trouble.
type overheard struct {
	fetch.Session
	t      *testing.T
	blamed *string
}

func (o *overheard) Expect(next []fetch.Item) {
	for i := range next {
		if strings.Contains(*o.blamed, fmt.Sprintf("message %q", next[i].ID)) {
			o.t.Errorf("%s is expected", next[i].ID)
		}
	}
	o.Session.(fetch.Expecter).Expect(next)
}

// TestDeferredAhead: where the target takes nothing, what was asked for ahead
// stays on the server, and what was taken before goes.
func TestDeferredAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := pop3test.NewServer(t, pop3test.Options{})
		const n = 20
		for i := range n {
			srv.Add(pop3test.Message{Text: letterText(fmt.Sprint(i))})
		}
		w := newWorld(t)
		c, s := w.collector(&remote{})
		s.Open = pop3source.Source{Addr: "x:110", Dialer: &pop3client.Dialer{Net: srv, Login: plain{"ann", "x"}.Login}}.Open
		asked := 0
		s.Recipients = fetch.RecipientsFunc(func(ctx context.Context, m *fetch.Message) (fetch.Decision, error) {
			if asked++; asked > 3 {
				return fetch.Decision{}, io.ErrNoProgress
			}
			return fetch.To(path("ann@example.org")).Resolve(ctx, m)
		})
		if err := c.Once(t.Context()); !errors.Is(err, io.ErrNoProgress) {
			t.Error(err)
		}
		synctest.Wait()
		w.arrived(3)
		if left := srv.Messages(); len(left) != n-3 {
			t.Errorf("%d left on the server", len(left))
		}
		retrieved := slices.DeleteFunc(srv.Commands(), func(c string) bool { return !strings.HasPrefix(c, "RETR") })
		if len(retrieved) != 3+5+2 { // five deferrals end a pass
			t.Errorf("retrieved %q", retrieved)
		}
	})
}

// TestMaxMessagesAhead: nothing is asked for beyond what a pass fetches.
func TestMaxMessagesAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := pop3test.NewServer(t, pop3test.Options{Shared: true}) // the next session comes at once
		for i := range 20 {
			srv.Add(pop3test.Message{Text: letterText(fmt.Sprint(i))})
		}
		w := newWorld(t)
		c, s := w.collector(&remote{})
		s.Open = pop3source.Source{Addr: "x:110", Dialer: &pop3client.Dialer{Net: srv, Login: plain{"ann", "x"}.Login}}.Open
		s.MaxMessages = 4
		for pass := 0; len(srv.Messages()) > 0; pass++ {
			if err := c.Once(t.Context()); err != nil || pass > 20 {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		w.arrived(20)
		retrieved := slices.DeleteFunc(srv.Commands(), func(c string) bool { return !strings.HasPrefix(c, "RETR") })
		if len(retrieved) != 20 {
			t.Errorf("%d times RETR: %q", len(retrieved), retrieved)
		}
	})
}
