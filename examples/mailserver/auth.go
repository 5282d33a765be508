package main

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/activity"
	"github.com/mailstead/mailstead/examples/internal/program"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
)

// guardOf slows down guessing. While every listener is on loopback only the
// owner of the machine can guess, and more slips of his are forgiven. tallies
// are those of all nodes; nil = there is only this one. Nodes with one secret see
// that a password is the same wrong one.
func guardOf(o *options, tallies login.GuardStore, secret []byte) (login.Guard, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "mailserver guard", sha256.Size)
	if err != nil {
		return nil, err
	}
	t := &login.Throttle{Store: tallies, Key: key}
	if o.loopback() {
		t.Free = 20
	}
	return t, nil
}

// openLogin makes the one service that all listeners ask. What it offers beside
// PLAIN and SCRAM is said by login.toml in the data directory.
func (s *server) openLogin() error {
	f, err := readLoginFile(filepath.Join(s.o.data, loginFileName))
	if err != nil {
		return err
	}
	decoy, err := secretFile(filepath.Join(s.o.data, "decoy.key"))
	if err != nil {
		return err
	}
	guard, err := guardOf(s.o, s.engine.tallies, decoy)
	if err != nil {
		return err
	}
	s.activity = &activity.Log{Store: loginEntries{s.engine.store}}
	s.login = &login.Service{
		Backend: s.engine.users, Guard: guard, Logger: s.log, Observe: s.activity.Observe,
		Enable: f.Enable, Disable: f.Disable, DecoyKey: decoy, Rehash: login.Rehash{SCRAM: []string{scramMechanism}},
	}
	if err := f.oauth(s.login); err != nil {
		return err
	}
	if s.clientTLS, err = f.clients(s.o.data); err != nil {
		return err
	}
	if s.clientTLS != nil {
		s.login.Certificate = login.CertificateEmail
	}
	return s.login.Validate()
}

// secretFile reads 32 random octets, and makes them when the file is missing.
func secretFile(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b = make([]byte, 32)
		_, _ = rand.Read(b) // never fails
		return b, program.WriteFile(path, b)
	case err == nil && len(b) < 32:
		err = fmt.Errorf("%s: shorter than 32 octets", path)
	}
	return b, err
}

// loginTLS is the TLS configuration of the listeners that users log in on: where
// login.toml names an authority, clients may show a certificate of it.
func (s *server) loginTLS(tickets bool) *tls.Config {
	cfg := s.cert.config(tickets)
	if s.clientTLS != nil {
		cfg.ClientAuth, cfg.ClientCAs = tls.VerifyClientCertIfGiven, s.clientTLS
	}
	return cfg
}

// imapConfig is one of the two IMAP listeners.
func (s *server) imapConfig(implicit bool) imapserver.Config {
	cfg := imapserver.Config{
		Store: s.engine.store, Views: s.views, Users: &s.imapUsers, Auth: s.login.Authenticator(), Hostname: s.o.hostname,
		TLSConfig: s.loginTLS(true), ImplicitTLS: implicit,
		AllowPlaintextAuth: s.o.plaintextAuth, RequireTLS: !s.o.plaintextAuth, Logger: s.log,
	}
	cfg.Limits.MaxMessageBytes = maxMessage
	cfg.Limits.MaxConnections = s.o.maxConnections
	cfg.Sharing = s.o.sharing()
	cfg.Annotations.Admin = "mailto:postmaster@" + s.o.domains[0]
	return cfg
}

// sharing lets users share mailboxes with each other, and those of -shared with
// everybody. An identifier of SETACL is read as a login name is.
func (o *options) sharing() *imapserver.Sharing {
	account := func(_ context.Context, identifier string) (store.AccountID, error) {
		name, err := login.Canonical(identifier)
		if err != nil {
			return "", store.ErrNoAccount
		}
		return store.AccountID(name), nil
	}
	c := &imapserver.Sharing{Account: account}
	for _, name := range o.shared {
		c.Accounts = append(c.Accounts, store.AccountID(name))
	}
	return c
}

// pop3Config is one of the two POP3 listeners.
func (s *server) pop3Config(implicit bool) pop3server.Config {
	cfg := pop3server.Config{
		Store: s.engine.store, Views: s.views, Locks: &s.maildrops, Users: &s.pop3Users, Auth: s.login.Authenticator(), Hostname: s.o.hostname,
		TLSConfig: s.loginTLS(true), ImplicitTLS: implicit,
		AllowPlaintextAuth: s.o.plaintextAuth, RequireTLS: !s.o.plaintextAuth, Logger: s.log,
	}
	cfg.Limits.MaxConnections = s.o.maxConnections
	return cfg
}
