package mailsig

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Why a key cannot sign.
var (
	errNoSigner = errors.New("no Signer")
	errKeyKind  = errors.New("neither RSA nor Ed25519")
)

// AlgorithmOf says how a key signs for a domain.
func AlgorithmOf(domain, selector string, k crypto.Signer) (Algorithm, error) {
	if !IsDomain([]byte(domain)) || !IsDomain([]byte(selector)) {
		return 0, fmt.Errorf("domain %q, selector %q", domain, selector)
	}
	if k == nil {
		return 0, errNoSigner
	}
	switch pub := k.Public().(type) {
	case *rsa.PublicKey:
		if n := pub.N.BitLen(); n < MinRSABits || n > MaxRSABits {
			return 0, fmt.Errorf("RSA with %d bits", n)
		}
		return RSASHA256, nil
	case ed25519.PublicKey:
		return Ed25519SHA256, nil
	}
	return 0, errKeyKind
}

// Names is the content of h=: fields as often as there are of them, those of seal
// once more; From always, and once more. froms is how many From fields there
// are.
func Names(b *Block, fields, seal []string) (names []string, froms int) {
	count := map[string]int{}
	for _, f := range b.Fields {
		if f.Colon >= 0 {
			count[string(AppendLower(nil, b.Name(f)))]++
		}
	}
	more := map[string]int{"from": 1}
	for _, name := range seal {
		more[strings.ToLower(name)] = 1
	}
	done := map[string]bool{"": true}
	for _, name := range slices.Concat([]string{"from"}, fields, seal) {
		if name = strings.ToLower(name); !done[name] {
			done[name] = true
			names = append(names, slices.Repeat([]string{name}, count[name]+more[name])...)
		}
	}
	return names, count["from"]
}

// HashNames hashes the fields that h= names.
func (s *Sink) HashNames(canon Canon, c *Cursor, names []string) {
	c.Rewind()
	for _, name := range names {
		if f, ok := c.Take([]byte(name)); ok {
			s.Header(canon, c.x.b, Part{Field: f})
			s.CRLF()
		}
	}
}

// Sign signs a digest.
func (a Algorithm) Sign(k crypto.Signer, digest []byte) ([]byte, error) {
	hash := crypto.SHA256
	if a == Ed25519SHA256 {
		hash = 0 // the digest is the message (RFC 8463 §3)
	}
	return k.Sign(rand.Reader, digest, hash)
}

// lineLength is how long a line may become, without its CRLF (RFC 5322 §2.1.1).
const lineLength = 78

// Writer writes a field in lines.
type Writer struct {
	b   []byte
	col int
}

// NewWriter begins a field.
func NewWriter(name string) *Writer {
	return &Writer{b: append([]byte(name), ':'), col: len(name) + 1}
}

// Piece adds what must not be broken; a space in front of it may become a line
// end.
func (w *Writer) Piece(s string) {
	if w.col+len(s) > lineLength {
		w.fold()
		s = strings.TrimPrefix(s, " ")
	}
	w.b = append(w.b, s...)
	w.col += len(s)
}

func (w *Writer) fold() {
	w.b = append(w.b, "\r\n\t"...)
	w.col = 1
}

// List adds a tag whose value is a list with colons.
func (w *Writer) List(tag string, names []string) {
	for i, name := range names {
		if i == 0 {
			name = " " + tag + "=" + name
		}
		if i == len(names)-1 {
			w.Piece(name + ";")
		} else {
			w.Piece(name + ":")
		}
	}
}

// Base64 adds octets, in as many lines as they need.
func (w *Writer) Base64(octets []byte) {
	for text := base64.StdEncoding.EncodeToString(octets); text != ""; {
		n := min(len(text), lineLength-w.col)
		if n <= 0 {
			w.fold()
			continue
		}
		w.Piece(text[:n])
		text = text[n:]
	}
}

// Hash hashes the field as it is so far: with an empty b= at its end.
func (w *Writer) Hash(s *Sink, c Canon) {
	b := Cut(w.b)
	s.Header(c, &b, Part{Field: b.Fields[0]})
}

// Bytes is the field, without a line end.
func (w *Writer) Bytes() []byte { return w.b }
