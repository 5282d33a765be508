package oauth

import (
	"context"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/mailstead/mailstead/auth/login"
)

func TestJWTAcceptsEachAlgorithm(t *testing.T) {
	for _, alg := range algorithms() {
		t.Run(alg, func(t *testing.T) {
			s := newSigner(t, jose.SignatureAlgorithm(alg), "k1")
			p := newIDP(t, s)
			v := p.verifier()
			v.OnlyAccessTokens = true
			v.Rules.Scopes = []string{"mail"}
			if err := v.Validate(); err != nil {
				t.Fatal(err)
			}
			got, err := v.VerifyToken(t.Context(), s.sign(t, nil, p.claims(nil)))
			if err != nil {
				t.Fatal(err)
			}
			if got.Username != "alice@example.org" || !slices.Equal(got.Scopes, []string{"openid", "mail"}) ||
				time.Until(got.Expires) < 59*time.Minute {
				t.Errorf("got %+v", got)
			}
			v.Algorithms = []string{"none"}
			if v.Validate() == nil {
				t.Error("none is an algorithm")
			}
		})
	}
}

// hs256 signs with a shared secret, as somebody would who takes the public key
// for one.
func hs256(header, claims string, secret []byte) string {
	text := raw(header, claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestJWTRefuses(t *testing.T) {
	s := newSigner(t, jose.RS256, "k1")
	stranger := newSigner(t, jose.ES256, "k1")
	p := newIDP(t, s)
	other := newIDP(t, stranger)
	der, err := x509.MarshalPKIXPublicKey(s.private.Public().(*rsa.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	sign := func(changes map[string]any) string { return s.sign(t, nil, p.claims(changes)) }
	with := func(name jose.HeaderKey, value any) string {
		return s.sign(t, map[jose.HeaderKey]any{name: value}, p.claims(nil))
	}
	kid := func(id string) string { return signer{s.alg, id, s.private}.sign(t, nil, p.claims(nil)) }
	now := time.Now().Unix()
	good := `{"iss":"` + p.URL + `","aud":"` + audience + `","exp":` + fmt.Sprint(now+3600) + `,"email":"alice@example.org","email_verified":true`
	bomb := strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500)
	tests := []struct {
		name, token string
		want        error
	}{
		{"empty", "", ErrMalformed},
		{"padding only", "===", ErrMalformed},
		{"one part", "abc", ErrMalformed},
		{"four parts", sign(nil) + ".x", ErrMalformed},
		{"control character", sign(nil) + "\x01", ErrMalformed},
		{"1 MB", strings.Repeat("a", 1<<20), ErrTooLarge},
		{"17 KiB", strings.Repeat("a", 17<<10), ErrTooLarge},
		{"header not JSON", raw("x", good+"}", "s"), ErrMalformed},
		{"header an array", raw(`["alg"]`, good+"}", "s"), ErrMalformed},
		{"claims not JSON", raw(`{"alg":"RS256"}`, "x", "s"), ErrMalformed},
		{"no alg", raw(`{"typ":"at+jwt"}`, good+"}", "s"), ErrMalformed},
		{"alg none", raw(`{"alg":"none","typ":"at+jwt"}`, good+"}", ""), ErrAlgorithm},
		{"alg None", raw(`{"alg":"nOnE","typ":"at+jwt"}`, good+"}", "s"), ErrAlgorithm},
		{"HS256 with the public key", hs256(`{"alg":"HS256","typ":"at+jwt","kid":"k1"}`, good+"}", publicPEM), ErrAlgorithm},
		{"HS256 with its DER", hs256(`{"alg":"HS256","typ":"at+jwt","kid":"k1"}`, good+"}", der), ErrAlgorithm},
		{"unsigned RS256", raw(`{"alg":"RS256","typ":"at+jwt","kid":"k1"}`, good+"}", ""), ErrSignature},
		{"alg of another key", stranger.sign(t, nil, p.claims(nil)), ErrSignature},
		{"alg that the key is not for", signer{jose.PS256, "k1", s.private}.sign(t, nil, p.claims(nil)), ErrSignature},
		{"signature cut", sign(nil)[:len(sign(nil))-4], ErrSignature},
		{"claims changed", changeClaims(t, sign(nil), `"alice@`, `"bob@`), ErrSignature},
		{"duplicate claim", s.sign(t, nil, good+`,"email":"bob@example.org"}`), ErrMalformed},
		{"duplicate claim, escaped", s.sign(t, nil, good+`,"em\u0061il":"bob@example.org"}`), ErrMalformed},
		{"duplicate in header", raw(`{"alg":"RS256","alg":"none"}`, good+"}", "s"), ErrMalformed},
		{"bomb in claims", s.sign(t, nil, good+`,"x":`+bomb+`}`), ErrMalformed},
		{"bomb in header", raw(`{"alg":"RS256","x":`+bomb+`}`, good+"}", "s"), ErrMalformed},
		{"arrays in claims", raw(`{"alg":"RS256"}`, strings.Repeat("[", 9000), "s"), ErrMalformed},
		{"crit", with("crit", []string{"exp"}), ErrMalformed},
		{"crit empty", with("crit", []string{}), ErrMalformed},
		{"b64", raw(`{"alg":"RS256","b64":false}`, good+"}", "s"), ErrMalformed},
		{"kid a number", with("kid", 7), ErrMalformed},
		{"kid a path", kid("../../../../../../dev/null"), ErrSignature},
		{"kid a URL", kid(other.URL + "/keys"), ErrSignature},
		{"kid SQL", kid("x' UNION SELECT 'secret"), ErrSignature},
		{"kid long", kid(strings.Repeat("k", 600)), ErrMalformed},
		{"jku", stranger.sign(t, map[jose.HeaderKey]any{"jku": other.URL + "/keys"}, p.claims(nil)), ErrSignature},
		{"x5u", stranger.sign(t, map[jose.HeaderKey]any{"x5u": other.URL + "/keys"}, p.claims(nil)), ErrSignature},
		{"jwk", stranger.sign(t, map[jose.HeaderKey]any{"jwk": stranger.jwk()}, p.claims(nil)), ErrSignature},
		{"ID token type", with("typ", "id+jwt"), ErrType},
		{"logout token type", with("typ", "logout+jwt"), ErrType},
		{"DPoP proof type", with("typ", "dpop+jwt"), ErrType},
		{"refresh token of Keycloak", sign(map[string]any{"typ": "Refresh"}), ErrType},
		{"ID token of Keycloak", sign(map[string]any{"typ": "ID"}), ErrType},
		{"typ claim a number", sign(map[string]any{"typ": 1}), ErrType},
		{"bound to a key", sign(map[string]any{"cnf": map[string]any{"jkt": "x"}}), ErrType},
		{"no iss", sign(map[string]any{"iss": nil}), ErrIssuer},
		{"other iss", sign(map[string]any{"iss": other.URL}), ErrIssuer},
		{"iss with a slash", sign(map[string]any{"iss": p.URL + "/"}), ErrIssuer},
		{"iss a list", sign(map[string]any{"iss": []string{p.URL}}), ErrIssuer},
		{"no aud", sign(map[string]any{"aud": nil}), ErrAudience},
		{"other aud", sign(map[string]any{"aud": "calendar"}), ErrAudience},
		{"other auds", sign(map[string]any{"aud": []string{"a", "b"}}), ErrAudience},
		{"aud with a number", sign(map[string]any{"aud": []any{audience, 1}}), ErrAudience},
		{"aud an object", sign(map[string]any{"aud": map[string]any{audience: 1}}), ErrAudience},
		{"expired", sign(map[string]any{"exp": now - 31}), ErrExpired},
		{"no exp", sign(map[string]any{"exp": nil}), ErrExpired},
		{"exp a string", sign(map[string]any{"exp": "9999999999"}), ErrExpired},
		{"exp huge", s.sign(t, nil, strings.Replace(good, fmt.Sprint(now+3600), "1e400", 1)+"}"), ErrExpired},
		{"exp negative", sign(map[string]any{"exp": -1}), ErrExpired},
		{"nbf in the future", sign(map[string]any{"nbf": now + 300}), ErrExpired},
		{"nbf a string", sign(map[string]any{"nbf": "now"}), ErrExpired},
		{"iat in the future", sign(map[string]any{"iat": now + 300}), ErrExpired},
		{"valid for too long", sign(map[string]any{"exp": now + 90000}), ErrExpired},
		{"valid for too long, no iat", sign(map[string]any{"iat": nil, "exp": now + 90000}), ErrExpired},
		{"scope missing", sign(map[string]any{"scope": "openid"}), ErrScope},
		{"scope of a part", sign(map[string]any{"scope": "mailx"}), ErrScope},
		{"no user", sign(map[string]any{"email": nil}), ErrUser},
		{"user empty", sign(map[string]any{"email": ""}), ErrUser},
		{"user a list", sign(map[string]any{"email": []string{"a@b"}}), ErrUser},
		{"user long", sign(map[string]any{"email": strings.Repeat("a", 2000)}), ErrUser},
		{"user with a newline", sign(map[string]any{"email": "alice\n@example.org"}), ErrUser},
		{"email not verified", sign(map[string]any{"email_verified": false}), ErrUser},
		{"email not said to be verified", sign(map[string]any{"email_verified": nil}), ErrUser},
		{"verified a number", sign(map[string]any{"email_verified": 1}), ErrUser},
	}
	v := p.verifier()
	v.Rules.Scopes = []string{"mail"}
	v.Keys = &KeySet{Issuer: p.URL, Client: p.Client(), MinInterval: time.Hour}
	if _, err := v.VerifyToken(t.Context(), sign(nil)); err != nil {
		t.Fatal("good token:", err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := v.VerifyToken(t.Context(), tt.token)
			if !errors.Is(err, tt.want) || !errors.Is(err, login.ErrRejected) || errors.Is(err, login.ErrTemporary) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if len(tt.token) > 20 && strings.Contains(err.Error(), tt.token) {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
	if n := other.fetched.Load(); n != 0 {
		t.Errorf("%d requests to where the tokens pointed", n)
	}
	if n := p.fetched.Load(); n != 1 {
		t.Errorf("keys were fetched %d times", n)
	}
}

func changeClaims(t *testing.T, token, from, to string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || !strings.Contains(string(text), from) {
		t.Fatal(err, string(text))
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(text), from, to, 1)))
	return strings.Join(parts, ".")
}

func TestJWTAcceptsVariants(t *testing.T) {
	s := newSigner(t, jose.ES256, "k1")
	p := newIDP(t, s)
	now := time.Now()
	tests := []struct {
		name    string
		typ     string
		changes map[string]any
		adjust  func(*JWT)
		want    string
	}{
		{name: "audience in a list", changes: map[string]any{"aud": []string{"calendar", audience}}},
		{name: "media type in full", typ: "application/AT+JWT"},
		{name: "typ JWT", typ: "JWT"},
		{name: "expired within the leeway", changes: map[string]any{"exp": now.Add(-20 * time.Second).Unix()}},
		{name: "iat within the leeway", changes: map[string]any{"iat": now.Add(20 * time.Second).Unix()}},
		{name: "fractions", changes: map[string]any{"exp": float64(now.Unix()) + 100.5}},
		{name: "verified as a string", changes: map[string]any{"email_verified": "true"}},
		{name: "scp of Microsoft", changes: map[string]any{"scope": nil, "scp": "mail x"}, adjust: scoped},
		{name: "scp of Okta", changes: map[string]any{"scope": nil, "scp": []string{"x", "mail"}}, adjust: scoped},
		{
			name: "long life allowed", changes: map[string]any{"exp": now.Add(9000 * time.Hour).Unix()},
			adjust: func(v *JWT) { v.MaxLifetime = -1 },
		},
		{
			name: "unverified allowed", changes: map[string]any{"email_verified": nil},
			adjust: func(v *JWT) { v.Rules.UnverifiedEmail = true },
		},
		{
			name: "other claim", changes: map[string]any{"upn": "Alice@Example.ORG"},
			adjust: func(v *JWT) { v.Rules.Username = []string{"upn", "email"} }, want: "Alice@Example.ORG",
		},
		{name: "second claim", adjust: func(v *JWT) { v.Rules.Username = []string{"upn", "email"} }},
		{
			name: "nested claim", changes: map[string]any{"mail": map[string]any{"a/b~c": "bob@example.org"}},
			adjust: func(v *JWT) { v.Rules.Username = []string{"/mail/a~1b~0c"} }, want: "bob@example.org",
		},
		{
			name: "claim that is a URL", changes: map[string]any{"https://example.org/mail": "bob@example.org"},
			adjust: func(v *JWT) { v.Rules.Username = []string{"https://example.org/mail"} }, want: "bob@example.org",
		},
		{name: "domain allowed", adjust: func(v *JWT) { v.Rules.Domains = []string{"example.net", "EXAMPLE.org"} }},
		{name: "mapped", adjust: func(v *JWT) {
			v.Rules.Map = func(_ context.Context, name string, claims map[string]any) (string, error) {
				return claims["sub"].(string) + "-" + name, nil
			}
		}, want: "4711-alice@example.org"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := p.verifier()
			if tt.adjust != nil {
				tt.adjust(v)
			}
			header := map[jose.HeaderKey]any{}
			if tt.typ != "" {
				header["typ"] = tt.typ
			}
			got, err := v.VerifyToken(t.Context(), s.sign(t, header, p.claims(tt.changes)))
			want := tt.want
			if want == "" {
				want = "alice@example.org"
			}
			if err != nil || got.Username != want {
				t.Errorf("got %+v, %v; want %q", got, err, want)
			}
		})
	}
}

func scoped(v *JWT) { v.Rules.Scopes = []string{"mail"} }

func TestJWTRules(t *testing.T) {
	s := newSigner(t, jose.ES256, "k1")
	p := newIDP(t, s)
	broken := errors.New("directory down")
	mapTo := func(name string, err error) func(*JWT) {
		return func(v *JWT) {
			v.Rules.Map = func(context.Context, string, map[string]any) (string, error) { return name, err }
		}
	}
	tests := []struct {
		name   string
		adjust func(*JWT)
		want   []error
	}{
		{"typ JWT where at+jwt is asked for", func(v *JWT) { v.OnlyAccessTokens = true }, []error{login.ErrRejected, ErrType}},
		{"algorithm not in the list", func(v *JWT) { v.Algorithms = []string{"RS256"} }, []error{login.ErrRejected, ErrAlgorithm}},
		{"other domain", func(v *JWT) { v.Rules.Domains = []string{"example.net"} }, []error{login.ErrRejected, ErrUser}},
		{"sub-domain", func(v *JWT) { v.Rules.Domains = []string{"org"} }, []error{login.ErrRejected, ErrUser}},
		{"no such user", mapTo("", login.ErrRejected), []error{login.ErrRejected, ErrUser}},
		{"directory down", mapTo("", broken), []error{login.ErrTemporary, broken}},
		{"mapped out of the domain", func(v *JWT) {
			mapTo("root@example.net", nil)(v)
			v.Rules.Domains = []string{"example.org"}
		}, []error{login.ErrRejected, ErrUser}},
		{"mapped to a name without domain", func(v *JWT) {
			mapTo("root", nil)(v)
			v.Rules.Domains = []string{"example.org"}
		}, []error{login.ErrRejected, ErrUser}},
		{"mapped to nothing", mapTo("", nil), []error{login.ErrRejected, ErrUser}},
		{"no audience", func(v *JWT) { v.Rules.Audience = nil }, []error{login.ErrTemporary, ErrConfig}},
		{"no issuer", func(v *JWT) { v.Issuer = "" }, []error{login.ErrTemporary, ErrConfig}},
	}
	token := s.sign(t, map[jose.HeaderKey]any{"typ": "JWT"}, p.claims(nil))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := p.verifier()
			tt.adjust(v)
			_, err := v.VerifyToken(t.Context(), token)
			for _, want := range tt.want {
				if !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			}
			if errors.Is(err, login.ErrTemporary) && errors.Is(err, login.ErrRejected) {
				t.Errorf("both temporary and final: %v", err)
			}
		})
	}
}

func TestJWTValidate(t *testing.T) {
	v := &JWT{
		Algorithms: []string{"HS256"},
		Rules:      Rules{Domains: []string{"a b", ""}},
		Keys:       &KeySet{URL: "http://keys.example.org/", File: "keys.json"},
	}
	err := v.Validate()
	for _, want := range []string{"Issuer is missing", "Audience is missing", `"HS256"`, `"a b"`, "one of File", "https"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	for _, address := range []string{
		"http://issuer.example.org", "https://user:secret@issuer.example.org", "https://issuer.example.org#x", "file:///etc/passwd", "https://",
	} {
		v := &JWT{Issuer: address, Rules: Rules{Audience: []string{"x"}}}
		if v.Validate() == nil {
			t.Errorf("%s: no fault", address)
		}
	}
	v = &JWT{Issuer: "http://[::1]:8080/realm", Rules: Rules{Audience: []string{"x"}}, Client: http.DefaultClient}
	if err := v.Validate(); err != nil {
		t.Error(err)
	}
}

// BenchmarkVerifyToken is the cost of a login with keys at hand, and of one
// that is refused before a signature is looked at.
func BenchmarkVerifyToken(b *testing.B) {
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA} {
		s := newSigner(b, alg, "k1")
		p := newIDP(b, s)
		v := p.verifier()
		for name, changes := range map[string]map[string]any{"good": nil, "expired": {"exp": 1}} {
			token := s.sign(b, nil, p.claims(changes))
			b.Run(string(alg)+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := v.VerifyToken(b.Context(), token); (err == nil) != (name == "good") {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
