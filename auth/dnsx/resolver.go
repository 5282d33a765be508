package dnsx

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Type is a type of records.
type Type uint16

// The types that can be asked for.
const (
	A     Type = 1
	CNAME Type = 5 // that of the name itself, which is not followed
	PTR   Type = 12
	MX    Type = 15
	TXT   Type = 16
	AAAA  Type = 28
	TLSA  Type = 52
)

// String is the mnemonic.
func (t Type) String() string {
	switch t {
	case A:
		return "A"
	case CNAME:
		return "CNAME"
	case PTR:
		return "PTR"
	case MX:
		return "MX"
	case TXT:
		return "TXT"
	case AAAA:
		return "AAAA"
	case TLSA:
		return "TLSA"
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// Resolver finds records. Its method may be called from any number of
// goroutines and returns soon after ctx ends.
type Resolver interface {
	// Lookup returns the records of a type that a name has, at the end of a
	// chain of CNAMEs if there is one. name is absolute, with or without a dot
	// at its end, in A-labels; octets beyond host names are allowed. Without an
	// error there is at least one record. The error is an *Error; see NotFound.
	// The Answer is shared: it is not changed.
	Lookup(ctx context.Context, name string, t Type) (*Answer, error)
}

// Answer is what a name has, in the order of the server.
type Answer struct {
	Addrs []netip.Addr // A, AAAA
	Texts []string     // TXT: the strings of each record joined
	MX    []Exchange   // MX
	Names []string     // PTR, CNAME, without the dot at the end
	TLSA  []Association

	// Name is where the records were found, in lower case and without the dot at
	// its end: the end of the chain of CNAMEs, or the name that was asked for.
	Name string

	// TTL is how long the answer may be kept: the least of the records and of
	// the CNAMEs before them.
	TTL time.Duration

	// Secure: DNSSEC was validated, from the root to the answer.
	Secure bool
}

// Exchange is an MX record.
type Exchange struct {
	Preference uint16
	Host       string // without the dot at the end; "" is the null MX (RFC 7505)
}

// Association is a TLSA record (RFC 6698 §2.1). One that is too short for its
// three numbers has 255 in each.
type Association struct {
	Usage, Selector, Matching uint8
	Data                      []byte
}

// empty reports whether there is no record.
func (a *Answer) empty() bool {
	return len(a.Addrs)+len(a.Texts)+len(a.MX)+len(a.Names)+len(a.TLSA) == 0
}

// Why there is no answer; tested with errors.Is.
var (
	// ErrNXDomain: there is no such name.
	ErrNXDomain = errors.New("dnsx: no such name")
	// ErrNoData: the name has no record of that type.
	ErrNoData = errors.New("dnsx: no such record")
	// ErrName: what was asked for cannot be a name (RFC 1035 §2.3.4): an empty
	// label, one of more than 63 octets, more than 253 octets.
	ErrName = errors.New("dnsx: not a domain name")
	// ErrServFail: the server failed, refused, or sent nonsense; a chain of
	// CNAMEs that does not end is that, too.
	ErrServFail = errors.New("dnsx: server failure")
	// ErrBogus: DNSSEC validation failed.
	ErrBogus = errors.New("dnsx: DNSSEC validation failed")
	// ErrTimeout: no answer came in time, or the context ended.
	ErrTimeout = errors.New("dnsx: timeout")
	// ErrBudget: the Budget is spent.
	ErrBudget = errors.New("dnsx: too many questions")
)

// Error is why a lookup gave nothing.
type Error struct {
	Name string
	Type Type
	Kind error         // one of the above
	TTL  time.Duration // how long ErrNXDomain and ErrNoData may be kept; 0 = not
	Err  error         // what lies behind it; nil = nothing
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Kind.Error() + ": " + e.Type.String() + " " + strconv.Quote(e.Name)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns Kind and what lies behind it.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// NotFound reports whether there is certainly no such record: ErrNXDomain,
// ErrNoData, or ErrName. Any other error means that nobody knows now.
func NotFound(err error) bool {
	return errors.Is(err, ErrNXDomain) || errors.Is(err, ErrNoData) || errors.Is(err, ErrName)
}

// clean returns a name without the dot at its end; "" for what is no name.
func clean(name string) string {
	name = strings.TrimSuffix(name, ".")
	if len(name) > 253 {
		return ""
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) == 0 || len(label) > 63 {
			return ""
		}
	}
	return name
}

// ReverseName is the name whose PTR records name an address (RFC 1035 §3.5, RFC
// 3596 §2.5).
func ReverseName(a netip.Addr) string {
	a = a.Unmap()
	raw := a.AsSlice()
	var b strings.Builder
	const digits = "0123456789abcdef"
	for i := len(raw) - 1; i >= 0; i-- {
		if a.Is4() {
			b.WriteString(strconv.Itoa(int(raw[i])))
			b.WriteByte('.')
			continue
		}
		b.Write([]byte{digits[raw[i]&15], '.', digits[raw[i]>>4], '.'})
	}
	if a.Is4() {
		return b.String() + "in-addr.arpa"
	}
	return b.String() + "ip6.arpa"
}
