package mailsig

import (
	"bytes"
	"strings"
	"time"
)

// Algorithm is a value of a=.
type Algorithm uint8

// The algorithms that count.
const (
	RSASHA256 Algorithm = iota + 1
	Ed25519SHA256
)

// String is the word of the a= tag; "" = none of ours.
func (a Algorithm) String() string {
	switch a {
	case RSASHA256:
		return "rsa-sha256"
	case Ed25519SHA256:
		return "ed25519-sha256"
	}
	return ""
}

// kind is the k= of the keys that it needs.
func (a Algorithm) kind() string {
	kind, _, _ := strings.Cut(a.String(), "-")
	return kind
}

// Signature has the tags that signatures have in common. Slices are parts of the
// block. The parse methods take a parsed tag-list; what can be read is there
// also where there is a reason against it.
type Signature struct {
	Part // the field, and where b= stands in it

	Algorithm    Algorithm
	Named        string // a= where it is none of ours
	Domain       string // d=
	Selector     string // s=
	Header, Body Canon
	Length       int64  // l=; -1 = not said
	Signed       int64  // t=; -1 = not said
	Expires      int64  // x=; -1 = never
	Names        []byte // h=
	B            []byte // b=, in base64
	BodyHash     [32]byte
}

// NewSignature is what nothing is known of yet.
func NewSignature(f Field) Signature {
	return Signature{Part: Part{Field: f}, Length: -1, Signed: -1, Expires: -1}
}

// ParseSigner reads d= and s=.
func (s *Signature) ParseSigner(t *Tags) Reason {
	domain, ok1 := t.Get("d")
	selector, ok2 := t.Get("s")
	if !ok1 || !ok2 || !IsDomain(domain) || !IsDomain(selector) {
		return Syntax
	}
	s.Domain, s.Selector = string(domain), string(selector)
	return ""
}

// ParseAlgorithm reads a=.
func (s *Signature) ParseAlgorithm(t *Tags) Reason {
	a, ok := t.Get("a")
	if !ok {
		return Syntax
	}
	switch string(a) {
	case RSASHA256.String():
		s.Algorithm = RSASHA256
	case Ed25519SHA256.String():
		s.Algorithm = Ed25519SHA256
	case "rsa-sha1":
		s.Named = "rsa-sha1"
		return OldAlgorithm
	default:
		return Unsupported
	}
	return ""
}

// ParseMethods reads q= and c=.
func (s *Signature) ParseMethods(t *Tags) Reason {
	if q, ok := t.Get("q"); ok && !HasItem(q, "dns/txt") {
		return Unsupported
	}
	s.Header, s.Body = Simple, Simple
	c, ok := t.Get("c")
	if !ok {
		return ""
	}
	h, body, both := bytes.Cut(c, []byte{'/'})
	if s.Header, ok = parseCanon(h); !ok {
		return Unsupported
	}
	if both {
		if s.Body, ok = parseCanon(body); !ok {
			return Unsupported
		}
	}
	return ""
}

func parseCanon(word []byte) (Canon, bool) {
	switch string(Trim(word)) {
	case "simple":
		return Simple, true
	case "relaxed":
		return Relaxed, true
	}
	return 0, false
}

// maxNames bounds the names of h=, each of which is looked for.
const maxNames = 16 << 10

// ParseHashes reads h= and bh=.
func (s *Signature) ParseHashes(t *Tags) Reason {
	h, ok1 := t.Get("h")
	bh, ok2 := t.Get("bh")
	if !ok1 || !ok2 || bytes.Count(h, []byte{':'}) >= maxNames {
		return Syntax
	}
	if hash, ok := Decode64(s.BodyHash[:], bh); !ok || len(hash) != len(s.BodyHash) {
		return Syntax
	}
	s.Names = h
	return ""
}

// ParseNames looks whether the names of h= are there, and From among them.
func (s *Signature) ParseNames() Reason {
	from := false
	for rest, more := s.Names, true; more; {
		var name []byte
		if name, rest, more = NextItem(rest); len(name) == 0 {
			return Syntax
		}
		from = from || EqualFold(name, []byte("from"))
	}
	if !from {
		return FromUnsigned
	}
	return ""
}

// ParseB reads b=.
func (s *Signature) ParseB(t *Tags) Reason {
	i := t.Find("b")
	if i < 0 || len(t.list[i].Value) == 0 {
		return Syntax
	}
	at := int(s.Colon) + 1 // where the tag-list begins
	s.B = t.list[i].Value
	s.CutFrom, s.CutTo = int32(at+t.list[i].From), int32(at+t.list[i].To)
	return ""
}

// maxAhead is how far t= may lie in the future: clocks differ.
const maxAhead = 5 * time.Minute

// ParseTimes reads l=, t= and x=.
func (s *Signature) ParseTimes(t *Tags, now time.Time) Reason {
	for _, n := range []struct {
		name   string
		digits int
		to     *int64
	}{{"l", 76, &s.Length}, {"t", 76, &s.Signed}, {"x", 76, &s.Expires}} {
		if v, ok := t.Get(n.name); ok {
			if *n.to, ok = Number(v, n.digits); !ok {
				return Syntax
			}
		}
	}
	switch {
	case s.Expires >= 0 && s.Expires <= s.Signed:
		return Syntax
	case s.Expires >= 0 && s.Expires < Huge && now.Unix() > s.Expires:
		return Expired
	case s.Signed > now.Add(maxAhead).Unix():
		return FromFuture
	}
	return ""
}

// IsDomain reports whether s can be d= or s=: labels of letters, digits,
// hyphens, underscores and octets beyond ASCII (RFC 8616).
func IsDomain(s []byte) bool {
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

// Digest hashes the header as the signature says (RFC 6376 §3.7), and leaves the
// cursor behind what it names. sealed: it names From more often than there is
// one, so that none can be added.
func (s *Signature) Digest(w *Sink, b *Block, c *Cursor) (digest []byte, sealed bool) {
	w.Reset()
	c.Rewind()
	for rest, more := s.Names, true; more; {
		var name []byte
		name, rest, more = NextItem(rest)
		f, ok := c.Take(name)
		switch {
		case !ok:
			sealed = sealed || EqualFold(name, []byte("from"))
		case f != s.Field: // it signs itself without being named (§3.5)
			w.Header(s.Header, b, Part{Field: f})
			w.CRLF()
		}
	}
	w.Header(s.Header, b, s.Part)
	return w.Sum(), sealed
}

// BodyFault says why a signature is not for a body; "" = it is.
func (s *Signature) BodyFault(b *BodyHash) Reason {
	switch {
	case b.Refused():
		return Surplus
	case s.Length > b.Len(), string(s.BodyHash[:]) != string(b.Digest()):
		return BodyMismatch
	}
	return ""
}

// Verify tries the keys of a name, which have no Fault; a record that is none
// does not hide another. strict is what a key with t=s makes a reason of. key is
// the one that decided.
func (s *Signature) Verify(k *Keys, digest []byte, strict Reason) (key *PublicKey, reason Reason) {
	var buf [MaxRSABits / 8]byte
	sig, ok := Decode64(buf[:], s.B)
	if !ok {
		return nil, Syntax
	}
	for i := range k.List {
		reasonHere := k.List[i].Suits(s.Algorithm)
		if reasonHere == "" && k.List[i].Strict {
			reasonHere = strict
		}
		if reasonHere == "" && !k.List[i].Verify(digest, sig) {
			reasonHere = Mismatch
		}
		if i == 0 || reasonHere == "" {
			key, reason = &k.List[i], reasonHere
		}
		if reason == "" {
			break
		}
	}
	return key, reason
}
