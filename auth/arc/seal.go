package arc

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/internal/mailsig"
)

// Why a message is not sealed; tested with errors.Is. It may be sent as it is.
var (
	// ErrFailed: the chain had failed before it came here, so that nothing is to
	// be added (RFC 8617 §5.1, step 2).
	ErrFailed = errors.New("arc: the newest seal says that the chain has failed")
	// ErrTemporary: whether the chain passes is not known now. Judge it again
	// later; or see Sealer.SealUnknown.
	ErrTemporary = errors.New("arc: nobody knows now whether the chain passes")
	// ErrFull: the chain has 50 sets.
	ErrFull = errors.New("arc: the chain has no room for another set")
	// ErrChain: the message does not have the chain that was judged.
	ErrChain = errors.New("arc: not the chain that was judged")
	// ErrHeader: the header is larger than MaxHeaderBytes, or begins with a line
	// that continues another one.
	ErrHeader = errors.New("arc: header too large to seal, or without a beginning")
)

// Sealer seals messages. It may be used from any number of goroutines, if the key
// may.
type Sealer struct {
	// Key signs: RSA or Ed25519. Its record is one of DKIM.
	Key dkim.Key

	// Header and Body are the canonicalizations of the message; zero = Relaxed.
	Header, Body dkim.Canonicalization

	// Fields are signed, as many as there are of them. nil = DefaultFields.
	// From is signed always, fields of chains and Authentication-Results never.
	Fields []string

	// Oversign are signed once more than there are of them, so that none can be
	// added. From always is; nil = no others.
	Oversign []string

	// SealUnknown seals with "fail" where it is not known now whether the chain
	// passes, as RFC 8617 §5.2.1 has it. The chain is lost for good then.
	SealUnknown bool

	// MaxHeaderBytes bounds the header; 0 = 4 MiB.
	MaxHeaderBytes int

	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// DefaultFields returns what is signed where a Sealer does not say it: what a
// reader sees, what decides how the body is read, and the signatures that are
// there (RFC 8617 §4.1.2).
func DefaultFields() []string { return append(dkim.DefaultFields(), "DKIM-Signature") }

// Seal reads a message as it leaves, and returns the fields of a set, to be put
// in front of it as they are. judged is what came of its chain as it arrived; nil
// = it did not arrive but begins here. results is what was found of it then, the
// statement about its chain included.
func (s *Sealer) Seal(r io.Reader, judged *Result, results authres.Field) ([]byte, error) {
	m, err := s.Start(judged, results)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 16<<10)
	if _, err := io.CopyBuffer(struct{ io.Writer }{m}, struct{ io.Reader }{r}, buf); err != nil {
		return nil, err
	}
	return m.Finish()
}

// Start begins with a message; see Seal. The error is dkim.ErrKey, ErrFailed,
// ErrTemporary or ErrFull.
func (s *Sealer) Start(judged *Result, results authres.Field) (*Sealing, error) {
	algorithm, err := mailsig.AlgorithmOf(s.Key.Domain, s.Key.Selector, s.Key.Signer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", dkim.ErrKey, err)
	}
	if judged == nil {
		judged = &Result{}
	}
	switch {
	case judged.failed:
		return nil, ErrFailed
	case judged.Temporary && !s.SealUnknown:
		return nil, ErrTemporary
	case judged.highest >= mostSets:
		return nil, ErrFull
	}
	m := &Sealing{
		s: s, judged: judged, results: results, algorithm: algorithm, now: time.Now(),
		message: dkim.NewMessage(s.MaxHeaderBytes),
	}
	if s.Now != nil {
		m.now = s.Now()
	}
	m.body = m.message.Body(mailsig.Canon(s.Body), -1)
	return m, nil
}

// Sealing seals one message, which is written to it. It belongs to one goroutine.
type Sealing struct {
	s         *Sealer
	judged    *Result
	results   authres.Field
	algorithm mailsig.Algorithm
	now       time.Time
	message   *dkim.Message
	body      *mailsig.BodyHash
}

// Write takes the next octets of the message. It never fails.
func (m *Sealing) Write(p []byte) (int, error) { return m.message.Write(p) }

// Finish returns the three fields, the seal first, with CRLF behind each. The
// error is ErrHeader, ErrChain, ErrFailed, ErrFull, or that of the key. It is
// called once.
func (m *Sealing) Finish() ([]byte, error) {
	m.message.End()
	if m.message.Unsignable() {
		return nil, ErrHeader
	}
	c := collect(m.message.Block(), mostSets, m.now)
	prefix, status, err := m.continues(c)
	if err != nil {
		return nil, err
	}
	i := "i=" + strconv.Itoa(c.highest+1)
	results := m.resultsField(i)
	signature, err := m.sign(i)
	if err != nil {
		return nil, err
	}
	for _, field := range [][]byte{results, signature} {
		b := mailsig.Cut(field)
		prefix.Header(mailsig.Relaxed, &b, mailsig.Part{Field: b.Fields[0]})
		prefix.CRLF()
	}
	seal, err := m.seal(i, status, prefix)
	if err != nil {
		return nil, err
	}
	return slices.Concat(seal, signature, results), nil
}

// continues returns the hash that the new seal goes on with, and what it says of
// the chain. One that has failed is not signed (RFC 8617 §5.1.2).
func (m *Sealing) continues(c *chain) (prefix *mailsig.Sink, status authres.Result, err error) {
	prefix, status = mailsig.NewSink(), m.judged.Result
	switch {
	case c.failed:
		return nil, "", ErrFailed
	case c.highest >= mostSets:
		return nil, "", ErrFull
	case c.highest != m.judged.highest:
		return nil, "", ErrChain
	}
	switch status {
	case authres.Fail:
		return prefix, status, nil
	case authres.Pass:
		if c.fault.reason != "" {
			return nil, "", ErrChain
		}
		c.hashSets(prefix, nil)
		if sum := prefix.Fork(); sum == nil || !bytes.Equal(sum.Sum(), m.judged.sum) {
			return nil, "", ErrChain
		}
		return prefix, status, nil
	}
	if len(c.sets) > 0 || c.fault.reason != "" {
		return nil, "", ErrChain
	}
	return prefix, authres.None, nil
}

// lineLength is how long a line may become, without its CRLF (RFC 5322 §2.1.1).
const lineLength = 78

// resultsField is ARC-Authentication-Results: Authentication-Results with an
// instance (RFC 8617 §4.1.1).
func (m *Sealing) resultsField(instance string) []byte {
	text := m.results.Append(nil)[len(authres.Name)+len(": "):]
	out := []byte(kindNames[resultsField] + ": " + instance + ";")
	first, _, _ := bytes.Cut(text, []byte("\r\n"))
	if len(out)+1+len(first) <= lineLength {
		out = append(out, ' ')
	} else {
		out = append(out, "\r\n\t"...)
	}
	return append(out, text...)
}

// names is the content of h=.
func (m *Sealing) names() []string {
	fields := m.s.Fields
	if fields == nil {
		fields = DefaultFields()
	}
	names, _ := mailsig.Names(m.message.Block(), fields, m.s.Oversign)
	return slices.DeleteFunc(names, func(name string) bool {
		_, ours := kindOf([]byte(name))
		return ours || strings.EqualFold(name, authres.Name)
	})
}

// sign makes ARC-Message-Signature.
func (m *Sealing) sign(instance string) ([]byte, error) {
	canon, names := mailsig.Canon(m.s.Header), m.names()
	w := m.begin(signatureField, instance)
	w.Piece(" c=" + m.s.Header.String() + "/" + m.s.Body.String() + ";")
	w.List("h", names)
	w.Piece(" bh=" + base64.StdEncoding.EncodeToString(m.body.Digest()) + ";")
	s := mailsig.NewSink()
	s.HashNames(canon, m.message.Index().Cursor(), names)
	return m.end(w, s, canon)
}

// seal makes ARC-Seal. s has hashed what stands in front of it.
func (m *Sealing) seal(instance string, status authres.Result, s *mailsig.Sink) ([]byte, error) {
	w := m.begin(sealField, instance)
	w.Piece(" cv=" + string(status) + ";")
	return m.end(w, s, mailsig.Relaxed)
}

// begin begins one of the two signatures.
func (m *Sealing) begin(k kind, instance string) *mailsig.Writer {
	w := mailsig.NewWriter(kindNames[k])
	w.Piece(" " + instance + ";")
	w.Piece(" a=" + m.algorithm.String() + ";")
	w.Piece(" d=" + strings.ToLower(m.s.Key.Domain) + ";")
	w.Piece(" s=" + m.s.Key.Selector + ";")
	w.Piece(" t=" + strconv.FormatInt(m.now.Unix(), 10) + ";")
	return w
}

// end signs what was hashed, and the field itself.
func (m *Sealing) end(w *mailsig.Writer, s *mailsig.Sink, c mailsig.Canon) ([]byte, error) {
	w.Piece(" b=")
	w.Hash(s, c)
	sig, err := m.algorithm.Sign(m.s.Key.Signer, s.Sum())
	if err != nil {
		return nil, fmt.Errorf("arc: sealing for %s with selector %s: %w", m.s.Key.Domain, m.s.Key.Selector, err)
	}
	w.Base64(sig)
	return append(w.Bytes(), "\r\n"...), nil
}
