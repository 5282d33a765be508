package dkim

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/internal/mailsig"
)

// Canonicalization is how a header or a body is prepared for hashing (RFC 6376
// §3.4). A line end without CR counts as CRLF in all of them.
type Canonicalization uint8

// The canonicalizations.
const (
	Relaxed = Canonicalization(mailsig.Relaxed) // white space may change on the way
	Simple  = Canonicalization(mailsig.Simple)  // nothing may change
)

// String is the word of the c= tag.
func (c Canonicalization) String() string { return mailsig.Canon(c).String() }

// Why a message is not signed; tested with errors.Is.
var (
	// ErrFrom: the message has no From field, or several, and no signature
	// should stand for it (RFC 6376 §5.4, §8.15).
	ErrFrom = errors.New("dkim: message without exactly one From field")
	// ErrHeader: the header is larger than MaxHeaderBytes, or begins with a line
	// that continues another one.
	ErrHeader = errors.New("dkim: header too large to sign, or without a beginning")
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
func (k *Key) algorithm() (mailsig.Algorithm, error) {
	a, err := mailsig.AlgorithmOf(k.Domain, k.Selector, k.Signer)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return a, nil
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
	m.message = mailsig.NewMessage(s.MaxHeaderBytes)
	m.body = m.message.Body(mailsig.Canon(s.Body), -1)
	return m, nil
}

// Signing signs one message, which is written to it. It belongs to one
// goroutine.
type Signing struct {
	s          *Signer
	now        time.Time
	algorithms []mailsig.Algorithm // of the keys
	message    *mailsig.Message
	body       *mailsig.BodyHash
}

// Write takes the next octets of the message. It never fails.
func (m *Signing) Write(p []byte) (int, error) { return m.message.Write(p) }

// Finish returns the DKIM-Signature fields, one for each key, with CRLF behind
// each. The error is ErrFrom, ErrHeader, or that of a key. It is called once.
func (m *Signing) Finish() ([]byte, error) {
	m.message.End()
	if m.message.Unsignable() {
		return nil, ErrHeader
	}
	h, err := m.s.headerNames(m.message.Block())
	if err != nil {
		return nil, err
	}
	var out []byte
	for i := range m.s.Keys {
		if out, err = m.sign(out, i, h); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// headerNames is the content of h=.
func (s *Signer) headerNames(b *mailsig.Block) ([]string, error) {
	fields, seal := s.Fields, s.Seal
	if fields == nil {
		fields = DefaultFields()
	}
	if seal == nil {
		seal = DefaultSeal()
	}
	names, froms := mailsig.Names(b, fields, seal)
	if froms != 1 {
		return nil, ErrFrom
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "dkim-signature" }), nil
}

// sign adds the signature of one key.
func (m *Signing) sign(out []byte, i int, names []string) ([]byte, error) {
	k := &m.s.Keys[i]
	w := mailsig.NewWriter("DKIM-Signature")
	w.Piece(" v=1;")
	w.Piece(" a=" + m.algorithms[i].String() + ";")
	w.Piece(" c=" + m.s.Header.String() + "/" + m.s.Body.String() + ";")
	w.Piece(" d=" + strings.ToLower(k.Domain) + ";")
	w.Piece(" s=" + k.Selector + ";")
	w.Piece(" t=" + strconv.FormatInt(m.now.Unix(), 10) + ";")
	if m.s.Lifetime > 0 {
		w.Piece(" x=" + strconv.FormatInt(m.now.Add(max(m.s.Lifetime, time.Second)).Unix(), 10) + ";")
	}
	w.List("h", names)
	w.Piece(" bh=" + base64.StdEncoding.EncodeToString(m.body.Digest()) + ";")
	w.Piece(" b=")
	sig, err := m.signature(i, names, w)
	if err != nil {
		return nil, err
	}
	w.Base64(sig)
	return append(append(out, w.Bytes()...), "\r\n"...), nil
}

// signature signs the header, with the field as it is without the value of b=.
func (m *Signing) signature(i int, names []string, own *mailsig.Writer) ([]byte, error) {
	k, s, canon := &m.s.Keys[i], mailsig.NewSink(), mailsig.Canon(m.s.Header)
	s.HashNames(canon, m.message.Index().Cursor(), names)
	own.Hash(s, canon)
	sig, err := m.algorithms[i].Sign(k.Signer, s.Sum())
	if err != nil {
		return nil, fmt.Errorf("dkim: signing for %s with selector %s: %w", k.Domain, k.Selector, err)
	}
	return sig, nil
}
