package mtasts

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Mode is what a domain asks of those who send (RFC 8461 §5).
type Mode uint8

// The modes.
const (
	// None: as if there were no policy; how a domain ends one.
	None Mode = iota
	// Testing: failures are reported, and the mail goes out all the same.
	Testing
	// Enforce: no mail for a host that fails.
	Enforce
)

// String is the word in a policy.
func (m Mode) String() string {
	switch m {
	case Testing:
		return "testing"
	case Enforce:
		return "enforce"
	}
	return "none"
}

// Policy is what a domain publishes at
// https://mta-sts.DOMAIN/.well-known/mta-sts.txt (RFC 8461 §3.2). It is not
// changed once it is made.
type Policy struct {
	Mode Mode

	// MaxAge is how long the policy may be kept; at most MaxAge of the package.
	MaxAge time.Duration

	// MX are the hosts that may take the mail of the domain, in lower case and
	// A-labels: names, or "*." before a name, for exactly one label. Empty only
	// in mode None.
	MX []string
}

const (
	// MaxAge is the longest life of a policy (§3.2).
	MaxAge = 31557600 * time.Second

	maxPolicy = 64 << 10
)

// ParsePolicy parses the body of a policy. The error is ErrPolicy, and says in
// which line.
//
//	sts-policy-record = sts-policy-field *WSP *(sts-policy-term sts-policy-field *WSP) [sts-policy-term]
func ParsePolicy(body []byte) (*Policy, error) {
	if len(body) > maxPolicy {
		return nil, fmt.Errorf("%w: more than %d octets", ErrPolicy, maxPolicy)
	}
	p := policyParser{seen: make(map[string]bool, 4)}
	n := 0
	for line := range strings.Lines(string(body)) {
		n++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if strings.Trim(line, wsp) == "" {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrPolicy, n, err)
		}
	}
	for _, field := range [...]string{"version", "mode", "max_age"} {
		if !p.seen[field] {
			return nil, fmt.Errorf("%w: no %s", ErrPolicy, field)
		}
	}
	if len(p.MX) == 0 && p.Mode != None {
		return nil, fmt.Errorf("%w: no mx", ErrPolicy)
	}
	return &p.Policy, nil
}

type policyParser struct {
	Policy
	seen map[string]bool // the fields of which the first counts
}

type syntaxError string

func (e syntaxError) Error() string { return string(e) }

// line takes one field.
func (p *policyParser) line(line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isFieldName(name) {
		return syntaxError("not a field")
	}
	value = strings.Trim(value, wsp)
	if !isPolicyValue(value) {
		return syntaxError("not a value")
	}
	switch name {
	case "mx":
		return p.mx(value)
	case "version", "mode", "max_age":
		if p.seen[name] {
			return nil // §3.2: the first counts
		}
		p.seen[name] = true
		return p.field(name, value)
	}
	return nil // an extension
}

func (p *policyParser) field(name, value string) error {
	switch name {
	case "version":
		if value != "STSv1" {
			return syntaxError("unknown version")
		}
	case "mode":
		i := slices.Index([]string{"none", "testing", "enforce"}, value)
		if i < 0 {
			return syntaxError("unknown mode")
		}
		p.Mode = Mode(i)
	case "max_age":
		for i := range len(value) {
			if !isDigit(value[i]) || i == 10 {
				return syntaxError("max_age is not a number of 1 to 10 digits")
			}
		}
		seconds, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return syntaxError("max_age is not a number of 1 to 10 digits")
		}
		p.MaxAge = time.Duration(min(seconds, uint64(MaxAge/time.Second))) * time.Second
	}
	return nil
}

func (p *policyParser) mx(value string) error {
	host := strings.ToLower(value)
	if !isHost(strings.TrimPrefix(host, "*.")) {
		return syntaxError("mx is not a host name")
	}
	p.MX = append(p.MX, host)
	return nil
}

// isPolicyValue: printable characters, and spaces between them.
func isPolicyValue(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return s != "" && utf8.ValidString(s)
}

// isHost: labels of letters, digits, "-" and "_", in lower case.
func isHost(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !isDigit(c) && (c < 'a' || c > 'z') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// Matches reports whether the policy names this MX host (§4.1). host is in
// A-labels, in any case, with or without a dot at its end.
func (p *Policy) Matches(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !isHost(host) {
		return false
	}
	_, parent, _ := strings.Cut(host, ".")
	for _, pattern := range p.MX {
		suffix, wild := strings.CutPrefix(pattern, "*.")
		if wild && parent == suffix || !wild && host == pattern {
			return true
		}
	}
	return false
}

// Lines are the fields of the policy, as TLS reports quote it (RFC 8460 §4.4).
func (p *Policy) Lines() []string {
	lines := []string{"version: STSv1", "mode: " + p.Mode.String()}
	for _, mx := range p.MX {
		lines = append(lines, "mx: "+mx)
	}
	return append(lines, "max_age: "+strconv.FormatInt(int64(p.MaxAge/time.Second), 10))
}

// TLSConfig is base (nil = the zero one) as a policy wants it for an MX host: the
// certificate is verified for the name of the host (§4.2), with TLS 1.2 at
// least (§4.2, RFC 8996). What base verifies beside that, it goes on verifying.
func (p *Policy) TLSConfig(base *tls.Config, host string) *tls.Config {
	c := &tls.Config{}
	if base != nil {
		c = base.Clone()
	}
	c.ServerName = strings.TrimSuffix(host, ".")
	c.InsecureSkipVerify = false
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	return c
}
