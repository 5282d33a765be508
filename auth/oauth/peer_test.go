package oauth_test

import (
	"bufio"
	"context"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth"
	"github.com/mailstead/mailstead/auth/oauth/oauthclient"
)

// startProvider runs oidc-provider on loopback and returns its issuer.
// MAILSTEAD_OIDC is the directory where npm has installed it.
func startProvider(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MAILSTEAD_OIDC")
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "node_modules", "oidc-provider"))
	}
	if err != nil || dir == "" {
		if os.Getenv("MAILSTEAD_PEERS") == "required" {
			t.Fatalf("node and oidc-provider are not there (MAILSTEAD_OIDC=%q), and MAILSTEAD_PEERS=required", dir)
		}
		t.Skipf("node and oidc-provider are not there (MAILSTEAD_OIDC=%q)", dir)
	}
	cmd := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "provider.mjs"), dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe() // its end ends the provider
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait() // killed with the test's context, if not yet gone
		if t.Failed() {
			t.Logf("oidc-provider: %s", stderr.String())
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("oidc-provider did not start: %v", err)
	}
	return strings.TrimSpace(line)
}

var (
	formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	formInput  = regexp.MustCompile(`<input[^>]*>`)
	attribute  = regexp.MustCompile(`(name|value)="([^"]*)"`)
)

// approve is a person with a browser: it sends each form that comes, logs in
// and agrees, until a page has no form. It returns that page.
func approve(t *testing.T, address, user string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 10 * time.Second}
	resp, err := browser.Get(address)
	for range 8 {
		if err != nil {
			t.Fatal(err)
		}
		body, readErr := io.ReadAll(resp.Body)
		if err := errors.Join(readErr, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		action := formAction.FindSubmatch(body)
		if action == nil {
			return string(body)
		}
		target, parseErr := resp.Request.URL.Parse(html.UnescapeString(string(action[1])))
		if parseErr != nil {
			t.Fatal(parseErr)
		}
		resp, err = browser.PostForm(target.String(), fill(string(body), user))
	}
	t.Fatal("forms without end")
	return ""
}

// fill is what a page's form sends.
func fill(page, user string) url.Values {
	form := url.Values{}
	for _, input := range formInput.FindAllString(page, -1) {
		values := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(input, -1) {
			values[a[1]] = html.UnescapeString(a[2])
		}
		form.Set(values["name"], values["value"])
	}
	for _, name := range []string{"login", "password"} {
		if form.Has(name) {
			form.Set(name, user)
		}
	}
	if strings.Contains(page, `name="confirm"`) || form.Has("xsrf") {
		form.Set("confirm", "yes")
	}
	return form
}

func registration(issuer, resource string) oauthclient.Registration {
	return oauthclient.Registration{
		TokenURL: issuer + "/token", DeviceURL: issuer + "/device/auth", AuthURL: issuer + "/auth?prompt=consent",
		ClientID: "mailer", ClientSecret: login.NewPassword("mailer-s3cret"),
		Scopes: []string{"openid", "offline_access", "mail"}, Params: map[string]string{"resource": resource},
	}
}

func jwtVerifier(issuer string) *oauth.JWT {
	return &oauth.JWT{
		Issuer: issuer, OnlyAccessTokens: true, Algorithms: []string{"ES256"},
		Rules: oauth.Rules{Audience: []string{"urn:test:jwt"}, Scopes: []string{"mail"}, Domains: []string{"example.org"}},
	}
}

func TestPeerOIDCProvider(t *testing.T) {
	issuer := startProvider(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	t.Run("device login, refresh and JWT", func(t *testing.T) { deviceAndRefresh(ctx, t, issuer) })
	t.Run("browser login", func(t *testing.T) { browserLogin(ctx, t, issuer) })
	t.Run("client credentials and introspection", func(t *testing.T) { opaqueTokens(ctx, t, issuer) })
	t.Run("wrong secret", func(t *testing.T) {
		r := registration(issuer, "urn:test:jwt")
		r.ClientSecret = login.NewPassword("wrong")
		_, err := (&oauthclient.ClientCredentials{Registration: r}).Fetch(ctx)
		if !errors.Is(err, oauthclient.ErrInvalidClient) || errors.Is(err, login.ErrTemporary) {
			t.Error(err)
		}
	})
}

func deviceAndRefresh(ctx context.Context, t *testing.T, issuer string) {
	r := registration(issuer, "urn:test:jwt")
	device, err := r.StartDevice(ctx)
	if err != nil {
		t.Fatal(err)
	}
	approve(t, device.VerificationURIComplete, "alice")
	first, err := device.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	store := &oauthclient.FileStore{Path: filepath.Join(t.TempDir(), "token")}
	if err := store.Save(ctx, first.Refresh); err != nil {
		t.Fatal(err)
	}
	v := jwtVerifier(issuer)
	if err := v.Validate(); err != nil {
		t.Fatal(err)
	}
	source := &oauthclient.Source{Grant: &oauthclient.Refresh{Registration: r, Store: store}, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond}
	refused := ""
	for range 3 { // each time the refresh token is another
		token, err := source.Token(ctx, refused)
		for errors.Is(err, oauthclient.ErrRefused) {
			token, err = source.Token(ctx, refused)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.VerifyToken(ctx, token)
		if err != nil || got.Username != "alice@example.org" || !slices.Contains(got.Scopes, "mail") || time.Until(got.Expires) < 9*time.Minute {
			t.Errorf("%+v, %v", got, err)
		}
		refused = token
	}
	v.Rules.Audience = []string{"urn:test:other"}
	if _, err := v.VerifyToken(ctx, refused); !errors.Is(err, oauth.ErrAudience) {
		t.Error(err)
	}
	// The first refresh token is spent.
	if err := store.Save(ctx, first.Refresh); err != nil {
		t.Fatal(err)
	}
	if _, err := (&oauthclient.Refresh{Registration: r, Store: store}).Fetch(ctx); !errors.Is(err, oauthclient.ErrInvalidGrant) {
		t.Error(err)
	}
}

func browserLogin(ctx context.Context, t *testing.T, issuer string) {
	r := registration(issuer, "urn:test:jwt")
	r.ClientID, r.ClientSecret = "browser", login.Password{}
	b, err := r.StartBrowser()
	if err != nil {
		t.Fatal(err)
	}
	page := make(chan string, 1)
	go func() { page <- approve(t, b.URL, "bob") }()
	tokens, err := b.Wait(ctx)
	if err != nil {
		t.Fatal(err, <-page)
	}
	if p := <-page; !strings.Contains(p, "close this page") {
		t.Error(p)
	}
	got, err := jwtVerifier(issuer).VerifyToken(ctx, tokens.Access.Reveal())
	if err != nil || got.Username != "bob@example.org" || tokens.Refresh.Reveal() == "" {
		t.Errorf("%+v, %v", got, err)
	}
}

func opaqueTokens(ctx context.Context, t *testing.T, issuer string) {
	r := registration(issuer, "urn:test:opaque")
	r.Scopes = []string{"mail"}
	tokens, err := (&oauthclient.ClientCredentials{Registration: r}).Fetch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	token := tokens.Access.Reveal()
	v := &oauth.Introspection{
		Endpoint: issuer + "/token/introspection", ClientID: "server", ClientSecret: login.NewPassword("server:s3cret"), SecretInBody: true,
		Issuer: issuer, CacheTTL: -1,
		Rules: oauth.Rules{Audience: []string{"urn:test:opaque"}, Scopes: []string{"mail"}, Username: []string{"client_id"}},
	}
	all := &oauth.Issuers{ByIssuer: map[string]login.TokenVerifier{issuer: jwtVerifier(issuer)}, Opaque: v}
	got, err := all.VerifyToken(ctx, token)
	if err != nil || got.Username != "mailer" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := all.VerifyToken(ctx, token+"x"); !errors.Is(err, oauth.ErrInactive) {
		t.Error(err)
	}
	resp, err := http.PostForm(issuer+"/token/revocation", url.Values{
		"token": {token}, "client_id": {"server"}, "client_secret": {"server:s3cret"},
	})
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
	if _, err := all.VerifyToken(ctx, token); !errors.Is(err, oauth.ErrInactive) {
		t.Error(err)
	}
	v.ClientSecret = login.NewPassword("wrong")
	if _, err := all.VerifyToken(ctx, token); !errors.Is(err, oauth.ErrIntrospection) || !errors.Is(err, login.ErrTemporary) {
		t.Error(err)
	}
}
