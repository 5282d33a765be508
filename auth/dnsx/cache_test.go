package dnsx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a Resolver by a function that counts.
type fake struct {
	asked atomic.Int64
	f     func(ctx context.Context, name string, t Type) (*Answer, error)
}

func (f *fake) Lookup(ctx context.Context, name string, t Type) (*Answer, error) {
	f.asked.Add(1)
	return f.f(ctx, name, t)
}

func answers(context.Context, string, Type) (*Answer, error) {
	return &Answer{Texts: []string{"x"}, TTL: time.Minute}, nil
}

func TestCacheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{f: func(_ context.Context, name string, typ Type) (*Answer, error) {
			switch name {
			case "nx":
				return nil, &Error{Name: name, Type: typ, Kind: ErrNXDomain, TTL: time.Hour}
			case "fails":
				return nil, &Error{Name: name, Type: typ, Kind: ErrServFail}
			case "zero":
				return &Answer{Texts: []string{"x"}}, nil
			}
			return answers(t.Context(), name, typ)
		}}
		c := &Cache{Resolver: f}
		ask := func(name string, want int64) {
			t.Helper()
			c.Lookup(t.Context(), name, TXT)
			if got := f.asked.Swap(0); got != want {
				t.Errorf("%s: asked %d times", name, got)
			}
		}
		ask("a", 1)
		ask("A.", 0)
		time.Sleep(20 * time.Second)
		if a, err := c.Lookup(t.Context(), "a", TXT); err != nil || a.TTL != 40*time.Second {
			t.Errorf("%+v, %v", a, err)
		}
		time.Sleep(40 * time.Second)
		ask("a", 1)
		ask("nx", 1)
		ask("nx", 0)
		time.Sleep(maxNegative)
		ask("nx", 1)
		ask("fails", 1)
		ask("fails", 1)
		ask("zero", 1)
		ask("zero", 1)
	})
}

// Questions that come together are asked once; one whose asker gave up is
// asked again, once.
func TestCacheFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{f: func(ctx context.Context, name string, typ Type) (*Answer, error) {
			select {
			case <-time.After(time.Second):
				return answers(ctx, name, typ)
			case <-ctx.Done():
				return nil, &Error{Name: name, Type: typ, Kind: ErrTimeout}
			}
		}}
		c := &Cache{Resolver: f}
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		var failed atomic.Int64
		wg.Go(func() {
			if _, err := c.Lookup(short, "a", TXT); !errors.Is(err, ErrTimeout) {
				t.Error(err)
			}
		})
		synctest.Wait()
		for range 50 {
			wg.Go(func() {
				if _, err := c.Lookup(t.Context(), "a", TXT); err != nil {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		if f.asked.Load() != 2 || failed.Load() != 0 {
			t.Errorf("asked %d times, %d failed", f.asked.Load(), failed.Load())
		}
	})
}

// Those who wait for a name whose servers are dead wait once, not one after the
// other.
func TestCacheDeadName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{f: func(_ context.Context, name string, typ Type) (*Answer, error) {
			time.Sleep(8 * time.Second)
			return nil, &Error{Name: name, Type: typ, Kind: ErrTimeout}
		}}
		c := &Cache{Resolver: f}
		began := time.Now()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := c.Lookup(t.Context(), "dead", TXT); !errors.Is(err, ErrTimeout) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if f.asked.Load() != 1 || time.Since(began) != 8*time.Second {
			t.Errorf("asked %d times in %v", f.asked.Load(), time.Since(began))
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	f := &fake{f: answers}
	c := &Cache{Resolver: f, MaxBytes: 10_000}
	for i := range 1000 {
		c.Lookup(t.Context(), fmt.Sprint("name", i), TXT)
		c.Lookup(t.Context(), "name0", TXT)
	}
	if n, bytes := c.kept.Size(); bytes > 10_000 || n > 40 || n < 20 {
		t.Errorf("%d octets, %d entries", bytes, n)
	}
	if got := f.asked.Load(); got != 1000 {
		t.Errorf("asked %d times: what is used went first", got)
	}
	huge := &Cache{MaxBytes: 1000, Resolver: &fake{f: func(context.Context, string, Type) (*Answer, error) {
		return &Answer{Texts: []string{strings.Repeat("x", 60_000)}, TTL: time.Hour}, nil
	}}}
	a, err := huge.Lookup(t.Context(), "a", TXT)
	if n, _ := huge.kept.Size(); err != nil || len(a.Texts[0]) != 60_000 || n != 0 {
		t.Error(err, n)
	}
}

// A resolver that panics leaves nobody waiting.
func TestCacheAfterPanic(t *testing.T) {
	f := &fake{f: func(context.Context, string, Type) (*Answer, error) { panic("a resolver panics") }}
	c := &Cache{Resolver: f}
	func() {
		defer func() { recover() }()
		c.Lookup(t.Context(), "a", TXT)
	}()
	f.f = answers
	if _, err := c.Lookup(t.Context(), "a", TXT); err != nil {
		t.Error(err)
	}
}

func TestBudget(t *testing.T) {
	b := NewBudget(&fake{f: answers}, 2)
	for i := range 4 {
		_, err := b.Lookup(t.Context(), "a", TXT)
		if errors.Is(err, ErrBudget) != (i >= 2) || NotFound(err) || b.Left() != max(0, 1-i) {
			t.Errorf("%d: %v, %d left", i, err, b.Left())
		}
	}
}

func TestNet(t *testing.T) {
	s := newServer(t, zone)
	n := Net{&Client{Servers: []netip.AddrPort{s.addr}}}
	if got, err := n.LookupHost(t.Context(), "all.example"); fmt.Sprint(got, err) != "[192.0.2.1 192.0.2.2 2001:db8::1] <nil>" {
		t.Error(got, err)
	}
	if got, err := n.LookupNetIP(t.Context(), "ip6", "all.example."); fmt.Sprint(got, err) != "[2001:db8::1] <nil>" {
		t.Error(got, err)
	}
	if got, err := n.LookupMX(t.Context(), "all.example."); err != nil || len(got) != 2 || got[0].Host != "Mail.example." || got[1].Host != "." {
		t.Error(got, err)
	}
	if got, err := n.LookupTXT(t.Context(), "all.example."); err != nil || len(got) != 2 {
		t.Error(got, err)
	}
	_, err := n.LookupAddr(t.Context(), "192.0.2.1")
	if e, ok := errors.AsType[*net.DNSError](err); !ok || !e.IsNotFound || e.IsTemporary || !errors.Is(err, ErrNXDomain) {
		t.Error(err)
	}
	_, err = n.LookupHost(t.Context(), "servfail.example")
	if e, ok := errors.AsType[*net.DNSError](err); !ok || e.IsNotFound || !e.IsTemporary {
		t.Error(err)
	}
}

func TestReverseName(t *testing.T) {
	for a, want := range map[string]string{
		"192.0.2.1": "1.2.0.192.in-addr.arpa", "::ffff:192.0.2.1": "1.2.0.192.in-addr.arpa",
		"2001:db8::1": "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
	} {
		if got := ReverseName(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %s", a, got)
		}
	}
}
