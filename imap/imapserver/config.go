package imapserver

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// Config is what a Server is made of. Store and Auth are needed; everything
// else has a safe zero value.
type Config struct {
	// Store holds the accounts.
	Store store.Store

	// Views are shared with the other servers of the process. nil = the
	// server makes its own and closes it.
	Views *view.Views

	// Auth decides who a client is, by AUTHENTICATE and, where it offers PLAIN,
	// by LOGIN. An account's name is its store.AccountID.
	Auth authn.Authenticator

	// Hostname is what the server calls itself to Auth, and in IMAP URLs; "" = it
	// has no name, and no URLAUTH (RFC 4467).
	Hostname string

	// TLSConfig enables STARTTLS; with ImplicitTLS, TLS from the first octet.
	// nil = no TLS.
	TLSConfig *tls.Config

	// ImplicitTLS serves IMAPS (RFC 8314 §3.2): every connection starts with
	// a TLS handshake. A listener of crypto/tls does the same without it.
	ImplicitTLS bool

	// AllowPlaintextAuth accepts passwords and tokens on connections without
	// TLS. When unset such connections announce LOGINDISABLED (RFC 3501
	// §6.2.3).
	AllowPlaintextAuth bool

	// RequireTLS refuses logins without TLS by whatever mechanism: also one that
	// shows no secret leaves the session to who reads along (RFC 8314 §3).
	RequireTLS bool

	// NoCompress does not offer COMPRESS=DEFLATE (RFC 4978): a body that a stranger
	// has written is then never compressed together with what is secret.
	NoCompress bool

	// LiteralMinus announces LITERAL- instead of LITERAL+: literals of more than
	// 4096 octets have to be asked for (RFC 7888 §5).
	LiteralMinus bool

	// Hide reports whether a capability is kept from a client: it is not
	// announced, ENABLE does not turn it on, and commands that are nothing but
	// the capability are refused. For clients whose implementation is broken,
	// and for what a site does not want (RFC 8437 §8 asks for a way to do without
	// UNAUTHENTICATE). It must not block. nil = nothing is hidden.
	Hide func(c *Client, capability imap.Capability) bool

	// Proxies are the peers whose connections have to start with a header of
	// the PROXY protocol, version 1 or 2, which names the client.
	Proxies []netip.Prefix

	// TrustedPrefixes are exempt from Limits.MaxConnectionsPerIP and
	// MaxConnectionsPerUser, as loopback is: a web mail has many of both.
	TrustedPrefixes []netip.Prefix

	// Users counts the sessions of each user, for Limits.MaxConnectionsPerUser.
	// Servers of one process share it. nil = the server makes its own.
	Users *Users

	// Limits bound what a client can ask for.
	Limits Limits

	// SubmissionUser reports whether a user is a submission server, which may
	// fetch URLs that are authorized by "submit+" (RFC 4467 §3). It may block.
	// nil = nobody is.
	SubmissionUser func(ctx context.Context, user store.AccountID) bool

	// JMAPAccess is the URL of the JMAP session resource that serves the same
	// accounts with the same passwords (RFC 9698). "" = there is none.
	JMAPAccess string

	// UTF8Only serves only clients that enable UTF8=ACCEPT, or IMAP4rev2: it
	// announces UTF8=ONLY (RFC 9755 §6) and refuses the others all that has to
	// do with mailboxes.
	UTF8Only bool

	// Sharing lets users share mailboxes, with the capability ACL, where the store
	// keeps entries. nil = each user sees his own mailboxes only.
	Sharing *Sharing

	// Annotations are the server's own (RFC 5464 §3.2.1.1).
	Annotations Annotations

	// QuotaAdmin reports whether a user may read and set the quota of every
	// account (RFC 9208 §4.1.3). nil = nobody may.
	QuotaAdmin func(ctx context.Context, user store.AccountID) bool

	// ID is what the server answers to ID (RFC 2971), in pairs of field and
	// value. nil = the name of the library only.
	ID []string

	// Logger receives what an operator needs. nil = slog.Default().
	Logger *slog.Logger

	// Trace observes sessions; see there.
	Trace Trace
}

// Annotations are values that clients read with GETMETADATA of the server and
// cannot change. "" = there is none.
type Annotations struct {
	Comment string // /shared/comment
	Admin   string // /shared/admin: a URI, mailto: for instance, of who runs the server
}

// Limits of a server. In each, 0 means the default and a negative value no
// limit.
type Limits struct {
	MaxLineBeforeLogin int // octets of a command without its literals; 8 KiB
	MaxLine            int // the same after login; 64 KiB

	MaxMessageBytes int64 // of APPEND; 35,000,000
	MaxLiteralBytes int64 // all literals of a command together, APPEND's message not counted; 256 KiB

	MaxSearchNodes    int // keys and operators of one SEARCH; 2000
	MaxSearchContexts int // results of one session that are kept up to date; 16
	MaxSort           int // messages that SORT and THREAD take; store.DefaultMaxSort, see store.Sort for what more cost
	// MaxMessagesPerCommand is how many messages one FETCH, STORE, SEARCH, COPY,
	// MOVE, APPEND or UID EXPUNGE looks at, and ESEARCH in each mailbox, announced
	// as MESSAGELIMIT (RFC 9738); 0 = there is no such limit. A client that does
	// not know it sees only the newest messages of a mailbox with more; the RFC
	// wants 1000 at least.
	MaxMessagesPerCommand int

	MaxSaved int // messages of one COPY, MOVE or APPEND, announced as SAVELIMIT; 100,000, which is also the most

	MaxAnnotationBytes int64 // of the value of one annotation (RFC 5464 §4.1); 16 KiB, and at most store.MaxEntryValue
	MaxAnnotations     int   // of one user, or shared, on one mailbox or the server; 100

	MaxCompressionBytes int64 // that sessions with COMPRESS may come to hold together, 41 KiB each; 48 MiB

	MaxConnections        int // 1000
	MaxConnectionsPerIP   int // per IPv4 address or IPv6 /64; 30. Loopback is exempt
	MaxConnectionsPerUser int // logged in at once; 50. Loopback and TrustedPrefixes are exempt
	MaxAuthFailures       int // before the connection is closed; 3
	MaxBadBeforeLogin     int // unknown or malformed commands before login; 5
	MaxBadCommands        int // the same after login, in a row; 50

	ProxyTimeout        time.Duration // for the header of the PROXY protocol; 5 s
	LoginTimeout        time.Duration // from the connection to the login; 60 s
	IdleTimeout         time.Duration // between two commands, and in IDLE (RFC 3501 §5.4); 30 min
	ReadTimeout         time.Duration // without progress inside a command; 5 min
	WriteTimeout        time.Duration // without progress of a write; 60 s
	TLSHandshakeTimeout time.Duration // 30 s
}

func (l Limits) withDefaults() Limits {
	set(&l.MaxLineBeforeLogin, 8<<10)
	set(&l.MaxLine, 64<<10)
	set(&l.MaxMessageBytes, 35_000_000)
	set(&l.MaxLiteralBytes, 256<<10)
	set(&l.MaxSaved, store.MaxWhole)
	set(&l.MaxSearchNodes, 2000)
	set(&l.MaxSearchContexts, 16)
	set(&l.MaxSort, store.DefaultMaxSort)
	set(&l.MaxAnnotationBytes, 16<<10)
	if l.MaxAnnotationBytes < 0 || l.MaxAnnotationBytes > store.MaxEntryValue {
		l.MaxAnnotationBytes = store.MaxEntryValue
	}
	set(&l.MaxAnnotations, 100)
	set(&l.MaxConnections, 1000)
	set(&l.MaxConnectionsPerIP, 30)
	set(&l.MaxConnectionsPerUser, 50)
	set(&l.MaxCompressionBytes, 48<<20)
	set(&l.ProxyTimeout, 5*time.Second)
	set(&l.MaxAuthFailures, 3)
	set(&l.MaxBadBeforeLogin, 5)
	set(&l.MaxBadCommands, 50)
	set(&l.LoginTimeout, time.Minute)
	set(&l.IdleTimeout, 30*time.Minute)
	set(&l.ReadTimeout, 5*time.Minute)
	set(&l.WriteTimeout, time.Minute)
	set(&l.TLSHandshakeTimeout, 30*time.Second)
	return l
}

// set fills in a default.
func set[T int | int64 | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// Validate reports what cannot work.
func (c *Config) Validate() error {
	var errs []error
	if c.Store == nil {
		errs = append(errs, errors.New("imapserver: no Store"))
	}
	if c.Auth == nil {
		errs = append(errs, errors.New("imapserver: nobody can log in: no Auth"))
	}
	if (c.ImplicitTLS || c.RequireTLS) && c.TLSConfig == nil {
		errs = append(errs, errors.New("imapserver: ImplicitTLS or RequireTLS without TLSConfig"))
	}
	if len(c.ID)%2 != 0 {
		errs = append(errs, errors.New("imapserver: ID is a list of pairs"))
	}
	if err := c.Sharing.validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// sessionsPerUser is how many sessions a user may have for one from a to begin.
func (c *Config) sessionsPerUser(a netip.Addr) int {
	if a.IsLoopback() || slices.ContainsFunc(c.TrustedPrefixes, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return -1
	}
	return c.Limits.MaxConnectionsPerUser
}

// isProxy reports whether connections from a start with a PROXY header.
func (c *Config) isProxy(a netip.Addr) bool {
	return slices.ContainsFunc(c.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}
