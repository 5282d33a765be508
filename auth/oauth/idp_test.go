package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// audience is how the server under test is known to issuers.
const audience = "imap.example.org"

// signer is one private key of an issuer.
type signer struct {
	alg     jose.SignatureAlgorithm
	id      string
	private crypto.Signer
}

func newSigner(t testing.TB, alg jose.SignatureAlgorithm, id string) signer {
	t.Helper()
	var k crypto.Signer
	var err error
	switch alg {
	case jose.ES256:
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.ES384:
		k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case jose.EdDSA:
		_, k, err = ed25519.GenerateKey(rand.Reader)
	default:
		k, err = rsaKey()
	}
	if err != nil {
		t.Fatal(err)
	}
	return signer{alg, id, k}
}

// rsaKey is made once: that takes a while.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func (s signer) jwk() jose.JSONWebKey {
	return jose.JSONWebKey{Key: s.private.Public(), KeyID: s.id, Algorithm: string(s.alg), Use: "sig"}
}

// sign makes a JWT; header fields of "" are left out.
func (s signer) sign(t testing.TB, header map[jose.HeaderKey]any, claims any) string {
	t.Helper()
	text, isText := claims.(string)
	if !isText {
		b, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	options := (&jose.SignerOptions{}).WithHeader("kid", s.id).WithType("at+jwt")
	for name, value := range header {
		options = options.WithHeader(name, value)
	}
	js, err := jose.NewSigner(jose.SigningKey{Algorithm: s.alg, Key: s.private}, options)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := js.Sign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// raw joins parts as they are.
func raw(parts ...string) (token string) {
	for i, p := range parts {
		if i > 0 {
			token += "."
		}
		token += base64.RawURLEncoding.EncodeToString([]byte(p))
	}
	return token
}

// idp is an identity provider on loopback with TLS.
type idp struct {
	*httptest.Server
	fetched atomic.Int64 // how often the keys were asked for

	mu   sync.Mutex
	keys []jose.JSONWebKey
	fail http.HandlerFunc // nil: keys are served
}

func newIDP(t testing.TB, signers ...signer) *idp {
	t.Helper()
	p := &idp{}
	p.publish(signers...)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", p.serveKeys)
	p.Server = httptest.NewTLSServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *idp) publish(signers ...signer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = nil
	for _, s := range signers {
		p.keys = append(p.keys, s.jwk())
	}
}

// failWith answers requests for keys with f; nil ends it.
func (p *idp) failWith(f http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = f
}

func (p *idp) serveKeys(w http.ResponseWriter, r *http.Request) {
	p.fetched.Add(1)
	p.mu.Lock()
	keys, fail := p.keys, p.fail
	p.mu.Unlock()
	if fail != nil {
		fail(w, r)
		return
	}
	writeJSON(w, jose.JSONWebKeySet{Keys: keys})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the test sees a cut answer
}

// claims are good ones of the issuer, with changes; nil removes a claim.
func (p *idp) claims(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": p.URL, "aud": audience, "sub": "4711", "client_id": "mutt", "scope": "openid mail",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "jti": "1",
		"email": "alice@example.org", "email_verified": true,
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// verifier is one that trusts the issuer.
func (p *idp) verifier() *JWT {
	return &JWT{Issuer: p.URL, Client: p.Client(), Rules: Rules{Audience: []string{audience}}}
}
