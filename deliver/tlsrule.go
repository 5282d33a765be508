package deliver

import (
	"context"
	"crypto/tls"
	"net/netip"
)

// MXHost is one host that takes mail of a destination.
type MXHost struct {
	Name       string // canonical, without the trailing dot; the name after CNAMEs is Target
	Target     string // where the CNAMEs of Name end; Name where there are none
	MXSecure   bool   // the MX records (of an implicit MX: the address records) were validated by DNSSEC
	AddrSecure bool   // the address records, CNAMEs included, were validated
}

// TLSPolicies says how TLS has to be with the hosts of a destination. It may be
// used by any number of goroutines.
type TLSPolicies interface {
	// Policy is that of a destination domain (A-labels, lower case), asked once for an attempt. An
	// error defers the message.
	Policy(ctx context.Context, domain string) (TLSPolicy, error)
}

// TLSPolicy is that of one destination, for one attempt.
type TLSPolicy interface {
	// Rule is what holds for a host. An error passes the host over; where all
	// hosts are, the message is deferred (never failed for a policy alone). Where
	// the rule beside the error is Waivable, a message with "TLS-Required: No"
	// goes there nonetheless (RFC 8689 §4.2.2).
	Rule(ctx context.Context, h MXHost) (TLSRule, error)

	// Observe is told how each connection to a host went that got as far as
	// TLS, or the refusal of it: for reports (RFC 8460). err nil = the session was as the rule demands. Must not block.
	// Connections for a message that waives the rule are none of its business.
	Observe(h MXHost, addr netip.Addr, rule TLSRule, err error)
}

// TLSRule is how TLS has to be with one host. The zero value is opportunistic
// TLS without authentication and without a retry in plain text.
type TLSRule struct {
	// Required: no mail without TLS.
	Required bool
	// PlaintextRetry: one more connection without TLS where a handshake failed. Never with Required.
	PlaintextRetry bool
	// Config is the base of the handshake (certificate checks included: InsecureSkipVerify with VerifyConnection for DANE and opportunistic TLS); nil = the Dialer's.
	Config *tls.Config
	// Identity is what was verified, for the key of a pool and for logs: "" = nothing;
	// "dane:HASH", "mta-sts:NAME", "static:NAME". Two rules of equal Identity, Required and host are interchangeable.
	Identity string
	// Vouched: host is beyond doubt an MX of the domain (RFC 8689 §4.2.1).
	Vouched bool
	// Waivable: the recipient's domain asks for it, not the operator: "TLS-Required: No" turns it off (RFC 8689 §4.2.2).
	Waivable bool
	// Source names the policy: "none", "opportunistic", "static", "mta-sts", "dane", "dane-only-encrypt".
	Source string
}
