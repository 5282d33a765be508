package oauthclient

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

// Grant is a way to get access tokens. A Source calls Fetch from one goroutine
// at a time.
type Grant interface {
	// Fetch asks for an access token. Errors that may pass are
	// login.ErrTemporary. What it has asked for may be spent by asking, so ctx
	// is not that of a client that may go away.
	Fetch(ctx context.Context) (Tokens, error)
}

// GrantFunc makes a Grant of a function, such as one around another OAuth
// library.
type GrantFunc func(ctx context.Context) (Tokens, error)

// Fetch implements Grant.
func (f GrantFunc) Fetch(ctx context.Context) (Tokens, error) { return f(ctx) }

// Refresh gets access tokens with a refresh token (RFC 6749 §6). Its methods may
// be called from any number of goroutines; it is not copied after first use.
type Refresh struct {
	Registration Registration
	// Store keeps the refresh token. Required.
	Store RefreshStore

	once   sync.Once
	turn   chan struct{} // holds an element while a Fetch goes on
	unkept Tokens        // from the server; its refresh token, if any, is not stored yet
}

// Fetch implements Grant. A server may give a new refresh token each time and
// take back the old one (rotation). The new one is on stable storage before the
// access token is returned; where it cannot be stored now, both wait in memory
// and the next Fetch goes on from there.
//
// ErrNoToken, ErrInvalidGrant.
func (r *Refresh) Fetch(ctx context.Context) (Tokens, error) {
	if r.Store == nil {
		return Tokens{}, ErrConfig
	}
	r.once.Do(func() { r.turn = make(chan struct{}, 1) })
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return Tokens{}, temporary(ErrServer, context.Cause(ctx))
	}
	for range 2 { // the second time where what waited in memory has expired
		if r.unkept.Access.Reveal() == "" {
			if err := r.ask(ctx); err != nil {
				return Tokens{}, err
			}
		}
		t := r.unkept
		if t.Refresh.Reveal() != "" {
			if err := r.Store.Save(ctx, t.Refresh); err != nil {
				return Tokens{}, temporary(errStore, err)
			}
		}
		r.unkept = Tokens{}
		if t.Expires.IsZero() || time.Now().Before(t.Expires) {
			return t, nil
		}
	}
	return Tokens{}, temporary(ErrServer, errExpiresAtOnce)
}

var (
	errStore         = errors.New("oauth: the refresh token could not be read or stored")
	errExpiresAtOnce = errors.New("the token expired before it was used")
)

// ask gets tokens into unkept.
func (r *Refresh) ask(ctx context.Context) error {
	old, err := r.Store.Load(ctx)
	switch {
	case errors.Is(err, ErrNoToken):
		return err
	case err != nil:
		return temporary(errStore, err)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old.Reveal()}}
	t, err := r.Registration.grant(ctx, r.Registration.scoped(form), old)
	if err != nil {
		return err
	}
	if t.Refresh.Reveal() == old.Reveal() {
		t.Refresh = login.Password{} // nothing to store
	}
	r.unkept = t
	return nil
}

// ClientCredentials gets access tokens for the client itself (RFC 6749 §4.4).
type ClientCredentials struct {
	Registration Registration
}

// Fetch implements Grant.
func (c *ClientCredentials) Fetch(ctx context.Context) (Tokens, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	return c.Registration.grant(ctx, c.Registration.scoped(form))
}
