package mtasts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/certtest"
)

// world is a DNS and a web without a network.
type world struct {
	mu      sync.Mutex
	texts   map[string][]string // by domain
	dnsErr  error
	body    string
	webErr  error
	dead    map[string]bool // hosts that do not answer
	delay   time.Duration
	fetches int
	cert    *x509.Certificate
}

func newWorld(t *testing.T) *world {
	_, cert := certtest.New(t).Issue(t, named("*.example.org", "mta-sts.example.org"))
	return &world{texts: map[string][]string{"example.org": {"v=STSv1; id=1"}}, body: good, cert: cert}
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fetches
}

func (w *world) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dnsErr != nil {
		return nil, &dnsx.Error{Name: name, Type: t, Kind: w.dnsErr}
	}
	texts := w.texts[strings.TrimPrefix(name, "_mta-sts.")]
	if t != dnsx.TXT || texts == nil {
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
	}
	return &dnsx.Answer{Texts: texts}, nil
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fetches++
	if w.delay > 0 {
		w.mu.Unlock()
		select {
		case <-time.After(w.delay):
		case <-r.Context().Done():
		}
		w.mu.Lock()
		if r.Context().Err() != nil {
			return nil, r.Context().Err()
		}
	}
	if w.webErr != nil {
		return nil, w.webErr
	}
	if w.dead[r.URL.Host] {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader(w.body)), Request: r,
		TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{w.cert}, VerifiedChains: [][]*x509.Certificate{{w.cert}}},
	}, nil
}

func (w *world) cache(s Store) *Cache {
	return &Cache{Resolver: w, Fetcher: &Fetcher{Client: &http.Client{Transport: w}}, Store: s}
}

// expect asks and compares: the mode, and whether there is a policy at all.
func expect(t *testing.T, c *Cache, mode Mode, applies bool, problem error) {
	t.Helper()
	f, err := c.Lookup(t.Context(), "Example.ORG.")
	if err != nil || f.Applies() != applies || applies && f.Policy.Mode != mode || !errors.Is(f.Problem, problem) || (problem == nil) != (f.Problem == nil) {
		t.Errorf("%+v (%v), %v; want %v, %v, %v", f.Policy, f.Problem, err, mode, applies, problem)
	}
}

// TestDowngrade is invariant M1: what fails while a policy is alive changes
// nothing, and what fails without one is no policy.
func TestDowngrade(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(w *world)
		want   error
	}{
		{"no record", func(w *world) { w.texts = nil }, ErrNoRecord},
		{"broken record", func(w *world) { w.texts["example.org"] = []string{"v=STSv1; id=?"} }, ErrRecord},
		{"two records", func(w *world) { w.texts["example.org"] = []string{"v=STSv1; id=2", "v=STSv1; id=3"} }, ErrRecord},
		{"server failure", func(w *world) { w.dnsErr = dnsx.ErrServFail }, dnsx.ErrServFail},
		{"timeout", func(w *world) { w.dnsErr = dnsx.ErrTimeout }, dnsx.ErrTimeout},
		{"bogus", func(w *world) { w.dnsErr = dnsx.ErrBogus }, dnsx.ErrBogus},
		{"web server away", func(w *world) { w.texts["example.org"][0], w.webErr = "v=STSv1; id=2", io.ErrUnexpectedEOF }, ErrFetch},
		{"certificate", func(w *world) {
			w.texts["example.org"][0], w.webErr = "v=STSv1; id=2", &tls.CertificateVerificationError{Err: errors.New("x")}
		}, ErrCertificate},
		{"invalid policy", func(w *world) { w.texts["example.org"][0], w.body = "v=STSv1; id=2", "mode: none" }, ErrPolicy},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			cache := w.cache(nil)
			expect(t, cache, Enforce, true, nil)
			w.set(func() { c.change(w) })
			for range 6 { // 6 of its 7 days
				expect(t, cache, Enforce, true, c.want)
				time.Sleep(24 * time.Hour)
			}
			expect(t, cache, Enforce, true, c.want)
			time.Sleep(25 * time.Hour)
			expect(t, cache, None, false, c.want) // dead now
			expect(t, w.cache(nil), None, false, c.want)
		})
		if t.Failed() {
			t.Fatal(c.name)
		}
	}
}

func TestLookupFetchesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.delay = time.Second
		c := w.cache(nil)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { expect(t, c, Enforce, true, nil) })
		}
		all.Wait()
		expect(t, c, Enforce, true, nil)
		if w.count() != 1 {
			t.Error(w.fetches)
		}
		w.set(func() {
			w.texts["example.org"][0], w.body = "v=STSv1; id=2", strings.Replace(good, "enforce", "none", 1)
		})
		expect(t, c, None, false, nil) // a policy of mode none ends it
		expect(t, c, None, false, nil)
		if w.count() != 2 {
			t.Error(w.fetches)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.webErr = io.ErrUnexpectedEOF
		c := w.cache(nil)
		for range 100 {
			expect(t, c, None, false, ErrFetch)
		}
		if w.count() != 1 {
			t.Error("asks again at once: ", w.fetches)
		}
		w.set(func() { w.webErr = nil })
		expect(t, c, None, false, ErrFetch)
		if f, err := c.Recheck(t.Context(), "example.org"); err != nil || !f.Enforced() {
			t.Error("Recheck waits: ", f, err)
		}
		w.set(func() { w.webErr, w.texts["example.org"][0] = io.ErrUnexpectedEOF, "v=STSv1; id=2" })
		expect(t, c, Enforce, true, ErrFetch)
		time.Sleep(5 * time.Minute)
		w.set(func() { w.webErr = nil })
		expect(t, c, Enforce, true, nil)
		w.set(func() { w.webErr, w.texts["example.org"][0] = io.ErrUnexpectedEOF, "v=STSv1; id=3" })
		expect(t, c, Enforce, true, ErrFetch)
		w.set(func() { w.webErr, w.texts["example.org"][0] = nil, "v=STSv1; id=4" }) // a new one is tried at once
		expect(t, c, Enforce, true, nil)
	})
}

func TestShortLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.body = strings.Replace(good, "604800", "0", 1)
		c := w.cache(nil)
		for range 100 {
			expect(t, c, Enforce, true, nil)
		}
		if w.count() != 1 {
			t.Error("max_age: 0 is fetched for each message: ", w.fetches)
		}
		w.set(func() { w.texts = nil })
		expect(t, c, None, false, ErrNoRecord) // it has no life of its own
	})
}

func TestContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.delay = time.Minute / 2
		c := w.cache(nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if f, err := c.Lookup(ctx, "example.org"); !errors.Is(err, context.DeadlineExceeded) || f.Policy != nil {
				t.Error(f, err)
			}
		})
		synctest.Wait()
		expect(t, c, Enforce, true, nil) // who waited for the other asks for himself
		all.Wait()
		if w.count() != 2 {
			t.Error(w.fetches)
		}
		// What is known needs no time.
		if f, err := c.Lookup(ctx, "example.org"); err != nil || !f.Enforced() {
			t.Error(f, err)
		}
	})
}

// shelf is a Store in memory.
type shelf struct {
	mu      sync.Mutex
	entries map[string]*Entry
	err     error
}

func (s *shelf) Load(_ context.Context, domain string) (*Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries[domain], s.err
}

func (s *shelf) Save(_ context.Context, e *Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.entries[e.Domain] = e
	}
	return s.err
}

func (s *shelf) Due(_ context.Context, now, before time.Time, limit int) (domains []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d, e := range s.entries {
		if e.Alive(now) && e.Fetched.Before(before) {
			domains = append(domains, d)
		}
	}
	slices.SortFunc(domains, func(a, b string) int { return s.entries[a].Fetched.Compare(s.entries[b].Fetched) })
	return domains[:min(len(domains), limit)], s.err
}

// TestStore: a policy outlives the process, and a Store that fails is not "no
// policy" (invariant M3).
func TestStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), &shelf{entries: map[string]*Entry{}}
		expect(t, w.cache(s), Enforce, true, nil)
		w.set(func() { w.texts, w.webErr = nil, io.ErrUnexpectedEOF })
		next := w.cache(s)
		expect(t, next, Enforce, true, ErrNoRecord)
		s.err = errors.New("disk")
		expect(t, next, Enforce, true, ErrNoRecord) // in memory by now
		if f, err := w.cache(s).Lookup(t.Context(), "example.org"); err == nil || f.Policy != nil {
			t.Error(f, err)
		}
	})
}

// saver is a Store that answers Save itself.
type saver struct {
	*shelf
	save func(ctx context.Context, e *Entry) error
}

func (s saver) Save(ctx context.Context, e *Entry) error { return s.save(ctx, e) }

// A policy is saved also when the time of who asked ends, and a Store that hangs
// holds nobody for ever.
func TestSaveBeyondTheAsker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		shelf := &shelf{entries: map[string]*Entry{}}
		w := newWorld(t)
		c := w.cache(saver{shelf, func(ctx context.Context, e *Entry) error {
			cancel()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return shelf.Save(ctx, e)
		}})
		if f, err := c.Lookup(ctx, "example.org"); err != nil || !f.Enforced() || shelf.entries["example.org"] == nil {
			t.Error(f, err, shelf.entries)
		}
		began := time.Now()
		c = w.cache(saver{shelf, func(ctx context.Context, _ *Entry) error { <-ctx.Done(); return ctx.Err() }})
		c.Store.(saver).entries["example.org"] = nil
		expect(t, c, Enforce, true, nil)
		if time.Since(began) != saveTimeout {
			t.Error(time.Since(began))
		}
	})
}

func TestMemoryBound(t *testing.T) {
	w := newWorld(t)
	w.texts = map[string][]string{}
	c := w.cache(nil)
	c.MaxBytes = 50_000
	for i := range 1000 {
		domain := fmt.Sprintf("d%d.example.org", i)
		w.texts[domain] = []string{"v=STSv1; id=1"}
		w.cert.DNSNames = []string{"mta-sts." + domain}
		if f, err := c.Lookup(t.Context(), domain); err != nil || !f.Enforced() {
			t.Fatal(f, err)
		}
		if c.bytes > 50_000 || c.order.Len() != len(c.known) {
			t.Fatal(c.bytes, c.order.Len(), len(c.known))
		}
	}
	for c.order.Len() > 0 {
		c.dropLocked(c.order.Front())
	}
	if c.bytes != 0 || len(c.known) != 0 {
		t.Error(c.bytes, len(c.known))
	}
}

// What cannot be a domain has no policy.
func TestNoDomain(t *testing.T) {
	c := newWorld(t).cache(nil)
	for _, domain := range []string{"[192.0.2.1]", "", "a b"} {
		if f, err := c.Lookup(t.Context(), domain); err != nil || f.Policy != nil || !errors.Is(f.Problem, ErrDomain) {
			t.Error(domain, f, err)
		}
	}
}
