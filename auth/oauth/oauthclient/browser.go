package oauthclient

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth/internal/endpoint"
)

// BrowserLogin is a login that a person completes in a browser on this machine,
// which comes back to a port on loopback (RFC 8252 §7.3) with a code that only
// we can use (PKCE, RFC 7636). It is used by one goroutine.
type BrowserLogin struct {
	// URL is the page to open. It holds no secret.
	URL string

	registration Registration
	listener     net.Listener
	redirect     string
	state        string
	verifier     login.Password
}

// StartBrowser opens a port on 127.0.0.1 for the browser to come back to. Show
// URL, then call Wait or Close. The redirect URI is http://127.0.0.1:PORT/, with
// any port.
func (r *Registration) StartBrowser() (*BrowserLogin, error) {
	if err := endpoint.CheckURL(r.AuthURL, r.AllowHTTP); err != nil {
		return nil, fmt.Errorf("%w: Registration.AuthURL: %w", ErrConfig, err)
	}
	page, err := url.Parse(r.AuthURL)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &BrowserLogin{
		registration: *r,
		listener:     l,
		redirect:     "http://" + l.Addr().String() + "/",
		state:        rand.Text(),
		verifier:     login.NewPassword(rand.Text() + rand.Text()), // RFC 7636 §4.1: 43 to 128 characters
	}
	challenge := sha256.Sum256([]byte(b.verifier.Reveal()))
	query := r.scoped(page.Query())
	for name, value := range r.Params {
		query.Set(name, value)
	}
	for name, value := range map[string]string{
		"response_type": "code", "client_id": r.ClientID, "redirect_uri": b.redirect, "state": b.state,
		"code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256",
	} {
		query.Set(name, value)
	}
	page.RawQuery = query.Encode()
	b.URL = page.String()
	return b, nil
}

// Close gives up.
func (b *BrowserLogin) Close() error { return b.listener.Close() }

// Wait waits for the browser, exchanges the code and returns the tokens; save
// Refresh before anything else. The port is closed when it returns.
//
// ErrDenied, or ctx's error.
func (b *BrowserLogin) Wait(ctx context.Context) (Tokens, error) {
	answers := make(chan url.Values, 1)
	server := &http.Server{
		Handler:           b.handler(answers),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // requests hold codes
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(b.listener) }()
	var answer url.Values
	var err error
	select {
	case answer = <-answers:
	case err = <-served:
		served <- err
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second) // let the page reach the browser
	defer cancel()
	if server.Shutdown(stop) != nil {
		_ = server.Close() // nothing to lose but the page
	}
	<-served
	if err != nil {
		return Tokens{}, err
	}
	return b.exchange(ctx, answer)
}

// handler takes the one request that knows our state (RFC 6749 §10.12).
func (b *BrowserLogin) handler(answers chan<- url.Values) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		known := subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(b.state)) == 1
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Referrer-Policy", "no-referrer")
		if r.Method != http.MethodGet || r.URL.Path != "/" || !known {
			http.Error(w, "not the answer to this login", http.StatusBadRequest)
			return
		}
		select {
		case answers <- query:
		default: // the first one counts
		}
		_, _ = io.WriteString(w, "Thank you. You can close this page.\n") // nobody is left to tell
	})
}

// exchange makes tokens of the code (RFC 6749 §4.1.3).
func (b *BrowserLogin) exchange(ctx context.Context, answer url.Values) (Tokens, error) {
	if code := answer.Get("error"); code != "" {
		e := &ServerError{
			Status: http.StatusBadRequest, Code: printable(code, 64, nil),
			Description: printable(answer.Get("error_description"), 300, nil),
		}
		return Tokens{}, e.wrap()
	}
	code, err := readToken(answer.Get("code"))
	if err != nil {
		return Tokens{}, temporary(ErrServer, fmt.Errorf("code: %w", err))
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code.Reveal()},
		"redirect_uri": {b.redirect}, "code_verifier": {b.verifier.Reveal()},
	}
	return b.registration.grant(ctx, form, code, b.verifier)
}
