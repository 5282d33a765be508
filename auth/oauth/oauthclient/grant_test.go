package oauthclient

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/mailstead/mailstead/auth/login"
)

func TestRefreshRotates(t *testing.T) {
	store := &memory{token: "first"}
	idp, _ := rotating("first")
	g := &Refresh{Registration: idp.registration(), Store: store}
	for i := 1; i <= 3; i++ {
		got, err := g.Fetch(t.Context())
		if err != nil || got.Access.Reveal() != fmt.Sprintf("access-%d", i) || store.token != fmt.Sprintf("refresh-%d", i) {
			t.Errorf("%d: %v, %v, stored %q", i, got, err, store.token)
		}
	}
	form := idp.asked[0]
	if form.Get("grant_type") != "refresh_token" || form.Get("scope") != "mail offline_access" || form.Has("client_secret") ||
		idp.basic[0] != "mailstead:cl1ent-s3cret" {
		t.Errorf("%v %v", form, idp.basic[0])
	}
}

// Invariant I3: what cannot be stored is not used, and not lost.
func TestRefreshStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{token: "first", fail: errors.New("disk full")}
		idp, _ := rotating("first")
		s := &Source{Grant: &Refresh{Registration: idp.registration(), Store: store}}
		for range 3 {
			_, err := s.Token(t.Context(), "")
			if !errors.Is(err, store.fail) || !errors.Is(err, login.ErrTemporary) {
				t.Error(err)
			}
			time.Sleep(10 * time.Second)
		}
		if n := idp.count(); n != 1 || store.token != "first" {
			t.Errorf("%d requests, stored %q", n, store.token)
		}
		store.fail = nil
		time.Sleep(5 * time.Minute)
		expect(t, s, "", "access-1")
		if store.token != "refresh-1" {
			t.Errorf("stored %q", store.token)
		}
		// What waited for too long is stored all the same, and replaced.
		store.fail = errors.New("disk full")
		time.Sleep(hour)
		expectError(t, s, "", store.fail)
		store.fail = nil
		time.Sleep(2 * hour)
		expect(t, s, "", "access-3")
		if store.token != "refresh-3" || store.saved != 3 {
			t.Errorf("stored %q, %d times", store.token, store.saved)
		}
	})
}

func TestRefreshWithoutRotation(t *testing.T) {
	for _, again := range []any{nil, "", "first"} {
		store := &memory{token: "first"}
		idp := &server{answer: func(w http.ResponseWriter, _ url.Values) {
			answerJSON(w, 200, map[string]any{"access_token": "a", "token_type": "Bearer", "refresh_token": again})
		}}
		g := &Refresh{Registration: idp.registration(), Store: store}
		if _, err := g.Fetch(t.Context()); err != nil || store.saved != 0 {
			t.Errorf("%v: %v, saved %d times", again, err, store.saved)
		}
	}
}

func TestRefreshWithoutToken(t *testing.T) {
	idp := issuing()
	g := &Refresh{Registration: idp.registration(), Store: &memory{}}
	if _, err := g.Fetch(t.Context()); !errors.Is(err, ErrNoToken) || errors.Is(err, login.ErrTemporary) {
		t.Error(err)
	}
	g = &Refresh{Registration: idp.registration()}
	if _, err := g.Fetch(t.Context()); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
	if n := idp.count(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestErrorsOfTheServer(t *testing.T) {
	object := func(code string) string { return `{"error":"` + code + `","error_description":"because"}` }
	tests := []struct {
		name      string
		status    int
		body      string
		want      error
		permanent bool
	}{
		{"invalid_grant", 400, object("invalid_grant"), ErrInvalidGrant, true},
		{"interaction_required", 400, object("interaction_required"), ErrInvalidGrant, true},
		{"invalid_client", 401, object("invalid_client"), ErrInvalidClient, true},
		{"unauthorized_client", 400, object("unauthorized_client"), ErrInvalidClient, true},
		{"invalid_scope", 400, object("invalid_scope"), ErrConfig, true},
		{"unsupported_grant_type", 400, object("unsupported_grant_type"), ErrConfig, true},
		{"temporarily_unavailable", 400, object("temporarily_unavailable"), ErrServer, false},
		{"unknown code", 400, object("x"), ErrServer, false},
		{"200 with a code", 200, object("invalid_grant"), ErrServer, false},
		{"500", 500, "x", ErrServer, false},
		{"500 with a code", 500, object("invalid_grant"), ErrServer, false},
		{"429 with a code", 429, object("invalid_grant"), ErrServer, false},
		{"403 of a proxy", 403, "<html>", ErrServer, false},
		{"code twice", 400, `{"error":"x","error":"invalid_grant"}`, ErrServer, false},
		{"302", 302, "", ErrServer, false},
		{"204", 204, "", ErrServer, false},
		{"201", 201, `{"access_token":"a","token_type":"Bearer"}`, ErrServer, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			idp := &server{answer: func(w http.ResponseWriter, _ url.Values) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}}
			_, err := (&ClientCredentials{Registration: idp.registration()}).Fetch(t.Context())
			if !errors.Is(err, tt.want) || errors.Is(err, login.ErrTemporary) == tt.permanent {
				t.Errorf("got %v", err)
			}
			var said *ServerError
			if !errors.As(err, &said) || said.Status != tt.status {
				t.Errorf("%#v", said)
			}
		})
	}
}

func TestBadAnswers(t *testing.T) {
	tests := []struct{ name, contentType, body string }{
		{"HTML", "text/html", "<html>"},
		{"JSON called HTML", "text/html", `{"access_token":"a","token_type":"Bearer"}`},
		{"HTML called JSON", "application/json", "<html>"},
		{"form", "application/x-www-form-urlencoded", "access_token=a&token_type=bearer"},
		{"no token", "application/json", `{"token_type":"Bearer"}`},
		{"no type", "application/json", `{"access_token":"a"}`},
		{"other type", "application/json", `{"access_token":"a","token_type":"mac"}`},
		{"token a number", "application/json", `{"access_token":1,"token_type":"Bearer"}`},
		{"token with SASL's separator", "application/json", `{"access_token":"a\u0001auth=x","token_type":"Bearer"}`},
		{"token with CRLF", "application/json", `{"access_token":"a\r\nQUIT","token_type":"Bearer"}`},
		{"token of 65 KB", "application/json", `{"access_token":"` + strings.Repeat("a", 65<<10+1) + `","token_type":"Bearer"}`},
		{"answer of 300 KB", "application/json", strings.Repeat(" ", 300<<10) + `{"access_token":"a","token_type":"Bearer"}`},
		{"token twice", "application/json", `{"access_token":"a","access_token":"b","token_type":"Bearer"}`},
		{"bad refresh token", "application/json", `{"access_token":"a","token_type":"Bearer","refresh_token":["x"]}`},
		{"expires_in negative", "application/json", `{"access_token":"a","token_type":"Bearer","expires_in":-1}`},
		{"expires_in zero", "application/json", `{"access_token":"a","token_type":"Bearer","expires_in":0}`},
		{"expires_in text", "application/json", `{"access_token":"a","token_type":"Bearer","expires_in":"soon"}`},
		{"expires_in NaN", "application/json", `{"access_token":"a","token_type":"Bearer","expires_in":"NaN"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			idp := &server{answer: func(w http.ResponseWriter, _ url.Values) {
				w.Header().Set("Content-Type", tt.contentType)
				_, _ = w.Write([]byte(tt.body))
			}}
			_, err := (&ClientCredentials{Registration: idp.registration()}).Fetch(t.Context())
			if !errors.Is(err, ErrServer) || !errors.Is(err, login.ErrTemporary) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Secrets do not follow a redirect, and do not leave without TLS.
func TestSecretsStayWithTheServer(t *testing.T) {
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request went elsewhere") }))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		idp := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, status)
		}))
		t.Cleanup(idp.Close)
		r := (&server{}).registration()
		r.TokenURL, r.Client = idp.URL, idp.Client()
		_, err := (&ClientCredentials{Registration: r}).Fetch(t.Context())
		if !errors.Is(err, login.ErrTemporary) {
			t.Errorf("%d: %v", status, err)
		}
	}
	idp := issuing()
	r := idp.registration()
	r.TokenURL = "http://idp.example.org/token"
	if _, err := (&ClientCredentials{Registration: r}).Fetch(t.Context()); !errors.Is(err, ErrConfig) || idp.count() != 0 {
		t.Error(err)
	}
	r.AllowHTTP = true
	if _, err := (&ClientCredentials{Registration: r}).Fetch(t.Context()); err != nil {
		t.Error(err)
	}
	r.ClientID = ""
	if r.Validate() == nil {
		t.Error("a secret without a client id")
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	secrets := []string{"cl1ent-s3cret", "r3fresh/+token", "acc3ss-token", "d3vice-code"}
	var log strings.Builder
	show := func(x any) {
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "x", x)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "x", x)
		fmt.Fprintf(&log, "%v %+v %#v %s %q\n", x, x, x, x, x)
		b, err := json.Marshal(x)
		fmt.Fprintf(&log, "%s %v\n", b, err)
	}
	// A server that repeats all that it gets.
	repeats := &server{}
	repeats.answer = func(w http.ResponseWriter, form url.Values) {
		answerJSON(w, 400, map[string]any{"error": "invalid_grant", "error_description": fmt.Sprint(form, repeats.basic)})
	}
	r := repeats.registration()
	r.SecretInBody = true
	_, err := (&Refresh{Registration: r, Store: &memory{token: secrets[1]}}).Fetch(t.Context())
	show(err)
	var said *ServerError
	if !errors.As(err, &said) || said.Description != "" {
		t.Errorf("%#v", said)
	}
	// A server that gives.
	gives := &server{answer: func(w http.ResponseWriter, _ url.Values) {
		answerJSON(w, 200, map[string]any{
			"access_token": secrets[2], "refresh_token": secrets[1], "token_type": "Bearer", "expires_in": 600,
			"device_code": secrets[3], "user_code": "ABCD", "verification_uri": "https://idp.example.org/device",
		})
	}}
	r = gives.registration()
	store := &FileStore{Path: filepath.Join(t.TempDir(), "token")}
	if err := store.Save(t.Context(), login.NewPassword(secrets[1])); err != nil {
		t.Fatal(err)
	}
	grant := &Refresh{Registration: r, Store: store}
	tokens, err := grant.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	device, err := r.StartDevice(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &Source{Grant: &ClientCredentials{Registration: r}}
	expect(t, s, "", secrets[2])
	key := &Key{Signer: mustRSA(t)}
	for _, x := range []any{
		tokens, &tokens, device, *device, r, &r, s, grant, store, login.TokenSource(s), Static(secrets[2]), key, &JWTBearer{Registration: r, Key: key},
	} {
		show(x)
	}
	for _, hidden := range append(secrets, mustRSA(t).D.String(), mustRSA(t).Primes[0].String()) {
		if strings.Contains(log.String(), hidden) {
			t.Errorf("%.20s is in what is printed", hidden)
		}
	}
}

func TestPrintable(t *testing.T) {
	secrets := []login.Password{login.NewPassword("a/b+c"), {}}
	for text, want := range map[string]string{
		"": "", "AADSTS70043: expired": "AADSTS70043: expired", "two\r\nlines\x1b[2J": "two  lines [2J", "für alle": "f r alle",
		strings.Repeat("x", 400): strings.Repeat("x", 300),
		"token a/b+c is spent":   "", "token=a%2Fb%2Bc": "",
	} {
		if got := printable(text, 300, secrets); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// testKey is made once: that takes a while.
var testKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func mustRSA(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	k, err := testKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// checkAssertion verifies a signature and returns header and claims.
func checkAssertion(t *testing.T, text, alg string, public crypto.PublicKey) (jose.Header, map[string]any) {
	t.Helper()
	jws, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(public)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return jws.Signatures[0].Protected, claims
}

func TestAssertions(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		key       crypto.Signer
		algorithm string
		want      string // "" an error
	}{
		{mustRSA(t), "", "RS256"},
		{mustRSA(t), "PS256", "PS256"},
		{mustRSA(t), "ES256", ""},
		{p256, "", "ES256"},
		{p256, "HS256", ""},
		{p384, "", "ES384"},
		{ed, "", "EdDSA"},
		{nil, "", ""},
	} {
		idp := issuing()
		g := &JWTBearer{
			Registration: idp.registration(), Issuer: "service", Subject: "alice@example.org",
			Key: &Key{Signer: tt.key, Algorithm: tt.algorithm, ID: "k1"}, Claims: map[string]any{"scope": "mail", "iss": "forged"},
		}
		_, err := g.Fetch(t.Context())
		if tt.want == "" {
			if !errors.Is(err, ErrConfig) || idp.count() != 0 {
				t.Errorf("%T %s: %v", tt.key, tt.algorithm, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.want, err)
			continue
		}
		form := idp.asked[0]
		header, claims := checkAssertion(t, form.Get("assertion"), tt.want, tt.key.Public())
		if form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || header.KeyID != "k1" ||
			claims["iss"] != "service" || claims["sub"] != "alice@example.org" || claims["aud"] != "https://idp.example.org/token" ||
			claims["scope"] != "mail" || claims["exp"].(float64)-claims["iat"].(float64) != 300 || claims["jti"] == "" {
			t.Errorf("%s: %v %v", tt.want, header, claims)
		}
	}
}

func TestClientWithAKey(t *testing.T) {
	k := mustRSA(t)
	idp := issuing()
	r := idp.registration()
	r.Key = &Key{Signer: k, Algorithm: "PS256", Certificate: &x509.Certificate{Raw: []byte("certificate")}}
	if r.Validate() == nil {
		t.Error("both a secret and a key")
	}
	r.ClientSecret = login.Password{}
	if _, err := (&ClientCredentials{Registration: r}).Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	form := idp.asked[0]
	header, claims := checkAssertion(t, form.Get("client_assertion"), "PS256", k.Public())
	sum := sha256.Sum256([]byte("certificate"))
	thumbprint := base64.RawURLEncoding.EncodeToString(sum[:])
	if form.Get("client_id") != "mailstead" || claims["iss"] != "mailstead" || claims["sub"] != "mailstead" ||
		header.ExtraHeaders["x5t#S256"] != thumbprint ||
		form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		t.Errorf("%v %v %v", form, header, claims)
	}
}

func TestGoogleServiceAccount(t *testing.T) {
	der, err := x509.MarshalPKCS8PrivateKey(mustRSA(t))
	if err != nil {
		t.Fatal(err)
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	file := map[string]string{
		"type": "service_account", "client_email": "relay@project.iam.gserviceaccount.com", "private_key": key,
		"private_key_id": "abc", "token_uri": "https://oauth2.googleapis.com/token",
	}
	marshal := func() []byte {
		b, err := json.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	g, err := GoogleServiceAccount(marshal(), "alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	idp := issuing()
	g.Registration.Client = &http.Client{Transport: idp}
	if _, err := g.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	header, claims := checkAssertion(t, idp.asked[0].Get("assertion"), "RS256", mustRSA(t).Public())
	if header.KeyID != "abc" || claims["scope"] != "https://mail.google.com/" || claims["sub"] != "alice@example.org" ||
		claims["iss"] != file["client_email"] || claims["aud"] != "https://oauth2.googleapis.com/token" {
		t.Errorf("%v %v", header, claims)
	}
	for name, value := range map[string]string{"type": "authorized_user", "private_key": "s3cret-text", "token_uri": "http://x.example"} {
		old := file[name]
		file[name] = value
		_, err := GoogleServiceAccount(marshal(), "")
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
		file[name] = old
	}
	if _, err := GoogleServiceAccount([]byte("{"), ""); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
}

func TestPresets(t *testing.T) {
	for _, r := range []Registration{Microsoft365("example.org"), Microsoft365App("a/b?c"), Google()} {
		r.ClientID = "x"
		if err := r.Validate(); err != nil {
			t.Error(err)
		}
	}
	if r := Microsoft365App("a/b?c"); r.TokenURL != "https://login.microsoftonline.com/a%2Fb%3Fc/oauth2/v2.0/token" {
		t.Error(r.TokenURL)
	}
	if r := Microsoft365("x"); !slices.Contains(r.Scopes, "offline_access") {
		t.Error(r.Scopes)
	}
}

// FuzzParseTokens feeds answers of a token endpoint. What is taken fits into a
// SASL message.
func FuzzParseTokens(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"a","token_type":"Bearer","expires_in":3600,"refresh_token":"r","scope":"x y"}`,
		`{"access_token":"a\u0001","token_type":"Bearer"}`, `{"access_token":"a","token_type":"Bearer","expires_in":1e308}`, `[`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		idp := &server{answer: func(w http.ResponseWriter, _ url.Values) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body)
		}}
		got, err := (&ClientCredentials{Registration: idp.registration()}).Fetch(t.Context())
		if err != nil && !errors.Is(err, login.ErrTemporary) {
			t.Errorf("%q: %v", body, err)
		}
		if err == nil && !isToken(got.Access.Reveal()) {
			t.Errorf("%q: %q", body, got.Access.Reveal())
		}
	})
}
