package dkim

import (
	"bytes"
	"strings"
	"time"

	"github.com/mailstead/mailstead/internal/dnsname"
)

// algorithm is a value of a=.
type algorithm uint8

const (
	rsaSHA256 algorithm = iota + 1
	ed25519SHA256
)

func (a algorithm) String() string {
	switch a {
	case rsaSHA256:
		return "rsa-sha256"
	case ed25519SHA256:
		return "ed25519-sha256"
	}
	return ""
}

// kind is the k= of the keys that it needs.
func (a algorithm) kind() string {
	kind, _, _ := strings.Cut(a.String(), "-")
	return kind
}

// signature is a parsed DKIM-Signature field. Slices are parts of the block.
type signature struct {
	field          field
	index          int
	cutFrom, cutTo int32 // of the value of b= in the block

	algorithm      algorithm
	named          string // a= where it is none of ours
	domain         string
	selector       string
	identity       string
	identityDomain string
	header, body   Canonicalization
	length         int64 // l=; -1 = not said
	signed         int64 // t=; -1 = not said
	expires        int64 // x=; -1 = never
	names          []byte
	b              []byte
	bodyHash       [32]byte
	hash           int // of Verification.bodies; -1 = none
	key            int // of Verification.keys; -1 = none
	rank           int
}

// parse reads a field. What can be read is there also where there is a reason
// against it.
func (s *signature) parse(b *block, f field, now time.Time) Reason {
	*s = signature{field: f, length: -1, signed: -1, expires: -1, hash: -1, key: -1}
	var t tags
	if t.parse(b.value(f)) != nil {
		return Syntax
	}
	if r := s.parseNames(&t); r != "" {
		return r
	}
	if r := s.parseMethods(&t); r != "" {
		return r
	}
	if r := s.parseHashes(&t, int(f.colon)+1); r != "" {
		return r
	}
	if r := s.parseNumbers(&t, now); r != "" {
		return r
	}
	from := false
	for rest, more := s.names, true; more; {
		var name []byte
		if name, rest, more = nextItem(rest); len(name) == 0 {
			return Syntax
		}
		from = from || equalFold(name, []byte("from"))
	}
	if !from {
		return FromUnsigned
	}
	return ""
}

// parseNames reads who signed.
func (s *signature) parseNames(t *tags) Reason {
	domain, ok1 := t.get("d")
	selector, ok2 := t.get("s")
	if !ok1 || !ok2 || !isDomain(domain) || !isDomain(selector) {
		return Syntax
	}
	s.domain, s.selector = string(domain), string(selector)
	s.identityDomain = s.domain
	v, ok := t.get("i")
	if !ok {
		return ""
	}
	if s.identity, ok = unquote(v); !ok {
		return Syntax
	}
	at := strings.LastIndexByte(s.identity, '@')
	if at < 0 {
		return Syntax
	}
	s.identityDomain = s.identity[at+1:]
	if !dnsname.Within(s.identityDomain, s.domain) {
		return IdentityDomain
	}
	return ""
}

// parseMethods reads how it was signed.
func (s *signature) parseMethods(t *tags) Reason {
	a, ok := t.get("a")
	v, okV := t.get("v")
	if !ok || !okV {
		return Syntax
	}
	switch string(a) {
	case rsaSHA256.String():
		s.algorithm = rsaSHA256
	case ed25519SHA256.String():
		s.algorithm = ed25519SHA256
	case "rsa-sha1":
		s.named = "rsa-sha1"
		return OldAlgorithm
	default:
		return Unsupported
	}
	if q, ok := t.get("q"); string(v) != "1" || ok && !hasItem(q, "dns/txt") {
		return Unsupported
	}
	s.header, s.body = Simple, Simple
	c, ok := t.get("c")
	if !ok {
		return ""
	}
	h, body, both := bytes.Cut(c, []byte{'/'})
	if s.header, ok = canonicalization(h); !ok {
		return Unsupported
	}
	if both {
		if s.body, ok = canonicalization(body); !ok {
			return Unsupported
		}
	}
	return ""
}

func canonicalization(word []byte) (Canonicalization, bool) {
	switch string(trim(word)) {
	case "simple":
		return Simple, true
	case "relaxed":
		return Relaxed, true
	}
	return 0, false
}

// parseHashes reads what was signed. at is where the tag-list begins.
func (s *signature) parseHashes(t *tags, at int) Reason {
	h, ok1 := t.get("h")
	bh, ok2 := t.get("bh")
	i := t.find("b")
	if !ok1 || !ok2 || i < 0 || len(h) == 0 || len(t.list[i].value) == 0 {
		return Syntax
	}
	if hash, ok := decode64(s.bodyHash[:], bh); !ok || len(hash) != len(s.bodyHash) {
		return Syntax
	}
	s.names, s.b = h, t.list[i].value
	s.cutFrom, s.cutTo = int32(at+t.list[i].from), int32(at+t.list[i].to)
	return ""
}

// maxAhead is how far t= may lie in the future: clocks differ.
const maxAhead = 5 * time.Minute

// parseNumbers reads l=, t= and x=.
func (s *signature) parseNumbers(t *tags, now time.Time) Reason {
	for _, n := range []struct {
		name   string
		digits int
		to     *int64
	}{{"l", 76, &s.length}, {"t", 76, &s.signed}, {"x", 76, &s.expires}} {
		if v, ok := t.get(n.name); ok {
			if *n.to, ok = number(v, n.digits); !ok {
				return Syntax
			}
		}
	}
	switch {
	case s.expires >= 0 && s.expires <= s.signed:
		return Syntax
	case s.expires >= 0 && s.expires < huge && now.Unix() > s.expires:
		return Expired
	case s.signed > now.Add(maxAhead).Unix():
		return FromFuture
	}
	return ""
}

// isDomain reports whether s can be d= or s=: labels of letters, digits,
// hyphens, underscores and octets beyond ASCII (RFC 8616).
func isDomain(s []byte) bool {
	label := 0
	for _, c := range s {
		switch {
		case c == '.' && label > 0:
			label = 0
		case isAlpha(c), c >= '0' && c <= '9', c == '-', c == '_', c >= 0x80:
			label++
		default:
			return false
		}
	}
	return label > 0 && len(s) <= 253
}

// unquote decodes dkim-quoted-printable (RFC 6376 §2.11).
func unquote(s []byte) (string, bool) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isFWS(c):
		case c != '=':
			out = append(out, c)
		default:
			if i+2 >= len(s) {
				return "", false
			}
			hi, lo := hex(s[i+1]), hex(s[i+2])
			if hi < 0 || lo < 0 {
				return "", false
			}
			out = append(out, byte(hi<<4|lo))
			i += 2
		}
	}
	return string(out), true
}

func hex(c byte) int { return strings.IndexByte("0123456789ABCDEF", c) }

// digest hashes the header as the signature says (RFC 6376 §3.7), and finds
// what it leaves unsigned.
func (s *signature) digest(w *sink, b *block, x *index) ([]byte, Weakness) {
	w.h.Reset()
	x.rewind()
	sealed := false
	for rest, more := s.names, true; more; {
		var name []byte
		name, rest, more = nextItem(rest)
		f, ok := x.take(name)
		switch {
		case !ok:
			sealed = sealed || equalFold(name, []byte("from"))
		case f != s.field: // it signs itself without being named (§3.5)
			w.header(s.header, b, f, 0, 0)
			w.crlf()
		}
	}
	weak := Weakness(0)
	if x.left("from") {
		weak |= FromExtra
	}
	if !sealed {
		weak |= FromUnsealed
	}
	if x.left("subject") {
		weak |= SubjectUnsigned
	}
	if s.length >= 0 {
		weak |= BodyLength
	}
	w.header(s.header, b, s.field, s.cutFrom, s.cutTo)
	return w.sum(), weak
}

// fromDomains collects what may be domains of From, to find out which
// signatures matter; it is no judgement about who the author is.
func fromDomains(b *block) []string {
	var out []string
	for _, f := range b.fields {
		if !equalFold(b.name(f), []byte("from")) {
			continue
		}
		for v := b.value(f); len(out) < 16; {
			i := bytes.IndexByte(v, '@')
			if i < 0 {
				break
			}
			v = v[i+1:]
			n := 0
			for n < len(v) && n < 254 && (isDomain(v[n:n+1]) || v[n] == '.') {
				n++
			}
			if n > 0 {
				out = append(out, string(bytes.TrimRight(v[:n], ".")))
			}
		}
	}
	return out
}

// rankOf says how much a signature matters, the least first: by the domain of
// From itself, by one above or below it, by others; with l= all of them matter
// less.
func rankOf(s *signature, from []string) int {
	rank := 2
	for _, d := range from {
		switch {
		case strings.EqualFold(d, s.domain):
			rank = 0
		case rank > 1 && (dnsname.Within(d, s.domain) || dnsname.Within(s.domain, d)):
			rank = 1
		}
	}
	if s.length >= 0 {
		rank += 3
	}
	return rank
}
