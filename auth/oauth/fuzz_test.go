package oauth

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/mailstead/mailstead/auth/login"
)

// FuzzVerifyToken feeds tokens to a verifier with one known key. Only the one
// good token may pass, and every error is a clear refusal.
func FuzzVerifyToken(f *testing.F) {
	s := newSigner(f, jose.EdDSA, "k1")
	p := newIDP(f, s)
	good := s.sign(f, nil, p.claims(map[string]any{"exp": time.Now().Add(20 * time.Hour).Unix()}))
	for _, seed := range []string{
		good, "", "a.b.c", raw(`{"alg":"none"}`, `{}`, ""), raw(`{"alg":"EdDSA","kid":"k1"}`, `{"iss":"x","iss":"y"}`, "s"),
		raw(`{"alg":"EdDSA","crit":["exp"]}`, `{"exp":1e400}`, "s"), strings.Repeat("A", 20000), good + ".", good[:len(good)-1] + "A",
	} {
		f.Add(seed)
	}
	v := p.verifier()
	v.Keys = &KeySet{Issuer: p.URL, Client: p.Client(), MinInterval: time.Hour, Logger: quiet}
	f.Fuzz(func(t *testing.T, token string) {
		got, err := v.VerifyToken(t.Context(), token)
		switch {
		case err == nil && (token != good || got.Username != "alice@example.org"):
			t.Errorf("%q passed as %+v", token, got)
		case err != nil && !errors.Is(err, login.ErrRejected):
			t.Errorf("%q: %v", token, err)
		}
	})
}

// FuzzIntrospectionAnswer feeds answers of an endpoint to a verifier. An answer
// is accepted only where a plain reading of it says so as well.
func FuzzIntrospectionAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"active":true,"username":"alice","aud":"imap.example.org","scope":"mail","iss":"https://issuer.example.org"}`,
		`{"active":false}`, `{"active":true,"active":false}`, `[]`, `{"active":true,"exp":1e999}`, `{"active":true,"cnf":null}`,
		"{\"active\":true,\"username\":\"\\ud800\"}", strings.Repeat(`{"a":`, 50),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v := introspector(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body)
		})
		got, err := v.VerifyToken(t.Context(), "opaque")
		rejected, temporary := errors.Is(err, login.ErrRejected), errors.Is(err, login.ErrTemporary)
		switch {
		case err != nil && rejected == temporary:
			t.Errorf("%q: %v", body, err)
		case err == nil && (got.Username == "" || !slices.Contains(got.Scopes, "mail") || !strings.Contains(string(body), "true")):
			t.Errorf("%q: accepted as %+v", body, got)
		}
	})
}

// FuzzParseKeySet feeds key sets. What is taken is a public key of a kind that
// verifies.
func FuzzParseKeySet(f *testing.F) {
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA} {
		text, err := newSigner(f, alg, "k").jwk().MarshalJSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(`{"keys":[` + string(text) + `]}`))
	}
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"AQ","e":"AAAAAAAAAAAAAAAA"},{"kty":"EC","crv":"P-256","x":"","y":""}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parseKeySet(data)
		if (err == nil) != (len(keys) > 0) {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		for _, k := range keys {
			jwk := jose.JSONWebKey{Key: k.public}
			if !jwk.Valid() || !jwk.IsPublic() || !slices.Contains([]string{"RSA", "ES256", "ES384", "EdDSA"}, k.family) {
				t.Errorf("%+v", k)
			}
		}
	})
}
