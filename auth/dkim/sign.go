package dkim

import (
	"cmp"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Why a message is not signed; tested with errors.Is.
var (
	// ErrFrom: the message has no From field, or several, and no signature
	// should stand for it (RFC 6376 §5.4, §8.15).
	ErrFrom = errors.New("dkim: message without exactly one From field")
	// ErrHeader: the header is larger than MaxHeaderBytes.
	ErrHeader = errors.New("dkim: header too large to sign")
	// ErrKey: there is no key, or one that cannot sign.
	ErrKey = errors.New("dkim: unusable key")
)

// Key is a key that signs for a domain.
type Key struct {
	// Domain is d=, in A-labels.
	Domain string
	// Selector is s=.
	Selector string
	// Signer has an RSA key of 1024 to 8192 bits, better 2048 (RFC 8301 §3.2),
	// or an Ed25519 key.
	Signer crypto.Signer
}

// algorithm says how a key signs.
func (k *Key) algorithm() (algorithm, error) {
	if !isDomain([]byte(k.Domain)) || !isDomain([]byte(k.Selector)) {
		return 0, fmt.Errorf("%w: domain %q, selector %q", ErrKey, k.Domain, k.Selector)
	}
	if k.Signer == nil {
		return 0, fmt.Errorf("%w: no Signer", ErrKey)
	}
	switch pub := k.Signer.Public().(type) {
	case *rsa.PublicKey:
		if n := pub.N.BitLen(); n < minRSABits || n > maxRSABits {
			return 0, fmt.Errorf("%w: RSA with %d bits", ErrKey, n)
		}
		return rsaSHA256, nil
	case ed25519.PublicKey:
		return ed25519SHA256, nil
	}
	return 0, fmt.Errorf("%w: neither RSA nor Ed25519", ErrKey)
}

// Signer signs messages. It may be used from any number of goroutines, if the
// keys may.
type Signer struct {
	// Keys each make a signature, in one pass over the message. At least one.
	Keys []Key

	// Header and Body are the canonicalizations; zero = Relaxed.
	Header, Body Canonicalization

	// Fields are signed, as many as there are of them. nil = DefaultFields.
	// From is signed always.
	Fields []string

	// Seal are signed once more than there are of them, so that none can be
	// added (RFC 6376 §8.15). nil = DefaultSeal; From is sealed always.
	Seal []string

	// Lifetime sets x=; 0 = the signature does not expire.
	Lifetime time.Duration

	// MaxHeaderBytes bounds the header; 0 = 4 MiB.
	MaxHeaderBytes int

	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// DefaultFields returns what is signed where a Signer does not say it: what a
// reader sees, and what decides how the body is read (RFC 6376 §5.4.1).
func DefaultFields() []string {
	return []string{
		"From", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "To", "Cc", "In-Reply-To", "References",
		"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID",
		"Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Date", "Resent-Message-ID",
		"List-Id", "List-Help", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Subscribe", "List-Post", "List-Owner", "List-Archive",
		"Auto-Submitted", "Autocrypt", "Feedback-ID",
	}
}

// DefaultSeal returns what is sealed where a Signer does not say it.
func DefaultSeal() []string {
	return []string{"From", "Reply-To", "Subject", "Date", "To", "Cc", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}
}

// Sign reads a message and returns its DKIM-Signature fields, to be put in
// front of it as they are.
func (s *Signer) Sign(r io.Reader) ([]byte, error) {
	m, err := s.Start()
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 16<<10)
	if _, err := io.CopyBuffer(struct{ io.Writer }{m}, struct{ io.Reader }{r}, buf); err != nil {
		return nil, err
	}
	return m.Finish()
}

// Start begins with a message. The error is ErrKey.
func (s *Signer) Start() (*Signing, error) {
	if len(s.Keys) == 0 {
		return nil, fmt.Errorf("%w: none", ErrKey)
	}
	m := &Signing{s: s, now: time.Now()}
	if s.Now != nil {
		m.now = s.Now()
	}
	for i := range s.Keys {
		a, err := s.Keys[i].algorithm()
		if err != nil {
			return nil, err
		}
		m.algorithms = append(m.algorithms, a)
	}
	m.head.limit = min(cmp.Or(s.MaxHeaderBytes, 4<<20), 1<<30)
	m.body = bodyHash{sink: sink{h: sha256.New()}, canon: s.Body, limit: -1}
	return m, nil
}

// Signing signs one message, which is written to it. It belongs to one
// goroutine.
type Signing struct {
	s          *Signer
	now        time.Time
	algorithms []algorithm // of the keys
	head       collector
	inBody     bool
	body       bodyHash
}

// Write takes the next octets of the message. It never fails.
func (m *Signing) Write(p []byte) (int, error) {
	n := len(p)
	if !m.inBody {
		used, done := m.head.feed(p)
		m.inBody = done
		p = p[used:]
	}
	if m.inBody {
		m.body.feed(p)
	}
	return n, nil
}

// Finish returns the DKIM-Signature fields, one for each key, with CRLF behind
// each. The error is ErrFrom, ErrHeader, or that of a key. It is called once.
func (m *Signing) Finish() ([]byte, error) {
	if m.head.full {
		return nil, ErrHeader
	}
	m.body.finish()
	b := cut(m.head.bytes())
	h, err := m.s.headerNames(&b)
	if err != nil {
		return nil, err
	}
	x := newIndex(&b)
	var out []byte
	for i := range m.s.Keys {
		if out, err = m.sign(out, i, signedBlock{&b, x, h}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// signedBlock is a header with the names of what is signed of it.
type signedBlock struct {
	*block
	x     *index
	names []string
}

// headerNames is the content of h=.
func (s *Signer) headerNames(b *block) ([]string, error) {
	count := map[string]int{}
	for _, f := range b.fields {
		if f.colon >= 0 {
			count[string(appendLower(nil, b.name(f)))]++
		}
	}
	if count["from"] != 1 {
		return nil, ErrFrom
	}
	fields, seal := s.Fields, s.Seal
	if fields == nil {
		fields = DefaultFields()
	}
	if seal == nil {
		seal = DefaultSeal()
	}
	var names []string
	for _, name := range slices.Concat([]string{"from", "from"}, fields, seal) {
		name = strings.ToLower(name)
		if name != "from" && slices.Contains(names, name) || name == "dkim-signature" || name == "" {
			continue
		}
		if name == "from" {
			if len(names) < 2 {
				names = append(names, name)
			}
			continue
		}
		n := count[name]
		if slices.ContainsFunc(seal, func(s string) bool { return strings.EqualFold(s, name) }) {
			n++
		}
		names = append(names, slices.Repeat([]string{name}, n)...)
	}
	return names, nil
}

// sign adds the signature of one key.
func (m *Signing) sign(out []byte, i int, b signedBlock) ([]byte, error) {
	k := &m.s.Keys[i]
	w := folder{b: []byte("DKIM-Signature:")}
	w.col = len(w.b)
	w.piece(" v=1;")
	w.piece(" a=" + m.algorithms[i].String() + ";")
	w.piece(" c=" + m.s.Header.String() + "/" + m.s.Body.String() + ";")
	w.piece(" d=" + strings.ToLower(k.Domain) + ";")
	w.piece(" s=" + k.Selector + ";")
	w.piece(" t=" + strconv.FormatInt(m.now.Unix(), 10) + ";")
	if m.s.Lifetime > 0 {
		w.piece(" x=" + strconv.FormatInt(m.now.Add(max(m.s.Lifetime, time.Second)).Unix(), 10) + ";")
	}
	for j, name := range b.names {
		piece := name + ":"
		if j == 0 {
			piece = " h=" + piece
		}
		if j == len(b.names)-1 {
			piece = strings.TrimSuffix(piece, ":") + ";"
		}
		w.piece(piece)
	}
	w.piece(" bh=" + base64.StdEncoding.EncodeToString(m.body.digest) + ";")
	w.piece(" b=")
	sig, err := m.signature(k, m.algorithms[i], b, w.b)
	if err != nil {
		return nil, err
	}
	for text := base64.StdEncoding.EncodeToString(sig); text != ""; {
		n := min(len(text), lineLength-w.col)
		if n <= 0 {
			w.fold()
			continue
		}
		w.piece(text[:n])
		text = text[n:]
	}
	return append(append(out, w.b...), crlfText...), nil
}

// signature signs the header, with the field as it is without the value of b=.
func (m *Signing) signature(k *Key, a algorithm, b signedBlock, own []byte) ([]byte, error) {
	w := &sink{h: sha256.New()}
	b.x.rewind()
	for _, name := range b.names {
		if f, ok := b.x.take([]byte(name)); ok {
			w.header(m.s.Header, b.block, f, 0, 0)
			w.crlf()
		}
	}
	self := block{raw: own}
	w.header(m.s.Header, &self, field{colon: int32(len("DKIM-Signature")), end: int32(len(own))}, 0, 0)
	hash := crypto.SHA256
	if a == ed25519SHA256 {
		hash = 0 // the digest is the message (RFC 8463 §3)
	}
	sig, err := k.Signer.Sign(rand.Reader, w.sum(), hash)
	if err != nil {
		return nil, fmt.Errorf("dkim: signing for %s with selector %s: %w", k.Domain, k.Selector, err)
	}
	return sig, nil
}

// lineLength is how long a line may become, without its CRLF (RFC 5322 §2.1.1).
const lineLength = 78

// folder writes a field in lines.
type folder struct {
	b   []byte
	col int
}

func (w *folder) fold() {
	w.b = append(w.b, "\r\n\t"...)
	w.col = 1
}

// piece adds what must not be broken; a space in front of it may become a line
// end.
func (w *folder) piece(s string) {
	if w.col+len(s) > lineLength {
		w.fold()
		s = strings.TrimPrefix(s, " ")
	}
	w.b = append(w.b, s...)
	w.col += len(s)
}
