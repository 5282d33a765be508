package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/mailstead/mailstead/auth/login"
)

// seen is a verifier that notes what it gets.
type seen []string

func (s *seen) VerifyToken(_ context.Context, token string) (login.Token, error) {
	*s = append(*s, token)
	return login.Token{Username: "opaque"}, nil
}

func TestIssuers(t *testing.T) {
	sa, sb := newSigner(t, jose.ES256, "k"), newSigner(t, jose.ES256, "k")
	a, b, foreign := newIDP(t, sa), newIDP(t, sb), newIDP(t, sb)
	va, vb := a.verifier(), b.verifier()
	va.Rules.Domains, vb.Rules.Domains = []string{"example.org"}, []string{"example.net"}
	vb.Rules.Audience = []string{"b"}
	var opaque seen
	s := &Issuers{ByIssuer: map[string]login.TokenVerifier{a.URL: va, b.URL: vb}, Opaque: &opaque}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	fromB := func(user string) map[string]any { return b.claims(map[string]any{"aud": "b", "email": user}) }
	tests := []struct {
		name, token, user string
		want              error
	}{
		{"of a", sa.sign(t, nil, a.claims(nil)), "alice@example.org", nil},
		{"of b", sb.sign(t, nil, fromB("bob@example.net")), "bob@example.net", nil},
		{"b names a user of a", sb.sign(t, nil, fromB("alice@example.org")), "", ErrUser},
		{"b signs for a", sb.sign(t, nil, a.claims(nil)), "", ErrSignature},
		{"audience of a at b", sb.sign(t, nil, b.claims(map[string]any{"email": "bob@example.net"})), "", ErrAudience},
		{"of a stranger", sb.sign(t, nil, foreign.claims(nil)), "", ErrIssuer},
		{"no iss", sb.sign(t, nil, a.claims(map[string]any{"iss": nil})), "", ErrIssuer},
		{"a broken JWT", raw(`{"alg":"RS256","crit":["x"]}`, `{}`, "s"), "", ErrMalformed},
		{"opaque", "opaque.token", "opaque", nil},
		{"opaque with dots", "a.b.c", "opaque", nil},
		{"1 MB", strings.Repeat("a", 1<<20), "", ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := s.VerifyToken(t.Context(), tt.token)
			if got.Username != tt.user || !errors.Is(err, tt.want) {
				t.Errorf("%q, %v; want %q, %v", got.Username, err, tt.user, tt.want)
			}
		})
	}
	if fmt.Sprint(opaque) != "[opaque.token a.b.c]" {
		t.Errorf("tokens shown to the opaque verifier: %.200v", opaque)
	}
	s.Opaque = nil
	if _, err := s.VerifyToken(t.Context(), "opaque"); !errors.Is(err, login.ErrRejected) {
		t.Error(err)
	}
}

func TestIssuersValidate(t *testing.T) {
	j := &JWT{Issuer: "https://a.example", Rules: Rules{Audience: []string{"x"}}}
	s := &Issuers{ByIssuer: map[string]login.TokenVerifier{"https://a.example": j}}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	s.Opaque = &Introspection{Endpoint: "https://b.example", AnyAudience: true}
	if err := s.Validate(); err == nil || strings.Count(err.Error(), "needs Rules.Domains") != 2 {
		t.Error(err)
	}
	s = &Issuers{ByIssuer: map[string]login.TokenVerifier{"https://b.example": j}}
	if err := s.Validate(); err == nil || !strings.Contains(err.Error(), `JWT.Issuer is "https://a.example"`) {
		t.Error(err)
	}
	if (&Issuers{}).Validate() == nil {
		t.Error("no verifier at all")
	}
}

// TestSecretsStayInside asserts I4 for every way to print a verifier in use.
func TestSecretsStayInside(t *testing.T) {
	const token, secret = "t0ken-of-alice", "s3cret-of-ours"
	v := introspector(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, introspected(nil)) })
	v.ClientSecret = login.NewPassword(secret)
	if _, err := v.VerifyToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	failing := introspector(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, token+secret, http.StatusBadGateway)
	})
	failing.ClientSecret = v.ClientSecret
	_, failure := failing.VerifyToken(t.Context(), token)
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	plain := slog.New(slog.NewTextHandler(&log, nil))
	inURL := introspector(nil)
	inURL.Endpoint = "https://user:" + secret + "@issuer.example.org/introspect"
	keys := &KeySet{URL: inURL.Endpoint, Logger: logger}
	_, noKeys := keys.find(t.Context(), "k", "ES256")
	_, noAnswer := inURL.VerifyToken(t.Context(), token)
	for _, x := range []any{noKeys, noAnswer, inURL.Validate(), keys.Validate()} {
		fmt.Fprintln(&log, x)
	}
	for _, x := range []any{v, v.ClientSecret, failing, failure, &Issuers{Opaque: v}} {
		logger.Info("x", "x", x)
		plain.Info("x", "x", x)
		fmt.Fprintf(&log, "%v %+v %#v %s %q\n", x, x, x, x, x)
		b, err := json.Marshal(x)
		fmt.Fprintf(&log, "%s %v\n", b, err)
	}
	for _, hidden := range []string{token, secret} {
		if strings.Contains(log.String(), hidden) {
			t.Errorf("%s is in: %s", hidden, log.String())
		}
	}
}
