package dkim

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/internal/mailsig"
)

// State is where a key is in its life. A key begins Published: its record
// stands in the DNS before the first message is signed. It becomes Active, and
// signs; then Retired: it signs no more, and its record stays for mail that is
// on its way, until the key is removed.
type State string

// The states.
const (
	Published State = "published"
	Active    State = "active"
	Retired   State = "retired"
)

func (s State) valid() bool { return s == Published || s == Active || s == Retired }

// StoredKey is a key with its state.
type StoredKey struct {
	Key
	State State
}

// Errors of a KeyStore; tested with errors.Is.
var (
	ErrNoKey     = errors.New("dkim: no such key")
	ErrKeyExists = errors.New("dkim: the selector has a key")
	// ErrState: a key that has retired does not come back, as its record may
	// be gone.
	ErrState = errors.New("dkim: not a next state of the key")
)

// KeyStore keeps private keys. Its methods may be called from any number of
// goroutines. What they changed stays changed after a crash.
type KeyStore interface {
	// Keys returns the keys of a domain, in order of their selectors.
	Keys(ctx context.Context, domain string) ([]StoredKey, error)
	// Add adds a key; ErrKeyExists if its selector has one, in any state.
	Add(ctx context.Context, k StoredKey) error
	// SetState moves a key; ErrNoKey, ErrState.
	SetState(ctx context.Context, domain, selector string, s State) error
	// Remove removes a key; ErrNoKey.
	Remove(ctx context.Context, domain, selector string) error
}

// ActiveKeys returns the keys that sign for a domain, for a Signer.
func ActiveKeys(ctx context.Context, store KeyStore, domain string) ([]Key, error) {
	all, err := store.Keys(ctx, domain)
	if err != nil {
		return nil, err
	}
	var keys []Key
	for _, k := range all {
		if k.State == Active {
			keys = append(keys, k.Key)
		}
	}
	return keys, nil
}

// GenerateRSA makes an RSA key; bits 0 = 2048.
func GenerateRSA(bits int) (crypto.Signer, error) {
	bits = cmp.Or(bits, 2048)
	if bits < mailsig.MinRSABits || bits > mailsig.MaxRSABits {
		return nil, fmt.Errorf("%w: RSA with %d bits", ErrKey, bits)
	}
	return rsa.GenerateKey(rand.Reader, bits)
}

// GenerateEd25519 makes an Ed25519 key.
func GenerateEd25519() (crypto.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// Record is the TXT record of a public key, at SELECTOR._domainkey.DOMAIN. It is
// longer than one string of a record may be (255 octets) if the key is RSA.
func Record(public crypto.PublicKey) (string, error) {
	switch key := public.(type) {
	case ed25519.PublicKey:
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key), nil
	case *rsa.PublicKey:
		der, err := x509.MarshalPKIXPublicKey(key)
		return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der), err
	}
	return "", fmt.Errorf("%w: neither RSA nor Ed25519", ErrKey)
}

// ParsePrivateKey parses a PEM file with one RSA or Ed25519 key in PKCS #8, or an
// RSA key in PKCS #1.
func ParsePrivateKey(file []byte) (crypto.Signer, error) {
	p, _ := pem.Decode(file)
	if p == nil {
		return nil, fmt.Errorf("%w: not a PEM file", ErrKey)
	}
	if key, err := x509.ParsePKCS1PrivateKey(p.Bytes); err == nil {
		return key, nil
	}
	any, err := x509.ParsePKCS8PrivateKey(p.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: no private key in the PEM file", ErrKey)
	}
	switch key := any.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("%w: neither RSA nor Ed25519", ErrKey)
}

// MarshalPrivateKey is what ParsePrivateKey parses.
func MarshalPrivateKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
