package oauthclient

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth/internal/endpoint"
	"github.com/mailstead/mailstead/auth/oauth/internal/strictjson"
)

// Registration is what a client and an authorization server know of each other
// (RFC 6749 §2). The functions Microsoft365 and Google fill in the addresses
// and scopes. It may be copied.
type Registration struct {
	// TokenURL is the token endpoint: https, or http on loopback. Required.
	TokenURL string
	// DeviceURL is the device authorization endpoint (RFC 8628 §3.1), for
	// StartDevice only.
	DeviceURL string
	// AuthURL is the authorization endpoint (RFC 6749 §3.1), for StartBrowser
	// only.
	AuthURL string
	// ClientID names the client at the server.
	ClientID string
	// ClientSecret proves it. Empty for a public client, and with Key.
	ClientSecret login.Password
	// SecretInBody sends the secret as a form field instead of HTTP Basic.
	SecretInBody bool
	// Key proves it by signature (private_key_jwt, RFC 7523 §2.2). Nil: none.
	Key *Key
	// Scopes are asked for. Nil leaves them to the server.
	Scopes []string
	// Params are further fields of each request, such as audience or resource.
	Params map[string]string
	// AllowHTTP allows addresses without TLS everywhere. The secrets then cross
	// the network in the clear.
	AllowHTTP bool
	// Client is what requests go through. Nil means http.DefaultTransport.
	Client *http.Client
}

// maxResponse bounds a response in octets.
const maxResponse = 256 << 10

// Validate reports everything that is wrong with the fields.
func (r *Registration) Validate() error {
	var faults []error
	if err := endpoint.CheckURL(r.TokenURL, r.AllowHTTP); err != nil {
		faults = append(faults, fmt.Errorf("oauth: Registration.TokenURL: %.80q: %w", endpoint.Show(r.TokenURL), err))
	}
	for name, address := range map[string]string{"DeviceURL": r.DeviceURL, "AuthURL": r.AuthURL} {
		if address == "" {
			continue
		}
		if err := endpoint.CheckURL(address, r.AllowHTTP); err != nil {
			faults = append(faults, fmt.Errorf("oauth: Registration.%s: %.80q: %w", name, endpoint.Show(address), err))
		}
	}
	if r.ClientID == "" && (r.ClientSecret.Reveal() != "" || r.Key != nil) {
		faults = append(faults, errors.New("oauth: Registration.ClientID is missing"))
	}
	if r.ClientSecret.Reveal() != "" && r.Key != nil {
		faults = append(faults, errors.New("oauth: Registration has both ClientSecret and Key"))
	}
	if r.Key != nil {
		if err := r.Key.validate(); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// grant asks the token endpoint. secrets are values of the form that no error
// may repeat.
func (r *Registration) grant(ctx context.Context, form url.Values, secrets ...login.Password) (Tokens, error) {
	asked := time.Now()
	object, err := r.post(ctx, r.TokenURL, form, secrets...)
	if err != nil {
		return Tokens{}, err
	}
	t, err := parseTokens(object, asked)
	if err != nil {
		return Tokens{}, temporary(ErrServer, err)
	}
	return t, nil
}

// scoped adds the scopes to a form.
func (r *Registration) scoped(form url.Values) url.Values {
	if len(r.Scopes) > 0 {
		form.Set("scope", strings.Join(r.Scopes, " "))
	}
	return form
}

// post sends a form and returns the object of a 200.
func (r *Registration) post(ctx context.Context, address string, form url.Values, secrets ...login.Password) (map[string]any, error) {
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	for name, value := range r.Params {
		form.Set(name, value)
	}
	if r.Key != nil {
		assertion, err := r.Key.sign(claims{Issuer: r.ClientID, Subject: r.ClientID, Audience: r.TokenURL}, nil)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
		secrets = append(secrets, login.NewPassword(assertion))
	}
	if secret := r.ClientSecret.Reveal(); secret != "" {
		basic := url.QueryEscape(r.ClientID) + ":" + url.QueryEscape(secret)
		secrets = append(secrets, r.ClientSecret, login.NewPassword(base64.StdEncoding.EncodeToString([]byte(basic))))
	}
	c := endpoint.Client{HTTP: r.Client, MaxBytes: maxResponse, AllowHTTP: r.AllowHTTP}
	resp, err := c.Post(ctx, address, form, endpoint.Secret{ClientID: r.ClientID, Value: r.ClientSecret, InBody: r.SecretInBody})
	switch {
	case errors.Is(err, endpoint.ErrURL):
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	case err != nil:
		return nil, temporary(ErrServer, err)
	case resp.Status != http.StatusOK:
		return nil, readError(resp, secrets).wrap()
	case !resp.JSON():
		return nil, temporary(ErrServer, fmt.Errorf("media type %.80q", resp.ContentType))
	}
	object, err := strictjson.Object(resp.Body)
	if err != nil {
		return nil, temporary(ErrServer, err)
	}
	if _, failed := object["error"]; failed { // an error that calls itself 200
		return nil, readError(resp, secrets).wrap()
	}
	return object, nil
}

// readError reads an error response, if it is one.
func readError(resp endpoint.Response, secrets []login.Password) *ServerError {
	e := &ServerError{Status: resp.Status, retryAfter: resp.RetryAfter}
	if !resp.JSON() {
		return e
	}
	object, err := strictjson.Object(resp.Body)
	if err != nil {
		return e
	}
	code, _ := object["error"].(string)
	description, _ := object["error_description"].(string)
	e.Code = printable(code, 64, secrets)
	e.Description = printable(description, 300, secrets)
	return e
}

// printable makes a server's text fit for a log: printable ASCII, at most limit
// octets, and nothing at all where it repeats a secret.
func printable(s string, limit int, secrets []login.Password) string {
	for _, secret := range secrets {
		text := secret.Reveal()
		if text != "" && (strings.Contains(s, text) || strings.Contains(s, url.QueryEscape(text))) {
			return ""
		}
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, s)
	return s[:min(len(s), limit)]
}
