package dkim

import (
	"bytes"
	"strings"
	"time"

	"github.com/mailstead/mailstead/internal/dnsname"
	"github.com/mailstead/mailstead/internal/mailsig"
)

// signature is a parsed DKIM-Signature field.
type signature struct {
	mailsig.Signature
	index          int
	identity       string
	identityDomain string
	hash           *mailsig.BodyHash
	key            int // of Verification.keys; -1 = none
	rank           int
}

// parse reads a field. What can be read is there also where there is a reason
// against it.
func (s *signature) parse(b *mailsig.Block, f mailsig.Field, now time.Time) mailsig.Reason {
	*s = signature{Signature: mailsig.NewSignature(f), key: -1}
	var t mailsig.Tags
	if t.Parse(b.Value(f)) != nil {
		return mailsig.Syntax
	}
	for _, step := range []func() mailsig.Reason{
		func() mailsig.Reason { return s.ParseSigner(&t) },
		func() mailsig.Reason { return s.parseIdentity(&t) },
		func() mailsig.Reason { return s.parseMethods(&t) },
		func() mailsig.Reason { return s.ParseHashes(&t) },
		func() mailsig.Reason { return s.ParseB(&t) },
		func() mailsig.Reason { return s.ParseTimes(&t, now) },
		s.ParseNames,
	} {
		if r := step(); r != "" {
			return r
		}
	}
	return ""
}

// parseIdentity reads i=.
func (s *signature) parseIdentity(t *mailsig.Tags) mailsig.Reason {
	s.identityDomain = s.Domain
	v, ok := t.Get("i")
	if !ok {
		return ""
	}
	if s.identity, ok = unquote(v); !ok {
		return mailsig.Syntax
	}
	at := strings.LastIndexByte(s.identity, '@')
	if at < 0 {
		return mailsig.Syntax
	}
	s.identityDomain = s.identity[at+1:]
	if !dnsname.Within(s.identityDomain, s.Domain) {
		return identityDomain
	}
	return ""
}

// parseMethods reads v=, a=, q= and c=.
func (s *signature) parseMethods(t *mailsig.Tags) mailsig.Reason {
	v, ok := t.Get("v")
	if !ok {
		return mailsig.Syntax
	}
	if r := s.ParseAlgorithm(t); r != "" {
		return r
	}
	if string(v) != "1" {
		return mailsig.Unsupported
	}
	return s.ParseMethods(t)
}

// unquote decodes dkim-quoted-printable (RFC 6376 §2.11).
func unquote(s []byte) (string, bool) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case mailsig.IsFWS(c):
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

// digest hashes the header, and finds what it leaves unsigned.
func (s *signature) digest(w *mailsig.Sink, b *mailsig.Block, c *mailsig.Cursor) ([]byte, Weakness) {
	digest, sealed := s.Digest(w, b, c)
	weak := Weakness(0)
	if c.Left("from") {
		weak |= FromExtra
	}
	if !sealed {
		weak |= FromUnsealed
	}
	if c.Left("subject") {
		weak |= SubjectUnsigned
	}
	if s.Length >= 0 {
		weak |= BodyLength
	}
	return digest, weak
}

// fromDomains collects what may be domains of From, to find out which
// signatures matter; it is no judgement about who the author is.
func fromDomains(b *mailsig.Block) []string {
	var out []string
	for _, f := range b.Fields {
		if !mailsig.EqualFold(b.Name(f), []byte("from")) {
			continue
		}
		for v := b.Value(f); len(out) < 16; {
			i := bytes.IndexByte(v, '@')
			if i < 0 {
				break
			}
			v = v[i+1:]
			n := 0
			for n < len(v) && n < 254 && (mailsig.IsDomain(v[n:n+1]) || v[n] == '.') {
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
		case strings.EqualFold(d, s.Domain):
			rank = 0
		case rank > 1 && (dnsname.Within(d, s.Domain) || dnsname.Within(s.Domain, d)):
			rank = 1
		}
	}
	if s.Length >= 0 {
		rank += 3
	}
	return rank
}
