package pop3server

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// Config is what a Server is made of. Store and Auth are required; everything
// else has a safe zero value.
type Config struct {
	// Store holds the accounts.
	Store store.Store

	// Views are shared with the other servers of the process. nil = the
	// server makes its own and closes it.
	Views *view.Views

	// Locks locks the maildrops. Servers of one process share it, so that a
	// session on one port keeps those on another out, also where the store
	// has no store.MaildropLocker. nil = the server makes its own.
	Locks *store.Maildrops

	// Auth decides who a client is, by AUTH and, where it offers PLAIN, by
	// USER and PASS. An account's name is its store.AccountID.
	Auth authn.Authenticator

	// TLSConfig enables STLS; with ImplicitTLS, TLS from the first octet.
	TLSConfig   *tls.Config
	ImplicitTLS bool

	// AllowPlaintextAuth accepts passwords and tokens on connections without
	// TLS.
	AllowPlaintextAuth bool

	// RequireTLS refuses logins without TLS by whatever mechanism: also one that
	// shows no secret leaves the session to who reads along (RFC 8314 §3).
	RequireTLS bool

	// Hostname stands in the greeting; "" = no name is given.
	Hostname string

	// Limits bound what a client can ask for.
	Limits Limits

	// Logger receives what an operator needs; nil = slog.Default.
	Logger *slog.Logger
}

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("pop3server: server closed")

// Limits of a server. In each, 0 means the default and a negative value no
// limit.
type Limits struct {
	MaxConnections      int // 1000
	MaxConnectionsPerIP int // per IPv4 address or IPv6 /64; 30. Loopback is exempt
	MaxAuthFailures     int // before the connection is closed; 3
	MaxErrors           int // malformed or misplaced commands before it is closed; 20

	LoginTimeout        time.Duration // from the connection to the login; 60 s
	IdleTimeout         time.Duration // between two commands (RFC 1939 §3); 10 min
	WriteTimeout        time.Duration // without progress of a write; 60 s
	TLSHandshakeTimeout time.Duration // 30 s
}

func (l Limits) withDefaults() Limits {
	set(&l.MaxConnections, 1000)
	set(&l.MaxConnectionsPerIP, 30)
	set(&l.MaxAuthFailures, 3)
	set(&l.MaxErrors, 20)
	set(&l.LoginTimeout, time.Minute)
	set(&l.IdleTimeout, 10*time.Minute)
	set(&l.WriteTimeout, time.Minute)
	set(&l.TLSHandshakeTimeout, 30*time.Second)
	return l
}

func set[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// Validate lists all that cannot work.
func (c *Config) Validate() error {
	var errs []error
	if c.Store == nil {
		errs = append(errs, errors.New("pop3server: no Store"))
	}
	if c.Auth == nil {
		errs = append(errs, errors.New("pop3server: nobody can log in: no Auth"))
	}
	if (c.ImplicitTLS || c.RequireTLS) && c.TLSConfig == nil {
		errs = append(errs, errors.New("pop3server: ImplicitTLS or RequireTLS without TLSConfig"))
	}
	return errors.Join(errs...)
}
