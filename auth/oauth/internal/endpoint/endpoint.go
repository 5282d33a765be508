// Package endpoint makes HTTP requests to OAuth servers: over TLS, to where the
// operator said, with bounds on time and size.
package endpoint

import (
	"context"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

// maxRedirects bounds how often a GET is sent on within one host.
const maxRedirects = 3

// What a request can fail with, apart from the errors of net/http.
var (
	// ErrURL: the address is none that a secret is sent to.
	ErrURL = errors.New("not an https URL")
	// ErrRedirect: the server sends us elsewhere.
	ErrRedirect = errors.New("redirected to another place")
	// ErrTooLarge: the response is longer than allowed.
	ErrTooLarge = errors.New("response too large")
)

// Client makes requests. The zero value is not usable: MaxBytes is missing.
type Client struct {
	// HTTP is what requests go through; its redirect policy and cookies are not
	// used. Nil means http.DefaultTransport.
	HTTP *http.Client
	// MaxBytes bounds the body of a response.
	MaxBytes int64
	// AllowHTTP allows addresses without TLS everywhere, not on loopback only.
	AllowHTTP bool
}

// Response is a whole response.
type Response struct {
	Status      int
	ContentType string // media type without parameters, in lower case
	Body        []byte
	RetryAfter  time.Duration // zero: the server does not say
}

// JSON reports whether the response says that it is JSON.
func (r Response) JSON() bool {
	return r.ContentType == "application/json" || strings.HasSuffix(r.ContentType, "+json")
}

// Get asks for a document.
func (c Client) Get(ctx context.Context, address string) (Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Response{}, ErrURL // see CheckURL
	}
	return c.send(req)
}

// Post sends a form. secret authenticates the client (RFC 6749 §2.3.1).
func (c Client) Post(ctx context.Context, address string, form url.Values, secret Secret) (Response, error) {
	header := secret.apply(form)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return Response{}, ErrURL // see CheckURL
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.send(req)
}

func (c Client) send(req *http.Request) (Response, error) {
	if err := checkURL(req.URL, c.AllowHTTP); err != nil {
		return Response{}, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.client().Do(req)
	if err != nil {
		return Response{}, err
	}
	defer resp.Body.Close() // only read: nothing to lose
	return c.read(resp)
}

// client is the caller's with our rules.
func (c Client) client() *http.Client {
	h := http.Client{}
	if c.HTTP != nil {
		h = *c.HTTP
	}
	h.Jar = nil
	h.CheckRedirect = checkRedirect
	return &h
}

// checkRedirect lets a GET move within its host and scheme. A form is never
// sent on: it holds secrets.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet || len(via) > maxRedirects ||
		req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host {
		return ErrRedirect
	}
	return nil
}

func (c Client) read(resp *http.Response) (Response, error) {
	r := Response{Status: resp.StatusCode}
	r.ContentType, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
		r.RetryAfter = time.Duration(min(n, 86400)) * time.Second
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.MaxBytes+1))
	if err == nil && int64(len(body)) > c.MaxBytes {
		err = ErrTooLarge
	}
	r.Body = body
	return r, err
}

// CheckURL reports whether address may be asked: an https URL, or an http one on
// loopback or where plain is set.
func CheckURL(address string, plain bool) error {
	u, err := url.Parse(address)
	if err != nil {
		return ErrURL // its error repeats the address, which may hold a secret
	}
	return checkURL(u, plain)
}

func checkURL(u *url.URL, plain bool) error {
	switch {
	case u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return ErrURL
	case u.Scheme == "https", u.Scheme == "http" && (plain || loopback(u.Hostname())):
		return nil
	}
	return ErrURL
}

// Show returns an address for a log, without a password in it.
func Show(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(not a URL)"
	}
	return u.Redacted()
}

// loopback reports whether host names this machine.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// Secret is how a client proves who it is. Without Value it only says so.
type Secret struct {
	ClientID string
	Value    login.Password
	InBody   bool // client_secret_post instead of client_secret_basic
}

// apply puts the secret into a form or returns the header that holds it.
func (s Secret) apply(form url.Values) http.Header {
	value := s.Value.Reveal()
	switch {
	case s.ClientID == "":
		return nil
	case value == "" || s.InBody:
		form.Set("client_id", s.ClientID)
		if value != "" {
			form.Set("client_secret", value)
		}
		return nil
	}
	// RFC 6749 §2.3.1: both are form-encoded first.
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(url.QueryEscape(s.ClientID), url.QueryEscape(value))
	return req.Header
}
