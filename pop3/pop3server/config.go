package pop3server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
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

	// Users remembers who has logged in when, for Policy.LoginDelay and
	// Limits.MaxSessionsPerUser. Servers of one process share it. nil = the
	// server makes its own.
	Users *Users

	// SharedMaildrops lets several sessions have one maildrop at once, which
	// RFC 1939 §4 does not allow and which some clients of large maildrops
	// need. Message numbers and QUIT are right all the same.
	SharedMaildrops bool

	// Auth decides who a client is, by AUTH, where it offers PLAIN by USER and
	// PASS, and by APOP where it is an authn.APOPAuthenticator that offers it.
	// An account's name is its store.AccountID.
	Auth authn.Authenticator

	// Policy is what is told before the login: the shortest retention and the
	// longest delay of all users.
	Policy Policy

	// UserPolicy is the Policy of one user, asked for at the login. It may
	// block. An error refuses the login and is answered as a temporary one.
	// nil = Policy holds for all.
	UserPolicy func(ctx context.Context, id store.AccountID) (Policy, error)

	// Headers says what a client gets that did not say UTF8.
	Headers HeaderPolicy

	// Languages are those of LANG beside English; "LANG *" selects the first.
	Languages []Language

	// TLSConfig enables STLS; with ImplicitTLS, TLS from the first octet.
	TLSConfig   *tls.Config
	ImplicitTLS bool

	// AllowPlaintextAuth accepts passwords and tokens on connections without
	// TLS.
	AllowPlaintextAuth bool

	// RequireTLS refuses logins without TLS by whatever mechanism: also one that
	// shows no secret leaves the session to who reads along (RFC 8314 §3).
	RequireTLS bool

	// Proxies are the peers whose connections have to start with a header of
	// the PROXY protocol, versions 1 or 2, which names the client.
	Proxies []netip.Prefix

	// TrustedPrefixes are exempt from Limits.MaxConnectionsPerIP, as loopback
	// is.
	TrustedPrefixes []netip.Prefix

	// Hostname stands in the greeting; "" = no name is given.
	Hostname string

	// Limits bound what a client can ask for.
	Limits Limits

	// Logger receives what an operator needs; nil = slog.Default.
	Logger *slog.Logger

	// Trace observes sessions; see there.
	Trace Trace
}

// The errors of a Server.
var (
	// ErrServerClosed is what Serve returns after Shutdown or Close.
	ErrServerClosed = errors.New("pop3server: server closed")
	// ErrTooManyConnections is what ServeConn returns beyond
	// Limits.MaxConnections and Limits.MaxConnectionsPerIP.
	ErrTooManyConnections = errors.New("pop3server: too many connections")
)

// Policy is what a site grants (RFC 2449 §6.5, §6.7).
type Policy struct {
	// RetentionDays is how long messages stay at least, before the site
	// deletes them; 0 = it never does.
	RetentionDays int
	// DeleteRetrieved deletes at QUIT all that RETR sent (EXPIRE 0, RFC 1939
	// §8). RetentionDays is not looked at.
	DeleteRetrieved bool
	// LoginDelay is the time between two logins, in whole seconds; 0 = none.
	LoginDelay time.Duration
}

// HeaderPolicy says what a client gets that did not say UTF8, of a message
// whose header holds UTF-8 beyond ASCII (RFC 6856 §2.1, §4). Octets beyond
// ASCII that are no UTF-8, and those of bodies, are sent as they are: they
// were there before RFC 6532.
type HeaderPolicy uint8

// The policies.
const (
	// RawHeaders sends the message as it is, as servers without RFC 6856 do: a
	// client that deletes what it fetched has then lost nothing.
	RawHeaders HeaderPolicy = iota
	// MaskHeaders keeps to the letter of RFC 6856 §2.1 by a surrogate: "?" for
	// every such octet of the header. It has the size that LIST says.
	MaskHeaders
	// RefuseHeaders keeps to it by -ERR [UTF8] to RETR and TOP.
	RefuseHeaders
)

// Limits of a server. In each, 0 means the default and a negative value no
// limit.
type Limits struct {
	MaxConnections      int // 1000
	MaxConnectionsPerIP int // per IPv4 address or IPv6 /64; 30. Loopback is exempt
	MaxSessionsPerUser  int // with SharedMaildrops; 10
	MaxAuthFailures     int // before the connection is closed; 3
	MaxErrors           int // malformed or misplaced commands before it is closed; 20

	LoginTimeout        time.Duration // from the connection to the login; 60 s
	IdleTimeout         time.Duration // between two commands, at least 10 min (RFC 1939 §3); 10 min
	WriteTimeout        time.Duration // without progress of a write; 60 s
	TLSHandshakeTimeout time.Duration // 30 s
	ProxyTimeout        time.Duration // for the header of the PROXY protocol; 5 s
}

// minIdle is the shortest inactivity timer (RFC 1939 §3).
const minIdle = 10 * time.Minute

func (l Limits) withDefaults() Limits {
	set(&l.MaxConnections, 1000)
	set(&l.MaxConnectionsPerIP, 30)
	set(&l.MaxSessionsPerUser, 10)
	set(&l.MaxAuthFailures, 3)
	set(&l.MaxErrors, 20)
	set(&l.LoginTimeout, time.Minute)
	set(&l.IdleTimeout, minIdle)
	set(&l.WriteTimeout, time.Minute)
	set(&l.TLSHandshakeTimeout, 30*time.Second)
	set(&l.ProxyTimeout, 5*time.Second)
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
	fault := func(bad bool, what string) {
		if bad {
			errs = append(errs, errors.New("pop3server: "+what))
		}
	}
	fault(c.Store == nil, "no Store")
	fault(c.Auth == nil, "nobody can log in: no Auth")
	fault((c.ImplicitTLS || c.RequireTLS) && c.TLSConfig == nil, "ImplicitTLS or RequireTLS without TLSConfig")
	fault(c.Limits.IdleTimeout > 0 && c.Limits.IdleTimeout < minIdle, "IdleTimeout is shorter than 10 minutes (RFC 1939 §3)")
	fault(c.Headers > RefuseHeaders, "unknown HeaderPolicy")
	fault(c.Policy.RetentionDays < 0 || c.Policy.LoginDelay < 0, "Policy with negative values")
	for i := range c.Languages {
		what := c.Languages[i].fault()
		fault(what != "", what)
	}
	return errors.Join(errs...)
}

// isProxy reports whether connections from a start with a PROXY header.
func (c *Config) isProxy(a netip.Addr) bool {
	return slices.ContainsFunc(c.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}
