package main

import (
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/pop3/pop3server"
)

// guardOf slows down guessing. While every listener is on loopback only the
// owner of the machine can guess, and more slips of his are forgiven.
func guardOf(o *options) login.Guard {
	if o.loopback() {
		return &login.Throttle{Free: 20}
	}
	return &login.Throttle{}
}

// imapConfig is one of the two IMAP listeners.
func (s *server) imapConfig(implicit bool) imapserver.Config {
	cfg := imapserver.Config{
		Store: s.engine.store, Views: s.views, Auth: s.login.Authenticator(), Hostname: s.o.hostname,
		TLSConfig: s.cert.config(true), ImplicitTLS: implicit, AllowPlaintextAuth: s.o.plaintextAuth, Logger: s.log,
	}
	cfg.Limits.MaxMessageBytes = maxMessage
	cfg.Limits.MaxConnections = s.o.maxConnections
	return cfg
}

// pop3Config is one of the two POP3 listeners.
func (s *server) pop3Config(implicit bool) pop3server.Config {
	cfg := pop3server.Config{
		Store: s.engine.store, Views: s.views, Locks: &s.maildrops, Auth: s.login.Authenticator(),
		TLSConfig: s.cert.config(true), ImplicitTLS: implicit, AllowPlaintextAuth: s.o.plaintextAuth, Logger: s.log,
	}
	cfg.Limits.MaxConnections = s.o.maxConnections
	return cfg
}
