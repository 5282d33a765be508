package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/mailstead/mailstead/auth/login"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// direct serves requests without a network, so that a synctest bubble may wait
// for them.
type direct http.HandlerFunc

func (f direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(w, r)
	}()
	select {
	case <-done:
		return w.Result(), nil
	case <-r.Context().Done():
		<-done
		return nil, r.Context().Err()
	}
}

// publisher is an issuer of keys in a bubble.
type publisher struct {
	keys  []signer
	down  bool
	delay time.Duration
	asked int
}

func (p *publisher) client() *http.Client {
	return &http.Client{Transport: direct(func(w http.ResponseWriter, r *http.Request) {
		p.asked++
		if p.delay > 0 {
			select {
			case <-time.After(p.delay):
			case <-r.Context().Done():
				return
			}
		}
		if p.down {
			http.Error(w, "down", http.StatusInternalServerError)
			return
		}
		set := jose.JSONWebKeySet{}
		for _, s := range p.keys {
			set.Keys = append(set.Keys, s.jwk())
		}
		writeJSON(w, set)
	})}
}

func (p *publisher) set() *KeySet {
	return &KeySet{URL: "https://issuer.example.org/keys", Client: p.client(), Logger: quiet}
}

// verdict is how a lookup ended.
func verdict(keys []key, err error) string {
	switch {
	case errors.Is(err, login.ErrTemporary):
		return "temporary"
	case errors.Is(err, login.ErrRejected):
		return "rejected"
	case err == nil && len(keys) > 0:
		return "found"
	}
	return "nothing"
}

func TestKeySetLife(t *testing.T) {
	k1, k2 := newSigner(t, jose.ES256, "k1"), newSigner(t, jose.ES256, "k2")
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{keys: []signer{k1}}
		s := p.set()
		step := func(what string, after time.Duration, kid, want string, asked int) {
			t.Helper()
			time.Sleep(after)
			keys, err := s.find(t.Context(), kid, "ES256")
			if got := verdict(keys, err); got != want || p.asked != asked {
				t.Errorf("%s: %s after %d requests, want %s after %d (%v)", what, got, p.asked, want, asked, err)
			}
		}
		step("first", 0, "k1", "found", 1)
		step("cached", 14*time.Minute, "k1", "found", 1)
		step("unknown key", 0, "k2", "rejected", 2)
		step("unknown key again", time.Second, "k2", "rejected", 2)
		p.keys = []signer{k1, k2}
		step("rotated, too early to look", 13*time.Second, "k2", "rejected", 2)
		step("rotated", time.Second, "k2", "found", 3)
		p.keys = []signer{k2}
		step("taken back, within the TTL", 14*time.Minute, "k1", "found", 3)
		step("taken back", time.Minute, "k1", "rejected", 4)
		p.down = true
		step("down", 15*time.Minute, "k2", "found", 5)
		step("down, not asked again at once", time.Second, "k2", "found", 5)
		step("down, unknown key", 0, "k1", "temporary", 5)
		step("down, stale", 23*time.Hour, "k2", "found", 6)
		step("down for too long", time.Hour, "k2", "temporary", 7)
		p.down = false
		step("up again", 15*time.Second, "k2", "found", 8)
	})
}

func TestKeySetNeverHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{down: true}
		s := p.set()
		for range 3 {
			_, err := s.find(t.Context(), "k1", "ES256")
			if !errors.Is(err, login.ErrTemporary) || !errors.Is(err, ErrKeys) {
				t.Error(err)
			}
		}
		if p.asked != 1 {
			t.Errorf("asked %d times", p.asked)
		}
	})
}

// A server that hangs costs one caller the timeout; the others go on with the
// keys that there are.
func TestKeySetSlowServer(t *testing.T) {
	k1 := newSigner(t, jose.ES256, "k1")
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{keys: []signer{k1}}
		s := p.set()
		if _, err := s.find(t.Context(), "k1", "ES256"); err != nil {
			t.Fatal(err)
		}
		p.delay = time.Hour
		time.Sleep(16 * time.Minute)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				start := time.Now()
				if _, err := s.find(t.Context(), "k1", "ES256"); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); i == 0 && took != 5*time.Second || i > 0 && took != 0 {
					t.Errorf("caller %d waited %v", i, took)
				}
			})
		}
		wg.Wait()
		if p.asked != 2 {
			t.Errorf("asked %d times", p.asked)
		}
	})
}

// A caller that goes away in the middle of a reading does not spoil it for
// those who wait.
func TestKeySetCallerGoesAway(t *testing.T) {
	k1 := newSigner(t, jose.ES256, "k1")
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{keys: []signer{k1}, delay: 2 * time.Second}
		s := p.set()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = s.find(ctx, "k1", "ES256") })
		wg.Go(func() {
			time.Sleep(time.Second)
			if _, err := s.find(t.Context(), "k1", "ES256"); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			time.Sleep(time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := s.find(ctx, "k1", "ES256"); !errors.Is(err, login.ErrTemporary) {
				t.Error(err)
			}
		})
		time.Sleep(500 * time.Millisecond)
		cancel()
		wg.Wait()
		if p.asked != 1 {
			t.Errorf("asked %d times", p.asked)
		}
	})
}

func TestKeySetBadServers(t *testing.T) {
	k1 := newSigner(t, jose.ES256, "k1")
	elsewhere := newIDP(t, k1)
	endless := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"keys":[`)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat(" ", 32<<10)); err != nil {
				return
			}
		}
	}
	tests := []struct {
		name string
		f    http.HandlerFunc
	}{
		{"500", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "x", 500) }},
		{"404", http.NotFound},
		{"redirect to another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)+"/keys", http.StatusFound)
		}},
		{"redirect to another port", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/keys", http.StatusTemporaryRedirect)
		}},
		{"redirect without TLS", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+r.Host+"/keys", http.StatusFound)
		}},
		{"redirect to itself", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/keys", http.StatusFound) }},
		{"endless", endless},
		{"HTML", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }},
		{"no keys", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, map[string]any{}) }},
		{"empty", func(http.ResponseWriter, *http.Request) {}},
		{"symmetric", func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, map[string]any{"keys": []any{map[string]any{"kty": "oct", "k": "AAAA", "kid": "k1"}}})
		}},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"keys":[`)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newIDP(t, k1)
			p.failWith(tt.f)
			v := p.verifier()
			v.Keys = &KeySet{URL: p.URL + "/keys", Client: p.Client(), Logger: quiet}
			_, err := v.VerifyToken(t.Context(), k1.sign(t, nil, p.claims(nil)))
			if !errors.Is(err, ErrKeys) || !errors.Is(err, login.ErrTemporary) || errors.Is(err, login.ErrRejected) {
				t.Errorf("got %v", err)
			}
		})
	}
	if n := elsewhere.fetched.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

func TestKeySetRedirectWithinHost(t *testing.T) {
	k1 := newSigner(t, jose.ES256, "k1")
	p := newIDP(t, k1)
	var moved atomic.Bool
	p.failWith(func(w http.ResponseWriter, r *http.Request) {
		if moved.CompareAndSwap(false, true) {
			p.failWith(nil)
			http.Redirect(w, r, "/keys?v=2", http.StatusFound)
		}
	})
	if _, err := p.verifier().VerifyToken(t.Context(), k1.sign(t, nil, p.claims(nil))); err != nil {
		t.Error(err)
	}
}

func TestKeySetFile(t *testing.T) {
	k1, k2 := newSigner(t, jose.ES256, "k1"), newSigner(t, jose.EdDSA, "k2")
	path := filepath.Join(t.TempDir(), "keys.json")
	write := func(signers ...signer) {
		set := jose.JSONWebKeySet{}
		for _, s := range signers {
			set.Keys = append(set.Keys, s.jwk())
		}
		data, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		s := &KeySet{File: path, Logger: quiet}
		write(k1)
		if _, err := s.find(t.Context(), "k1", "ES256"); err != nil {
			t.Fatal(err)
		}
		write(k1, k2)
		time.Sleep(15 * time.Second)
		if _, err := s.find(t.Context(), "k2", "EdDSA"); err != nil {
			t.Error(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if _, err := s.find(t.Context(), "k2", "EdDSA"); err != nil {
			t.Error(err)
		}
	})
}

func TestParseKeySet(t *testing.T) {
	good := newSigner(t, jose.ES256, "good")
	text, err := good.jwk().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	member := func(change func(map[string]any)) any {
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		change(m)
		return m
	}
	private, err := jose.JSONWebKey{Key: good.private, KeyID: "private"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("_", 4000)
	members := []any{
		1, "x", nil,
		[]any{},
		map[string]any{},
		json.RawMessage(private),
		member(func(m map[string]any) { m["use"] = "enc" }),
		member(func(m map[string]any) { m["use"] = 1 }),
		member(func(m map[string]any) { m["key_ops"] = []string{"sign"} }),
		member(func(m map[string]any) { m["x"] = "AAAA" }),
		member(func(m map[string]any) { m["y"] = m["x"] }),
		member(func(m map[string]any) { m["crv"] = "P-224" }),
		map[string]any{"kty": "RSA", "n": "AQAB", "e": "AQAB"},
		map[string]any{"kty": "RSA", "n": big, "e": "AQAB"},
		map[string]any{"kty": "OKP", "crv": "X25519", "x": "AAAA"},
		member(func(m map[string]any) { m["x5c"] = []string{"not a certificate"}; m["x5u"] = ":" }), // good all the same
		member(func(m map[string]any) { m["key_ops"] = []string{"verify"} }),                        // good
	}
	data, err := json.Marshal(map[string]any{"keys": members})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := parseKeySet(data)
	if err != nil || len(keys) != 2 || keys[0].id != "good" || keys[1].id != "good" {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if got := match(keys, "", "ES256"); len(got) != 2 {
		t.Errorf("without a key id: %d", len(got))
	}
	if got := match(keys, "good", "ES384"); len(got) != 0 {
		t.Errorf("another algorithm: %d", len(got))
	}
}

func TestDiscovery(t *testing.T) {
	k1 := newSigner(t, jose.ES256, "k1")
	var metadata atomic.Value // func(w, r)
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		metadata.Load().(func(http.ResponseWriter, *http.Request))(w, r)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k1.jwk()}})
	})
	plain := httptest.NewServer(mux)
	t.Cleanup(plain.Close)
	issuer := server.URL + "/realms/mail"
	at := func(path string, object map[string]any) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != path {
				http.NotFound(w, r)
				return
			}
			writeJSON(w, object)
		}
	}
	good := map[string]any{"issuer": issuer, "jwks_uri": server.URL + "/keys"}
	openid, rfc8414 := "/realms/mail/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/realms/mail"
	tests := []struct {
		name string
		f    func(http.ResponseWriter, *http.Request)
		ok   bool
	}{
		{"OpenID Connect", at(openid, good), true},
		{"RFC 8414", at(rfc8414, good), true},
		{"none", at("/elsewhere", good), false},
		{"about another issuer", at(openid, map[string]any{"issuer": server.URL, "jwks_uri": server.URL + "/keys"}), false},
		{"no issuer", at(openid, map[string]any{"jwks_uri": server.URL + "/keys"}), false},
		{"no keys", at(openid, map[string]any{"issuer": issuer}), false},
		{"keys without TLS", at(openid, map[string]any{"issuer": issuer, "jwks_uri": plain.URL + "/keys"}), false},
		{"keys in a file", at(openid, map[string]any{"issuer": issuer, "jwks_uri": "file:///etc/passwd"}), false},
		{"500", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "x", 500) }, false},
		{"HTML called JSON", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "<html>")
		}, false},
		{"JSON called HTML", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_ = json.NewEncoder(w).Encode(good)
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			metadata.Store(tt.f)
			s := &KeySet{Issuer: issuer, Client: server.Client(), Logger: quiet}
			keys, err := s.find(t.Context(), "k1", "ES256")
			want := "temporary"
			if tt.ok {
				want = "found"
			}
			if got := verdict(keys, err); got != want {
				t.Errorf("%s, want %s: %v", got, want, err)
			}
		})
	}
}
