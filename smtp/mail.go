package smtp

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/base32"
	"maps"
	"net/netip"
	"sync"
	"time"
)

// Mail is the head of one transaction: everything known when MAIL was
// accepted. A Receiver must not change it; it may keep it.
type Mail struct {
	// ID names the transaction in the Received field, the final 250, the
	// logs and the queue. It is made before Begin; see NewID. Never empty.
	ID string

	// ReversePath is the argument of MAIL FROM; zero = the null sender.
	ReversePath ReversePath

	// Params are the typed and the unknown parameters of MAIL.
	Params MailParams

	// Peer is who talks to us; nil for mail that starts here (a DSN, a
	// report, a connector's message).
	Peer *Peer

	// PerRecipient reports that the caller can pass on one result for each
	// recipient (LMTP, PRDR, the queue). Without it all statuses of Data
	// must be equal; see Uniform.
	PerRecipient bool

	// Upstream is who sent the message to the peer, as a trusted peer said
	// with XFORWARD, for logs; nil = it did not say.
	Upstream *Upstream

	// Once is the idempotency key: a receiver that already took
	// responsibility for mail with this key reports success and does
	// nothing. Zero = none.
	Once string

	// Received is when MAIL was accepted.
	Received time.Time
}

// Recipient is one accepted or proposed RCPT (RFC 5321 §4.1.1.3).
type Recipient struct {
	ForwardPath ForwardPath
	Params      RcptParams
}

// Peer is the other side of a connection. The exported fields are set by the
// server before a Receiver sees them, and do not change during a transaction.
type Peer struct {
	// Addr and LocalAddr are the two ends of the connection, after a trusted
	// PROXY header or XCLIENT. Invalid for other than TCP.
	Addr, LocalAddr netip.AddrPort

	// Name is the host name that belongs to Addr, confirmed by whoever set it:
	// a hook at the start of the connection, or a trusted peer's XCLIENT.
	// "" = not known.
	Name string

	// Hello is the argument of HELO, EHLO or LHLO.
	Hello string

	// Protocol is the "with" word of the Received field (RFC 3848,
	// RFC 6531 §4.3): SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, LMTP, LMTPS, ...
	// without the UTF8 form, which depends on the transaction.
	Protocol string

	// TLS is the state of the TLS connection; nil = no TLS.
	TLS *tls.ConnectionState

	// Identity is the authorized account name; "" = not authenticated.
	Identity string

	// Mechanism is the SASL mechanism used; "" = not authenticated.
	Mechanism string

	mu     sync.Mutex
	values map[any]any
}

// Value returns what SetValue kept under key, or nil. Any goroutine may call it.
func (p *Peer) Value(key any) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.values[key]
}

// SetValue keeps a value for the life of the connection. Keys follow the rule
// of context.WithValue: comparable, of a type of the caller's own package.
func (p *Peer) SetValue(key, value any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.values == nil {
		p.values = make(map[any]any)
	}
	p.values[key] = value
}

// Clone returns a Peer with the same fields, and the values that p has now.
// A server that has to change an exported field changes a clone, since
// receivers may keep the Peer of an earlier transaction.
func (p *Peer) Clone() *Peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &Peer{
		Addr: p.Addr, LocalAddr: p.LocalAddr,
		Name: p.Name, Hello: p.Hello, Protocol: p.Protocol, TLS: p.TLS,
		Identity: p.Identity, Mechanism: p.Mechanism,
		values: maps.Clone(p.values),
	}
}

// NewID makes a transaction id: 26 characters of lower-case base32 (128
// random bits), unique without coordination.
func NewID() string {
	var raw [16]byte
	var text [26]byte
	rand.Read(raw[:]) // never fails
	idEncoding.Encode(text[:], raw[:])
	return string(text[:])
}

var idEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)
