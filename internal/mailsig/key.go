package mailsig

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/dnsname"
	"github.com/mailstead/mailstead/internal/fanout"
)

// Limits of keys.
const (
	MinRSABits = 1024 // RFC 8301 §3.2
	MaxRSABits = 8192

	maxRecord  = 64 << 10
	maxPublic  = 2 << 10 // octets of base64; a key of maxRSABits has 1,460
	maxRecords = 3       // of one name that are tried
)

// PublicKey is a key record (RFC 6376 §3.6.1).
type PublicKey struct {
	Key     crypto.PublicKey
	Bits    int
	Kind    string // k=
	Testing bool   // t=y
	Strict  bool   // t=s
	SHA256  bool   // h= allows it
	Email   bool   // s= allows it
	Fault   Reason // why it cannot be used; "" = it can
}

// ParseKey parses a key record. The tag g= is ignored.
func ParseKey(record []byte) PublicKey {
	var t Tags
	if len(record) > maxRecord || t.Parse(record) != nil {
		return PublicKey{Fault: KeySyntax}
	}
	k := PublicKey{Kind: "rsa", SHA256: true, Email: true}
	if v, ok := t.Get("v"); ok && (string(v) != "DKIM1" || t.Find("v") != 0) {
		return PublicKey{Fault: KeySyntax}
	}
	if v, ok := t.Get("k"); ok {
		k.Kind = string(v)
	}
	if v, ok := t.Get("h"); ok {
		k.SHA256 = HasItem(v, "sha256")
	}
	if v, ok := t.Get("s"); ok {
		k.Email = HasItem(v, "email") || HasItem(v, "*")
	}
	if v, ok := t.Get("t"); ok {
		k.Testing, k.Strict = HasItem(v, "y"), HasItem(v, "s")
	}
	p, ok := t.Get("p")
	switch {
	case !ok:
		k.Fault = KeySyntax
	case len(p) == 0:
		k.Fault = KeyRevoked
	case k.Kind == "rsa" && len(p) > maxPublic:
		k.Fault = KeyLong
	default:
		k.parsePublic(p)
	}
	return k
}

// parsePublic parses p=.
func (k *PublicKey) parsePublic(p []byte) {
	var buf [2 << 10]byte
	raw, ok := Decode64(buf[:], p)
	if !ok {
		k.Fault = KeySyntax
		return
	}
	switch k.Kind {
	case "ed25519":
		if len(raw) != ed25519.PublicKeySize {
			k.Fault = KeySyntax
			return
		}
		k.Key, k.Bits = ed25519.PublicKey(append([]byte(nil), raw...)), 8*len(raw)
	case "rsa":
		k.parseRSA(raw)
	default:
		k.Fault = KeyUnsuited
	}
}

// parseRSA parses a SubjectPublicKeyInfo, which is in use, or an RSAPublicKey,
// which the RFC has.
func (k *PublicKey) parseRSA(raw []byte) {
	var key *rsa.PublicKey
	if any, err := x509.ParsePKIXPublicKey(raw); err == nil {
		key, _ = any.(*rsa.PublicKey)
	} else if key, err = x509.ParsePKCS1PublicKey(raw); err != nil {
		key = nil
	}
	if key == nil {
		k.Fault = KeySyntax
		return
	}
	k.Key, k.Bits = key, key.N.BitLen()
	switch {
	case k.Bits < MinRSABits:
		k.Fault = KeyShort
	case k.Bits > MaxRSABits:
		k.Fault = KeyLong
	case key.E < 3 || key.E%2 == 0 || key.N.Bit(0) == 0:
		k.Fault = KeySyntax
	}
}

// Suits says why a key is not for signatures of an algorithm; "" = it is.
// Whether a Strict key suits is the caller's question.
func (k *PublicKey) Suits(a Algorithm) Reason {
	switch {
	case k.Fault != "":
		return k.Fault
	case k.Kind != a.kind(), !k.SHA256, !k.Email:
		return KeyUnsuited
	}
	return ""
}

// Verify judges a signature over a digest.
func (k *PublicKey) Verify(digest, sig []byte) bool {
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest, sig) == nil
	case ed25519.PublicKey:
		return len(sig) == ed25519.SignatureSize && ed25519.Verify(key, digest, sig)
	}
	return false
}

// Keys is what the DNS has for a selector.
type Keys struct {
	Name   string
	List   []PublicKey
	Secure bool   // came with DNSSEC
	Fault  Reason // KeyMissing, KeyUnknown or KeyUnasked; "" = List has some
	Err    error  // behind it
}

// lookup asks for the keys of a name.
func (k *Keys) lookup(ctx context.Context, r dnsx.Resolver) {
	answer, err := r.Lookup(ctx, k.Name, dnsx.TXT)
	switch {
	case errors.Is(err, dnsx.ErrBudget):
		k.Fault, k.Err = KeyUnasked, err
	case err != nil && dnsx.NotFound(err):
		k.Fault, k.Err = KeyMissing, err
	case err != nil:
		k.Fault, k.Err = KeyUnknown, err
	case len(answer.Texts) == 0:
		k.Fault = KeyMissing
	default:
		k.Secure = answer.Secure
		for _, text := range answer.Texts[:min(len(answer.Texts), maxRecords)] {
			k.List = append(k.List, ParseKey([]byte(text)))
		}
	}
}

// KeyName is where the key of a signature stands (RFC 6376 §3.6.2.1, RFC
// 8616).
func KeyName(selector, domain string) string {
	if ascii, err := dnsname.ToASCII(domain); err == nil {
		domain = ascii
	}
	return selector + "._domainkey." + domain
}

var errNoResolver = errors.New("mailsig: no Resolver")

// Ask asks for all keys at the same time, and returns when each has an answer.
func Ask(ctx context.Context, r dnsx.Resolver, list []Keys) {
	if r == nil {
		for i := range list {
			list[i].Fault, list[i].Err = KeyUnknown, errNoResolver
		}
		return
	}
	fanout.Each(len(list), func(i int) { list[i].lookup(ctx, r) })
}
