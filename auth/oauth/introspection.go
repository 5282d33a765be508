package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth/internal/digest"
	"github.com/mailstead/mailstead/auth/oauth/internal/endpoint"
	"github.com/mailstead/mailstead/auth/oauth/internal/flight"
	"github.com/mailstead/mailstead/auth/oauth/internal/strictjson"
)

// Introspection verifies tokens by asking their issuer (RFC 7662). It is for
// tokens that nobody else can read, and for those whose revocation has to count
// at once. Its fields are set before the first use and not changed later; it is
// not copied after first use.
type Introspection struct {
	// Endpoint is the address to ask: https, or http on loopback. Required.
	Endpoint string
	// ClientID and ClientSecret authenticate this server to the endpoint.
	ClientID     string
	ClientSecret login.Password
	// SecretInBody sends them as form fields instead of HTTP Basic, which every
	// server has to understand (RFC 6749 §2.3.1).
	SecretInBody bool
	// Issuer, where set, has to be the iss of an answer that has one.
	Issuer string
	// Rules say which tokens count and whom they speak for. Rules.Audience is
	// required unless AnyAudience is set.
	Rules Rules
	// AnyAudience accepts answers without a look at aud, for an endpoint that
	// calls a token active only where it is meant for the client who asks.
	AnyAudience bool
	// AllowHTTP allows an Endpoint without TLS everywhere. Tokens and the secret
	// then cross the network in the clear.
	AllowHTTP bool
	// Client is what requests go through. Nil means http.DefaultTransport.
	Client *http.Client
	// Timeout bounds one question, the wait for a turn included. Zero means 5 s.
	Timeout time.Duration
	// CacheTTL is for how long an answer counts, and so for how long a revoked
	// token may; never longer than the token is valid. Zero means 1 min,
	// negative asks every time. Refusals are not remembered.
	CacheTTL time.Duration
	// MaxConcurrent bounds the questions at one time. Zero means 32.
	MaxConcurrent int
	// MaxTokenBytes refuses longer tokens unasked. Zero means 16 KiB; more than
	// 64 KiB counts as 64 KiB.
	MaxTokenBytes int
	// MaxBytes bounds an answer. Zero means 64 KiB.
	MaxBytes int64

	digests digest.Maker
	cache   tokenCache
	flight  flight.Group[digest.Digest, login.Token]
	once    sync.Once
	turns   chan struct{}
}

var _ login.TokenVerifier = (*Introspection)(nil)

// Validate reports everything that is wrong with the fields.
func (v *Introspection) Validate() error {
	faults := v.Rules.validate()
	if err := endpoint.CheckURL(v.Endpoint, v.AllowHTTP); err != nil {
		faults = append(faults, fmt.Errorf("oauth: Introspection.Endpoint: %.80q: %w", endpoint.Show(v.Endpoint), err))
	}
	if len(v.Rules.Audience) == 0 && !v.AnyAudience {
		faults = append(faults, errors.New("oauth: Introspection.Rules.Audience is missing"))
	}
	if v.ClientSecret.Reveal() != "" && v.ClientID == "" {
		faults = append(faults, errors.New("oauth: Introspection.ClientID is missing"))
	}
	return errors.Join(faults...)
}

// VerifyToken implements login.TokenVerifier. It blocks while the endpoint is
// asked, at most for Timeout.
func (v *Introspection) VerifyToken(ctx context.Context, token string) (login.Token, error) {
	if v.Endpoint == "" || len(v.Rules.Audience) == 0 && !v.AnyAudience {
		return login.Token{}, unavailable(ErrConfig, nil)
	}
	if err := checkToken(token, v.MaxTokenBytes); err != nil {
		return login.Token{}, err
	}
	d := v.digests.Sum(token)
	if t, ok := v.cache.get(d); ok {
		t.Scopes = slices.Clone(t.Scopes)
		return t, nil
	}
	t, err := v.flight.Do(ctx, d, orDefault(v.Timeout, 5*time.Second), func(ctx context.Context) (login.Token, error) {
		return v.ask(ctx, d, token)
	})
	if err != nil && !errors.Is(err, login.ErrRejected) && !errors.Is(err, login.ErrTemporary) {
		err = unavailable(ErrIntrospection, err) // our own ctx ended
	}
	t.Scopes = slices.Clone(t.Scopes) // shared with others
	return t, err
}

// ask puts one question and remembers a good answer.
func (v *Introspection) ask(ctx context.Context, d digest.Digest, token string) (login.Token, error) {
	v.once.Do(func() { v.turns = make(chan struct{}, orDefault(v.MaxConcurrent, 32)) })
	select {
	case v.turns <- struct{}{}:
		defer func() { <-v.turns }()
	case <-ctx.Done():
		return login.Token{}, unavailable(ErrIntrospection, ctx.Err())
	}
	if err := ctx.Err(); err != nil { // the turn came too late
		return login.Token{}, unavailable(ErrIntrospection, err)
	}
	asked := time.Now()
	body, err := v.request(ctx, token)
	if err != nil {
		return login.Token{}, unavailable(ErrIntrospection, err)
	}
	answer, err := parseAnswer(body)
	if err != nil {
		return login.Token{}, unavailable(ErrIntrospection, err)
	}
	t, err := v.judge(ctx, answer)
	if err != nil {
		return login.Token{}, err
	}
	if ttl := v.CacheTTL; ttl >= 0 {
		until := asked.Add(orDefault(ttl, time.Minute))
		if !t.Expires.IsZero() && t.Expires.Before(until) {
			until = t.Expires
		}
		v.cache.put(d, t, until)
	}
	return t, nil
}

// request sends the form of RFC 7662 §2.1. Anything but 200 says nothing about
// the token: 401 for example is about us.
func (v *Introspection) request(ctx context.Context, token string) ([]byte, error) {
	c := endpoint.Client{HTTP: v.Client, MaxBytes: orDefault(v.MaxBytes, 64<<10), AllowHTTP: v.AllowHTTP}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	r, err := c.Post(ctx, v.Endpoint, form, endpoint.Secret{ClientID: v.ClientID, Value: v.ClientSecret, InBody: v.SecretInBody})
	switch {
	case err != nil:
		return nil, err
	case r.Status != http.StatusOK:
		return nil, fmt.Errorf("status %d", r.Status)
	case !r.JSON():
		return nil, fmt.Errorf("media type %.80q", r.ContentType)
	}
	return r.Body, nil
}

var errAnswer = errors.New("no member active")

// parseAnswer reads the response of RFC 7662 §2.2. Without a boolean member
// active it is none.
func parseAnswer(body []byte) (map[string]any, error) {
	answer, err := strictjson.Object(body)
	if err != nil {
		return nil, err
	}
	if _, ok := answer["active"].(bool); !ok {
		return nil, errAnswer
	}
	return answer, nil
}

// judge applies the rules to what the endpoint says about a token.
func (v *Introspection) judge(ctx context.Context, answer map[string]any) (t login.Token, err error) {
	if answer["active"] != true {
		return t, refuse(ErrInactive, "")
	}
	if iss, ok := answer["iss"]; ok && v.Issuer != "" && iss != v.Issuer {
		text, _ := iss.(string)
		return t, refuse(ErrIssuer, text)
	}
	if err := checkKind(answer); err != nil {
		return t, err
	}
	if !v.AnyAudience {
		if err := v.Rules.checkAudience(answer); err != nil {
			return t, err
		}
	}
	if t.Expires, err = answerTimes(answer, time.Now()); err != nil {
		return t, err
	}
	if t.Scopes, err = v.Rules.scopes(answer); err != nil {
		return t, err
	}
	t.Username, err = v.Rules.username(ctx, answer, "username")
	return t, err
}

// answerTimes judges exp and nbf, both optional here. The issuer has judged
// them by its own clock, so there is no leeway to give for exp.
func answerTimes(answer map[string]any, now time.Time) (expires time.Time, err error) {
	if exp, present := answer["exp"]; present && exp != nil {
		var ok bool
		if expires, ok = strictjson.Time(exp); !ok || !now.Before(expires) {
			return expires, refuse(ErrExpired, "exp")
		}
	}
	if nbf, present := answer["nbf"]; present && nbf != nil {
		if from, ok := strictjson.Time(nbf); !ok || now.Add(time.Minute).Before(from) {
			return expires, refuse(ErrExpired, "nbf")
		}
	}
	return expires, nil
}
