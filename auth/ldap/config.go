package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/store"
)

// Config says where a directory is and what its entries mean. Its zero values
// are the defaults; URLs and Base are required. OpenLDAP and ActiveDirectory
// return one with the names that these servers use. It prints without its
// password.
type Config struct {
	// URLs are the servers of one directory, the preferred one first. The
	// others are asked when it fails. The forms are
	//
	//	ldaps://HOST[:636]   TLS from the first octet
	//	ldap://HOST[:389]    StartTLS before anything else (RFC 4511 §4.14)
	//	ldapi://PATH         a socket of this machine; "/" in PATH is %2F
	URLs []string

	// AllowPlaintext leaves StartTLS out. Everyone on the way then reads the
	// passwords of all users.
	AllowPlaintext bool

	// TLS is the configuration of the client. Nil means the roots of the
	// system and TLS 1.2 at least. The name to verify is that of the URL,
	// unless ServerName is set.
	TLS *tls.Config

	// BindDN and Password are those of the service account, with which
	// entries are searched. Both empty: nobody in particular (anonymous).
	BindDN   string
	Password login.Password

	// External binds the service connections by SASL EXTERNAL in place of
	// BindDN: as whom the client certificate in TLS, or the process at the
	// other end of an ldapi socket, says.
	External bool

	// Base is the DN below which entries are searched, as in
	// "ou=people,dc=example,dc=org". It may hold placeholders; see the
	// package comment.
	Base string

	// Scope is how far below Base. Zero means the whole subtree.
	Scope Scope

	// AccountAttribute holds the name of the account of an entry. It must have
	// one value. Zero means "mail".
	AccountAttribute string

	// Users says how users log in, Addresses how mail finds them.
	Users     UserConfig
	Addresses AddressConfig

	// Timeout bounds each operation, DialTimeout a new connection with TLS and
	// the bind of the service account. Zero means 5 s, negative none but that
	// of the context.
	Timeout, DialTimeout time.Duration

	// MaxConns is how many connections search at the same time, and how many
	// others check passwords. Zero means 8. Who finds none free waits as long
	// as an operation may take.
	MaxConns int

	// IdleTimeout is how long an unused connection is kept for the next
	// operation. Zero means 1 min, negative that none is kept.
	IdleTimeout time.Duration

	// MaxResultBytes is how many octets a server may answer to one operation.
	// Decoded they take up to 150 times as much memory, if a server is out for
	// that. Zero means 512 KiB: room for a group of some thousand members.
	MaxResultBytes int64

	// Dial makes connections; nil means a net.Dialer. network is "tcp" or
	// "unix". ctx ends after DialTimeout. May block.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Logger receives what operators want to know: refused users with the
	// directory's reason, entries that are ambiguous, servers that fail. Nil
	// means slog.Default.
	Logger *slog.Logger
}

// Scope is how far below a base DN entries are searched (RFC 4511 §4.5.1.2).
type Scope uint8

// The scopes.
const (
	Subtree  Scope = iota // the base and everything below
	OneLevel              // the children of the base
)

// UserConfig says how users log in.
type UserConfig struct {
	// Filter finds the entry of a user; see the package comment for its
	// placeholders. Zero means "(|(uid={name})(mail={name}))".
	Filter string

	// DefaultDomain is what {domain} stands for in user names without one.
	DefaultDomain string

	// SecretAttribute holds SCRAM verifiers, as {SCRAM-SHA-256}ITERATIONS,
	// SALT,STORED,SERVER without a space, or in the form of RFC 5803. The
	// service account must be allowed to read it, and nobody else. Empty: none
	// are kept.
	SecretAttribute string

	// DisabledAttribute turns a user off whose entry has one of
	// DisabledValues in it, in any case of letters. No DisabledValues mean
	// every value but "false", "no" and "0".
	DisabledAttribute string
	DisabledValues    []string

	// LockoutDuration is how long a lock after wrong passwords (lockoutTime,
	// pwdAccountLockedTime) counts here. Servers leave the attribute in place
	// when the lock is over, and judge it again at each bind. Zero means
	// 30 min, negative until somebody takes the attribute away.
	LockoutDuration time.Duration

	// Decoy is the DN of an entry with a password that nobody has. Users who
	// are unknown or turned off then cost one bind to it, as a wrong password
	// costs one to the user's, and all refusals take a multiple of 20 ms, so
	// that time does not tell them apart. With it login.ErrNoUser is never
	// returned: no backend of a login.Chain behind this one is asked.
	Decoy string
}

// AddressConfig says how mail finds its accounts.
type AddressConfig struct {
	// Domains are the local domains, in any form; mail to others is
	// deliver.Remote.
	Domains []string

	// Filter finds the entry of an address. Zero means
	// "(|(mail={name})(mailAlternateAddress={name}))".
	Filter string

	// Separator splits a sub-address from the account (RFC 5233 §4). Zero
	// means "+"; "none" switches it off.
	Separator string

	// DomainCatchAll looks for "@DOMAIN" where nobody has the address; who has
	// that one gets its mail.
	DomainCatchAll bool

	// CatchAll is the account that gets what is left in local domains; ""
	// means nobody.
	CatchAll store.AccountID

	// Postmaster is the account of <postmaster>, and of postmaster in each
	// local domain where nobody has that address (RFC 5321 §4.5.1).
	Postmaster store.AccountID

	// PrimaryAttribute holds the one address under which a member of a group
	// gets mail. Zero means "mail".
	PrimaryAttribute string

	// ForwardAttributes hold addresses that an entry stands for, in place of
	// an account of its own.
	ForwardAttributes []string

	// MemberDNs and MemberAddresses are the attributes of groups that hold the
	// DNs and the addresses of their members. Without them nobody has the
	// address of a group.
	MemberDNs, MemberAddresses []string

	// MaxMembers is how many members a group has at most, those of groups in
	// it included; the lookup of a larger one fails. Zero means 1000.
	MaxMembers int

	// QuotaBytes and QuotaMessages are the attributes for the limits of an
	// account; see Addresses.Limits. Empty: none.
	QuotaBytes, QuotaMessages string

	// QuotaUnit is what a QuotaBytes without a suffix counts, in octets. Zero
	// means 1.
	QuotaUnit int64
}

// Defaults.
const (
	defaultUserFilter    = "(|(uid={name})(mail={name}))"
	defaultAddressFilter = "(|(mail={name})(mailAlternateAddress={name}))"
	defaultTimeout       = 5 * time.Second
	defaultLockout       = 30 * time.Minute
	defaultIdle          = time.Minute
	defaultConns         = 8
	defaultMembers       = 1000
	defaultResultBytes   = 512 << 10
)

// Validate lists all faults. ErrConfig.
func (c *Config) Validate() error {
	_, err := compile(*c)
	return err
}

// faults collects what is wrong with a Config.
type faults struct{ list []error }

func (f *faults) check(bad bool, format string, args ...any) {
	if bad {
		f.list = append(f.list, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	}
}

func (f *faults) add(what string, err error) { f.check(err != nil, "%s: %w", what, err) }

func (f *faults) err() error { return errors.Join(f.list...) }

// compiled is a Config with its defaults and parsed parts. It is not changed.
type compiled struct {
	Config
	servers   []*server
	users     query
	addresses query
}

// compile checks c and fills in its defaults.
func compile(c Config) (*compiled, error) {
	c.setDefaults()
	out := &compiled{Config: c}
	var f faults
	f.check(len(c.URLs) == 0, "no URLs")
	for i, text := range c.URLs {
		s, err := parseURL(text, &c)
		f.add(fmt.Sprintf("URL %d", i+1), err)
		out.servers = append(out.servers, s)
	}
	c.checkBind(&f)
	c.checkLimits(&f)
	base, err := parseDN(c.Base)
	f.add("Base", err)
	f.check(c.Base == "", "no Base")
	f.check(c.Scope > OneLevel, "unknown Scope")
	users, err := parseFilter(c.Users.Filter)
	f.add("Users.Filter", err)
	addresses, err := parseFilter(c.Addresses.Filter)
	f.add("Addresses.Filter", err)
	f.checkAttributes(&c)
	if err := f.err(); err != nil {
		return nil, err
	}
	out.users = query{base: base, scope: c.Scope, filter: users, attributes: c.userAttributes(users)}
	out.addresses = query{base: base, scope: c.Scope, filter: addresses, attributes: c.addressAttributes(addresses)}
	return out, nil
}

func (c *Config) checkBind(f *faults) {
	f.check(c.BindDN != "" && c.Password.Reveal() == "",
		"BindDN without Password: servers take that for a success that proves nothing (RFC 4513 §5.1.2)")
	f.check(c.BindDN == "" && c.Password.Reveal() != "", "Password without BindDN")
	f.check(c.External && c.BindDN != "", "both External and BindDN")
	for what, dn := range map[string]string{"BindDN": c.BindDN, "Users.Decoy": c.Users.Decoy} {
		d, err := parseDN(dn)
		f.add(what, err)
		f.check(err == nil && !d.static(), "%s has a placeholder", what)
	}
}

func (c *Config) checkLimits(f *faults) {
	f.check(c.MaxConns < 0, "MaxConns is negative")
	f.check(c.MaxResultBytes < 0, "MaxResultBytes is negative")
	f.check(c.Addresses.MaxMembers < 0, "Addresses.MaxMembers is negative")
	f.check(c.Addresses.QuotaUnit < 0, "Addresses.QuotaUnit is negative")
	f.check(len(c.Users.DisabledValues) > 0 && c.Users.DisabledAttribute == "",
		"Users.DisabledValues without DisabledAttribute")
}

// checkAttributes asserts that everything that names an attribute does.
func (f *faults) checkAttributes(c *Config) {
	a := &c.Addresses
	names := []string{
		c.AccountAttribute, c.Users.SecretAttribute, c.Users.DisabledAttribute,
		a.PrimaryAttribute, a.QuotaBytes, a.QuotaMessages,
	}
	for _, list := range [][]string{names, a.ForwardAttributes, a.MemberDNs, a.MemberAddresses} {
		for _, name := range list {
			f.check(name != "" && !isAttribute(name), "%q is not the name of an attribute", name)
		}
	}
}

func (c *Config) setDefaults() {
	orText := func(s *string, text string) {
		if *s == "" {
			*s = text
		}
	}
	orTime := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	orText(&c.AccountAttribute, "mail")
	orText(&c.Users.Filter, defaultUserFilter)
	orText(&c.Addresses.Filter, defaultAddressFilter)
	orText(&c.Addresses.PrimaryAttribute, "mail")
	orTime(&c.Timeout, defaultTimeout)
	orTime(&c.DialTimeout, defaultTimeout)
	orTime(&c.IdleTimeout, defaultIdle)
	orTime(&c.Users.LockoutDuration, defaultLockout)
	if c.MaxConns == 0 {
		c.MaxConns = defaultConns
	}
	if c.MaxResultBytes == 0 {
		c.MaxResultBytes = defaultResultBytes
	}
	if c.Addresses.MaxMembers == 0 {
		c.Addresses.MaxMembers = defaultMembers
	}
	if c.Addresses.QuotaUnit == 0 {
		c.Addresses.QuotaUnit = 1
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
}

// isAttribute reports whether s is an attribute type without options: a short
// name or a numeric OID (RFC 4512 §1.4).
func isAttribute(s string) bool {
	if s == "" || strings.Trim(s, ".") != s {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}
