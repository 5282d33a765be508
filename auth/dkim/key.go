package dkim

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"strings"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/dnsname"
)

const (
	minRSABits = 1024 // RFC 8301 §3.2
	maxRSABits = 8192
	maxRecord  = 64 << 10
	maxPublic  = 2 << 10 // octets of base64; a key of maxRSABits has 1,460
	maxRecords = 3       // of one name that are tried
)

// publicKey is a key record (RFC 6376 §3.6.1).
type publicKey struct {
	key     crypto.PublicKey
	bits    int
	kind    string // k=
	testing bool   // t=y
	strict  bool   // t=s
	sha256  bool   // h= allows it
	email   bool   // s= allows it
	fault   Reason // why it cannot be used; "" = it can
}

// parseKey parses a key record. The tag g= is ignored.
func parseKey(record []byte) publicKey {
	var t tags
	if len(record) > maxRecord || t.parse(record) != nil {
		return publicKey{fault: KeySyntax}
	}
	k := publicKey{kind: "rsa", sha256: true, email: true}
	if v, ok := t.get("v"); ok && (string(v) != "DKIM1" || t.find("v") != 0) {
		return publicKey{fault: KeySyntax}
	}
	if v, ok := t.get("k"); ok {
		k.kind = string(v)
	}
	if v, ok := t.get("h"); ok {
		k.sha256 = hasItem(v, "sha256")
	}
	if v, ok := t.get("s"); ok {
		k.email = hasItem(v, "email") || hasItem(v, "*")
	}
	if v, ok := t.get("t"); ok {
		k.testing, k.strict = hasItem(v, "y"), hasItem(v, "s")
	}
	p, ok := t.get("p")
	switch {
	case !ok:
		k.fault = KeySyntax
	case len(p) == 0:
		k.fault = KeyRevoked
	case k.kind == "rsa" && len(p) > maxPublic:
		k.fault = KeyLong
	default:
		k.parsePublic(p)
	}
	return k
}

// parsePublic parses p=.
func (k *publicKey) parsePublic(p []byte) {
	var buf [2 << 10]byte
	raw, ok := decode64(buf[:], p)
	if !ok {
		k.fault = KeySyntax
		return
	}
	switch k.kind {
	case "ed25519":
		if len(raw) != ed25519.PublicKeySize {
			k.fault = KeySyntax
			return
		}
		k.key, k.bits = ed25519.PublicKey(append([]byte(nil), raw...)), 8*len(raw)
	case "rsa":
		k.parseRSA(raw)
	default:
		k.fault = KeyUnsuited
	}
}

// parseRSA parses a SubjectPublicKeyInfo, which is in use, or an RSAPublicKey,
// which the RFC has.
func (k *publicKey) parseRSA(raw []byte) {
	var key *rsa.PublicKey
	if any, err := x509.ParsePKIXPublicKey(raw); err == nil {
		key, _ = any.(*rsa.PublicKey)
	} else if key, err = x509.ParsePKCS1PublicKey(raw); err != nil {
		key = nil
	}
	if key == nil {
		k.fault = KeySyntax
		return
	}
	k.key, k.bits = key, key.N.BitLen()
	switch {
	case k.bits < minRSABits:
		k.fault = KeyShort
	case k.bits > maxRSABits:
		k.fault = KeyLong
	case key.E < 3 || key.E%2 == 0 || key.N.Bit(0) == 0:
		k.fault = KeySyntax
	}
}

// suits says why a key is not for a signature; "" = it is.
func (k *publicKey) suits(s *signature) Reason {
	switch {
	case k.fault != "":
		return k.fault
	case k.kind != s.algorithm.kind(), !k.sha256, !k.email:
		return KeyUnsuited
	case k.strict && !strings.EqualFold(s.identityDomain, s.domain):
		return IdentityStrict
	}
	return ""
}

// verify judges a signature over a digest.
func (k *publicKey) verify(digest, sig []byte) bool {
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest, sig) == nil
	case ed25519.PublicKey:
		return len(sig) == ed25519.SignatureSize && ed25519.Verify(key, digest, sig)
	}
	return false
}

// keys is what the DNS has for a selector.
type keys struct {
	name   string
	list   []publicKey
	secure bool
	value  Reason // KeyMissing or KeyUnknown; "" = list has some
	err    error
}

// lookup asks for the keys of a name.
func (k *keys) lookup(ctx context.Context, r dnsx.Resolver) {
	answer, err := r.Lookup(ctx, k.name, dnsx.TXT)
	switch {
	case errors.Is(err, dnsx.ErrBudget):
		k.value, k.err = KeyUnasked, err
	case err != nil && dnsx.NotFound(err):
		k.value, k.err = KeyMissing, err
	case err != nil:
		k.value, k.err = KeyUnknown, err
	case len(answer.Texts) == 0:
		k.value = KeyMissing
	default:
		k.secure = answer.Secure
		for _, text := range answer.Texts[:min(len(answer.Texts), maxRecords)] {
			k.list = append(k.list, parseKey([]byte(text)))
		}
	}
}

// keyName is where the key of a signature stands (RFC 6376 §3.6.2.1, RFC
// 8616).
func keyName(selector, domain string) string {
	if ascii, err := dnsname.ToASCII(domain); err == nil {
		domain = ascii
	}
	return selector + "._domainkey." + domain
}
