package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth/oauthclient"
	"github.com/mailstead/mailstead/examples/connector/internal/settings"
)

// tokenSource makes the source of access tokens for a mailbox.
func tokenSource(o settings.OAuth, user string) (login.TokenSource, error) {
	if o.Provider == "token" {
		return tokenFile(o.TokenFile), nil
	}
	if o.Provider == "google-service" {
		key, err := os.ReadFile(o.KeyFile)
		if err != nil {
			return nil, err
		}
		grant, err := oauthclient.GoogleServiceAccount(key, user)
		if err != nil {
			return nil, err
		}
		return &oauthclient.Source{Grant: grant}, nil
	}
	r := registration(o)
	if o.ClientSecret != "" || o.ClientSecretEnv != "" {
		secret, err := o.ClientSecret.Reveal(o.ClientSecretEnv, os.Getenv)
		if err != nil {
			return nil, fmt.Errorf("client-secret: %w", err)
		}
		r.ClientSecret = login.NewPassword(secret)
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if o.TokenFile == "" {
		return &oauthclient.Source{Grant: &oauthclient.ClientCredentials{Registration: r}}, nil
	}
	return &oauthclient.Source{Grant: &oauthclient.Refresh{
		Registration: r, Store: &oauthclient.FileStore{Path: o.TokenFile},
	}}, nil
}

func registration(o settings.OAuth) oauthclient.Registration {
	var r oauthclient.Registration
	switch o.Provider {
	case "microsoft365":
		r = oauthclient.Microsoft365(o.Tenant)
	case "microsoft365-app":
		r = oauthclient.Microsoft365App(o.Tenant)
	case "google":
		r = oauthclient.Google()
	}
	r.ClientID = o.ClientID
	if o.TokenURL != "" {
		r.TokenURL = o.TokenURL
	}
	if len(o.Scopes) > 0 {
		r.Scopes = o.Scopes
	}
	return r
}

// tokenFile is a file with an access token that another program renews. It is
// read at each login.
type tokenFile string

// Token implements login.TokenSource.
func (f tokenFile) Token(_ context.Context, refused string) (string, error) {
	b, err := os.ReadFile(string(f))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(b))
	if token == "" || token == refused {
		return "", fmt.Errorf("%s has no token that was not refused: %w", string(f), login.ErrTemporary)
	}
	return token, nil
}
