package main

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pelletier/go-toml/v2"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/auth/oauth"
)

// loginFileName is in the data directory.
const loginFileName = "login.toml"

// loginFile says which mechanisms are offered beside PLAIN and SCRAM-SHA-256.
// Its zero value, as without a file, offers no other. docs/guide/login.md
// explains it.
type loginFile struct {
	Enable   []string   `toml:"enable"`    // LOGIN, for devices that know nothing else
	Disable  []string   `toml:"disable"`   // what is not to be offered in any case
	ClientCA string     `toml:"client-ca"` // PEM file of the authorities of client certificates, for EXTERNAL
	OAuth    *oauthFile `toml:"oauth"`     // OAUTHBEARER and XOAUTH2
}

// oauthFile is one issuer of tokens. See oauth.JWT and oauth.Rules.
type oauthFile struct {
	Issuer           string   `toml:"issuer"`
	Audience         []string `toml:"audience"`
	Scopes           []string `toml:"scopes"`
	Username         []string `toml:"username"`
	UnverifiedEmail  bool     `toml:"unverified-email"`
	Domains          []string `toml:"domains"`
	Algorithms       []string `toml:"algorithms"`
	OnlyAccessTokens bool     `toml:"only-access-tokens"`
}

// readLoginFile reads the file; a missing one is as good as an empty one.
func readLoginFile(path string) (*loginFile, error) {
	f := &loginFile{}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	d := toml.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(f); err != nil {
		if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
			err = fmt.Errorf("unknown name:\n%s", strict.String())
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, m := range f.Enable {
		if !slices.Contains([]string{saslmech.Login, saslmech.SCRAMSHA256}, m) {
			return nil, fmt.Errorf("%s: enable: %q needs secrets that this server does not keep; LOGIN can be enabled", path, m)
		}
	}
	return f, nil
}

// clients are the authorities of client certificates; nil = none.
func (f *loginFile) clients(dir string) (*x509.CertPool, error) {
	if f.ClientCA == "" {
		return nil, nil
	}
	path := f.ClientCA
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: client-ca: %w", loginFileName, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s: client-ca: %s has no certificate", loginFileName, path)
	}
	return pool, nil
}

// oauth switches bearer tokens on where the file has an issuer.
func (f *loginFile) oauth(svc *login.Service) error {
	o := f.OAuth
	if o == nil {
		return nil
	}
	v := &oauth.JWT{
		Issuer: o.Issuer, Algorithms: o.Algorithms, OnlyAccessTokens: o.OnlyAccessTokens,
		Rules: oauth.Rules{
			Audience: o.Audience, Scopes: o.Scopes, Username: o.Username, UnverifiedEmail: o.UnverifiedEmail, Domains: o.Domains,
		},
	}
	if err := v.Validate(); err != nil {
		return fmt.Errorf("%s: oauth: %w", loginFileName, err)
	}
	svc.Tokens = v
	return nil
}
