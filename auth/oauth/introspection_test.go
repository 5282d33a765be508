package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth/internal/digest"
)

// introspected is a good answer with changes; nil removes a member.
func introspected(changes map[string]any) map[string]any {
	a := map[string]any{
		"active": true, "username": "alice@example.org", "aud": []string{audience}, "scope": "openid mail",
		"exp": time.Now().Add(time.Hour).Unix(), "token_type": "Bearer", "iss": "https://issuer.example.org",
	}
	maps.Copy(a, changes)
	maps.DeleteFunc(a, func(_ string, v any) bool { return v == nil })
	return a
}

// introspector is a verifier whose endpoint is f, without a network.
func introspector(f http.HandlerFunc) *Introspection {
	return &Introspection{
		Endpoint: "https://issuer.example.org/introspect", ClientID: "imap server", ClientSecret: login.NewPassword("s3cr:t/+"),
		Issuer: "https://issuer.example.org", Rules: Rules{Audience: []string{audience}, Scopes: []string{"mail"}},
		Client: &http.Client{Transport: direct(f)},
	}
}

func TestIntrospectionRequest(t *testing.T) {
	for _, inBody := range []bool{false, true} {
		t.Run(fmt.Sprint(inBody), func(t *testing.T) {
			v := introspector(func(w http.ResponseWriter, r *http.Request) {
				// What Basic carries is form-encoded (RFC 6749 §2.3.1).
				user, password, basic := r.BasicAuth()
				id, secret := r.PostFormValue("client_id"), r.PostFormValue("client_secret")
				switch {
				case r.Method != http.MethodPost || r.URL.RawQuery != "":
					t.Errorf("%s %s", r.Method, r.URL)
				case r.PostFormValue("token") != "opaque+token/==" || r.PostFormValue("token_type_hint") != "access_token":
					t.Errorf("form %v", r.PostForm)
				case inBody && (basic || id != "imap server" || secret != "s3cr:t/+"):
					t.Errorf("form %v", r.PostForm)
				case !inBody && (user != "imap+server" || password != "s3cr%3At%2F%2B" || id+secret != ""):
					t.Errorf("Basic %q %q, form %v", user, password, r.PostForm)
				}
				writeJSON(w, introspected(nil))
			})
			v.SecretInBody = inBody
			if err := v.Validate(); err != nil {
				t.Fatal(err)
			}
			got, err := v.VerifyToken(t.Context(), "opaque+token/==")
			if err != nil || got.Username != "alice@example.org" || len(got.Scopes) != 2 || got.Expires.IsZero() {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestIntrospectionAnswers(t *testing.T) {
	now := time.Now().Unix()
	tests := []struct {
		name    string
		changes map[string]any
		want    error // nil: accepted
	}{
		{"good", nil, nil},
		{"inactive", map[string]any{"active": false}, ErrInactive},
		{"no exp", map[string]any{"exp": nil}, nil},
		{"expired", map[string]any{"exp": now - 1}, ErrExpired},
		{"exp a string", map[string]any{"exp": "soon"}, ErrExpired},
		{"nbf in the future", map[string]any{"nbf": now + 600}, ErrExpired},
		{"aud a string", map[string]any{"aud": audience}, nil},
		{"other aud", map[string]any{"aud": "calendar"}, ErrAudience},
		{"no aud", map[string]any{"aud": nil}, ErrAudience},
		{"no scope", map[string]any{"scope": nil}, ErrScope},
		{"other scope", map[string]any{"scope": "openid"}, ErrScope},
		{"no user", map[string]any{"username": nil}, ErrUser},
		{"user a number", map[string]any{"username": 7}, ErrUser},
		{"no iss", map[string]any{"iss": nil}, nil},
		{"other iss", map[string]any{"iss": "https://evil.example"}, ErrIssuer},
		{"iss a number", map[string]any{"iss": 1}, ErrIssuer},
		{"token type in small letters", map[string]any{"token_type": "bearer"}, nil},
		{"DPoP", map[string]any{"token_type": "DPoP"}, ErrType},
		{"bound to a certificate", map[string]any{"cnf": map[string]any{"x5t#S256": "x"}}, ErrType},
		{"refresh token", map[string]any{"typ": "Refresh"}, ErrType},
		{"refresh token of Hydra", map[string]any{"token_use": "refresh_token"}, ErrType},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := introspector(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, introspected(tt.changes)) })
			got, err := v.VerifyToken(t.Context(), "opaque")
			switch {
			case tt.want == nil && (err != nil || got.Username != "alice@example.org"):
				t.Errorf("%+v, %v", got, err)
			case tt.want != nil && (!errors.Is(err, tt.want) || !errors.Is(err, login.ErrRejected) || errors.Is(err, login.ErrTemporary)):
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestIntrospectionAnyAudience(t *testing.T) {
	v := introspector(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, introspected(map[string]any{"aud": nil})) })
	v.Rules.Audience = nil
	if _, err := v.VerifyToken(t.Context(), "opaque"); !errors.Is(err, ErrConfig) || !errors.Is(err, login.ErrTemporary) {
		t.Error(err)
	}
	v.AnyAudience = true
	if _, err := v.VerifyToken(t.Context(), "opaque"); err != nil {
		t.Error(err)
	}
}

// Whatever is wrong with the server is temporary.
func TestIntrospectionBadServers(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	answer := func(contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = io.WriteString(w, body)
		}
	}
	says := func(status int, active bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(introspected(map[string]any{"active": active}))
		}
	}
	tests := []struct {
		name string
		f    http.HandlerFunc
	}{
		{"500", says(500, false)},
		{"503, active", says(503, true)},
		{"401: our secret is wrong", says(401, false)},
		{"400", says(400, false)},
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }},
		{"307 elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}},
		{"302 elsewhere", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }},
		{"308 to itself", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusPermanentRedirect)
		}},
		{"JSON called HTML", answer("text/html", `{"active":true,"username":"alice"}`)},
		{"HTML called JSON", answer("application/json", `<html>`)},
		{"a signed answer", answer("application/token-introspection+jwt", "eyJ.eyJ.x")},
		{"empty", answer("application/json", "")},
		{"null", answer("application/json", "null")},
		{"no active", answer("application/json", `{"username":"alice"}`)},
		{"active a string", answer("application/json", `{"active":"true"}`)},
		{"active twice", answer("application/json", `{"active":false,"active":true}`)},
		{"two objects", answer("application/json", `{"active":true}{}`)},
		{"not UTF-8", answer("application/json", "{\"active\":true,\"x\":\"\xff\"}")},
		{"huge", answer("application/json", `{"active":true,"x":"`+strings.Repeat("a", 65<<10)+`"}`)},
		{"deep", answer("application/json", `{"active":true,"x":`+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+`}`)},
		{"many", answer("application/json", `{"active":true,"x":[`+strings.Repeat("1,", 20000)+`1]}`)},
		{"closes", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewTLSServer(tt.f)
			t.Cleanup(server.Close)
			v := introspector(nil)
			v.Endpoint, v.Client = server.URL, server.Client()
			_, err := v.VerifyToken(t.Context(), "secret-token")
			if !errors.Is(err, ErrIntrospection) || !errors.Is(err, login.ErrTemporary) || errors.Is(err, login.ErrRejected) {
				t.Errorf("got %v", err)
			}
			if strings.Contains(err.Error(), "secret-token") || strings.Contains(err.Error(), "s3cr") {
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

func TestIntrospectionNeedsTLS(t *testing.T) {
	for _, address := range []string{"http://issuer.example.org/introspect", "ftp://issuer.example.org", "", "https://"} {
		v := introspector(func(http.ResponseWriter, *http.Request) { t.Errorf("%q was asked", address) })
		v.Endpoint = address
		if v.Validate() == nil {
			t.Errorf("%q: no fault", address)
		}
		if _, err := v.VerifyToken(t.Context(), "opaque"); !errors.Is(err, login.ErrTemporary) {
			t.Errorf("%q: %v", address, err)
		}
	}
	ok := func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, introspected(nil)) }
	for _, address := range []string{"http://127.0.0.1:8080/x", "http://[::1]/x", "http://localhost/x"} {
		v := introspector(ok)
		v.Endpoint = address
		if _, err := v.VerifyToken(t.Context(), "opaque"); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
	v := introspector(ok)
	v.Endpoint, v.AllowHTTP = "http://issuer.example.org/x", true
	if _, err := v.VerifyToken(t.Context(), "opaque"); err != nil {
		t.Error(err)
	}
}

// What is not the text of a token is refused unasked.
func TestIntrospectionAsksOnlyForTokens(t *testing.T) {
	v := introspector(func(http.ResponseWriter, *http.Request) { t.Error("the endpoint was asked") })
	for _, token := range []string{
		"", "=", "a=b", "a b", "a\x01auth=Bearer b", "a\r\n", "a\x00", "\"a\"", "a&active=true", "t\u00f6ken", strings.Repeat("a", 16<<10+1), strings.Repeat("a", 1<<20),
	} {
		_, err := v.VerifyToken(t.Context(), token)
		if !errors.Is(err, login.ErrRejected) || !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%.20q: %v", token, err)
		}
	}
}

func TestIntrospectionCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, active := 0, true
		var life time.Duration
		v := introspector(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			writeJSON(w, introspected(map[string]any{"active": active, "exp": time.Now().Add(life).Unix()}))
		})
		step := func(what string, after time.Duration, ok bool, want int) {
			t.Helper()
			time.Sleep(after)
			if _, err := v.VerifyToken(t.Context(), "opaque"); (err == nil) != ok || asked != want {
				t.Errorf("%s: %v after %d questions, want %v after %d", what, err, asked, ok, want)
			}
		}
		life = time.Hour
		step("first", 0, true, 1)
		step("remembered", 59*time.Second, true, 1)
		active = false
		step("revoked", time.Second, false, 2)
		step("refusals are not remembered", 0, false, 3)
		active, life = true, 10*time.Second
		step("short life", 0, true, 4)
		step("within it", 9*time.Second, true, 4)
		step("after it", time.Second, true, 5)
		v.CacheTTL = -1
		step("off", time.Minute, true, 6)
		step("off", 0, true, 7)
	})
}

func TestIntrospectionConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, now, most := atomic.Int64{}, atomic.Int64{}, atomic.Int64{}
		v := introspector(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			select {
			case <-time.After(900 * time.Millisecond):
				writeJSON(w, introspected(nil))
			case <-r.Context().Done():
			}
		})
		v.MaxConcurrent = 2
		var wg sync.WaitGroup
		failed := atomic.Int64{}
		for i := range 20 * 10 { // 20 tokens, each 10 times
			wg.Go(func() {
				_, err := v.VerifyToken(t.Context(), fmt.Sprintf("token%d", i%20))
				if err != nil && !errors.Is(err, login.ErrTemporary) {
					t.Error(err)
				}
				if err != nil {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		// Five rounds of two end in time, the sixth does not. In the instant in
		// which the time ends, any of the ten others may just get a turn.
		if asked.Load() < 12 || asked.Load() > 20 || most.Load() != 2 || failed.Load() != 100 {
			t.Errorf("%d questions, %d at once, %d failed", asked.Load(), most.Load(), failed.Load())
		}
	})
}

func TestIntrospectionTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := introspector(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		start := time.Now()
		_, err := v.VerifyToken(t.Context(), "opaque")
		if took := time.Since(start); !errors.Is(err, login.ErrTemporary) || took != 5*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		// Who waits for another's question may go.
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = v.VerifyToken(t.Context(), "opaque") })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		_, err = v.VerifyToken(ctx, "opaque")
		if took := time.Since(start); !errors.Is(err, login.ErrTemporary) || took != time.Second {
			t.Errorf("%v after %v", err, took)
		}
		wg.Wait()
	})
}

func TestTokenCacheIsBounded(t *testing.T) {
	var c tokenCache
	var digests digest.Maker
	for i := range maxRemembered + 1000 {
		c.put(digests.Sum(fmt.Sprint(i)), login.Token{Username: "alice"}, time.Now().Add(time.Hour))
	}
	if len(c.entries) != maxRemembered {
		t.Errorf("%d entries", len(c.entries))
	}
}
