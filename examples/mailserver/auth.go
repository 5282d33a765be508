package main

import (
	"context"
	"errors"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
	"github.com/mailstead/mailstead/store"
)

// guardOf slows down guessing. While every listener is on loopback only the
// owner of the machine can guess, and more slips of his are forgiven.
func guardOf(o *options) login.Guard {
	if o.loopback() {
		return &login.Throttle{Free: 20}
	}
	return &login.Throttle{}
}

// smtpAuth offers the login service's mechanisms to smtpserver.
type smtpAuth struct{ *login.Service }

// smtpAttempt is what is known of an SMTP client before it says who it is.
func smtpAttempt(p *smtp.Peer) login.Attempt {
	return login.Attempt{Protocol: login.SMTP, Peer: peerAddr(p), TLS: p.TLS != nil, TLSState: p.TLS}
}

func (a smtpAuth) Mechanisms(p *smtp.Peer) []string { return a.Service.Mechanisms(smtpAttempt(p)) }

func (a smtpAuth) Start(ctx context.Context, p *smtp.Peer, mech string, done func(string)) (sasl.Server, error) {
	srv, err := a.Service.Server(ctx, mech, smtpAttempt(p), func(id login.Identity) { done(id.Account) })
	return mapped{srv, smtpLoginError}, smtpLoginError(err)
}

// mapped turns the errors of an exchange into those of the server.
type mapped struct {
	sasl.Server
	err func(error) error
}

func (m mapped) Next(response []byte) ([]byte, bool, error) {
	challenge, done, err := m.Server.Next(response)
	return challenge, done, m.err(err)
}

// smtpLoginError: see the table in the package comment of login.
func smtpLoginError(err error) error {
	switch {
	case errors.Is(err, login.ErrRejected):
		return errors.Join(smtpserver.ErrBadCredentials, err)
	case errors.Is(err, login.ErrTLSRequired):
		return &smtp.Error{Reply: smtp.NewReply(538, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 11}, "Encryption required"), Err: err}
	case errors.Is(err, login.ErrMechanism):
		return &smtp.Error{Reply: smtp.NewReply(504, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Unknown mechanism"), Err: err}
	case errors.Is(err, login.ErrMalformed):
		return &smtp.Error{Reply: smtp.NewReply(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 2}, "Malformed response"), Err: err}
	}
	return err
}

// imapConfig is one of the two IMAP listeners.
func (s *server) imapConfig(implicit bool) imapserver.Config {
	cfg := imapserver.Config{
		Store: s.engine.store, Views: s.views, TLSConfig: s.cert.config(true), ImplicitTLS: implicit,
		AllowPlaintextAuth: s.o.plaintextAuth, Logger: s.log,
	}
	cfg.Limits.MaxMessageBytes = maxMessage
	cfg.Limits.MaxConnections = s.o.maxConnections
	attempt := func(p imapserver.Peer) login.Attempt {
		return login.Attempt{Protocol: login.IMAP, Peer: p.Addr, TLS: p.TLS != nil, TLSState: p.TLS}
	}
	cfg.Auth = imapserver.Auth{
		Login: func(ctx context.Context, p imapserver.Peer, username, password string) (store.AccountID, error) {
			a := attempt(p)
			a.Username, a.Password, a.Mechanism = username, login.NewPassword(password), "LOGIN"
			id, err := s.login.Authenticate(ctx, a)
			return store.AccountID(id.Account), err
		},
		Mechanisms: func(p imapserver.Peer) []string { return s.login.Mechanisms(attempt(p)) },
		Start: func(ctx context.Context, p imapserver.Peer, mech string, done func(store.AccountID)) (sasl.Server, error) {
			return s.login.Server(ctx, mech, attempt(p), func(id login.Identity) { done(store.AccountID(id.Account)) })
		},
		Classify: imapLoginError,
	}
	return cfg
}

func imapLoginError(err error) error {
	for _, e := range [...]struct{ ours, theirs error }{
		{login.ErrRejected, imapserver.ErrRejected},
		{login.ErrTooMany, imapserver.ErrTooManyTries},
		{login.ErrTLSRequired, imapserver.ErrPrivacyRequired},
		{login.ErrMalformed, imapserver.ErrMalformed},
	} {
		if errors.Is(err, e.ours) {
			return e.theirs
		}
	}
	return err
}

// pop3Config is one of the two POP3 listeners.
func (s *server) pop3Config(implicit bool) pop3server.Config {
	cfg := pop3server.Config{
		Store: s.engine.store, Views: s.views, Locks: &s.maildrops, TLSConfig: s.cert.config(true), ImplicitTLS: implicit,
		AllowPlaintextAuth: s.o.plaintextAuth, Logger: s.log,
	}
	cfg.Limits.MaxConnections = s.o.maxConnections
	cfg.Login = func(ctx context.Context, p pop3server.Peer, username, password string) (store.AccountID, error) {
		id, err := s.login.Authenticate(ctx, login.Attempt{
			Username: username, Password: login.NewPassword(password), Mechanism: "USER",
			Protocol: login.POP3, Peer: p.Addr, TLS: p.TLS != nil, TLSState: p.TLS,
		})
		return store.AccountID(id.Account), pop3LoginError(err)
	}
	return cfg
}

func pop3LoginError(err error) error {
	switch {
	case errors.Is(err, login.ErrRejected):
		return pop3server.ErrRejected
	case errors.Is(err, login.ErrTooMany):
		return pop3server.ErrTooManyTries
	}
	return err
}
