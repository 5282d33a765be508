package dkim

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/mailsig"
)

// Verifier judges signatures. It may be used from any number of goroutines.
type Verifier struct {
	// Resolver finds keys. Required.
	Resolver dnsx.Resolver

	// MaxSignatures is how many signatures are judged; those that matter most
	// (see the package comment) are. 0 = 10, at most 100.
	MaxSignatures int

	// MaxKeys is how many keys are asked for. 0 = 10.
	MaxKeys int

	// MaxHeaderBytes bounds the header block that is kept in memory; the
	// signatures of a larger one are a permerror. 0 = 4 MiB.
	MaxHeaderBytes int

	// Timeout bounds the questions for the keys of a message, all together. 0 =
	// 20 s, negative = none.
	Timeout time.Duration

	// Now is the clock, for t= and x=; nil = time.Now.
	Now func() time.Time
}

// Verify reads a message and judges it. The error is that of r; what is wrong
// with a signature is in the report.
func (v *Verifier) Verify(ctx context.Context, r io.Reader) (*Report, error) {
	m := v.Start()
	buf := make([]byte, 16<<10)
	if _, err := io.CopyBuffer(struct{ io.Writer }{m}, struct{ io.Reader }{r}, buf); err != nil {
		return nil, err
	}
	return m.Finish(ctx), nil
}

// Start begins with a message.
func (v *Verifier) Start() *Verification { return v.Join(NewMessage(v.MaxHeaderBytes)) }

// Message is one message as it streams by, for several who judge it: it is
// written once, its header is kept once, and its body is hashed at most twice
// in all. Every verifier joins before the first Write; after the last, they may
// Finish at the same time. Its other methods are for packages auth/....
type Message = mailsig.Message

// NewMessage begins with a message that is to be shared. maxHeaderBytes bounds
// the header block that is kept in memory; 0 = 4 MiB.
func NewMessage(maxHeaderBytes int) *Message { return mailsig.NewMessage(maxHeaderBytes) }

// Join begins with a message that others judge, too. What is written goes to the
// Message, and its limit counts.
func (v *Verifier) Join(message *Message) *Verification {
	m := &Verification{v: v, message: message, now: time.Now()}
	if v.Now != nil {
		m.now = v.Now()
	}
	m.most = min(cmp.Or(v.MaxSignatures, 10), 100)
	message.OnHeader(m.readHeader)
	return m
}

// Verification judges one message. It belongs to one goroutine.
type Verification struct {
	v       *Verifier
	message *mailsig.Message
	now     time.Time
	most    int

	sigs   []signature // that may be judged, in order of the header
	faulty []Result    // of those that cannot be
	count  int         // of all
	keys   []mailsig.Keys
}

// Write takes the next octets of the message. It never fails.
func (m *Verification) Write(p []byte) (int, error) { return m.message.Write(p) }

// Header is the header block of what was written, without the empty line behind
// it, so that who looks for more in it need not keep it, too. It is not changed,
// and stays as it is. ended is false before its end; whole is false where it is
// larger than the limit and the end is missing.
func (m *Verification) Header() (block []byte, ended, whole bool) { return m.message.Header() }

// End ends the message, so that Header has that of one without a body, too.
// Finish does it where nobody has.
func (m *Verification) End() { m.message.End() }

// readHeader finds the signatures, and decides which bodies are hashed.
func (m *Verification) readHeader() {
	b := m.message.Block()
	from := fromDomains(b)
	perRank := [6]int{}
	var s signature
	for _, f := range b.Fields {
		if !mailsig.EqualFold(b.Name(f), []byte("dkim-signature")) {
			continue
		}
		reason := mailsig.HeaderTooLarge
		if !m.message.HeaderTooLarge() {
			reason = s.parse(b, f, m.now)
		}
		s.index = m.count
		m.count++
		if reason != "" {
			if len(m.faulty) < m.most {
				m.faulty = append(m.faulty, s.result(reason))
			}
			s = signature{}
			continue
		}
		s.rank = rankOf(&s, from)
		if perRank[s.rank]++; perRank[s.rank] <= 4*m.most {
			m.sigs = append(m.sigs, s)
		}
	}
	slices.SortStableFunc(m.sigs, func(a, b signature) int { return a.rank - b.rank })
	for i := range m.sigs {
		m.sigs[i].hash = m.message.Body(m.sigs[i].Body, m.sigs[i].Length)
	}
}

// result is what can be said of a signature, with a reason against it.
func (s *signature) result(reason mailsig.Reason) Result {
	r := Result{
		Result: Reason(reason).result(), Reason: Reason(reason), Index: s.index, Domain: s.Domain, Selector: s.Selector, Identity: s.identity,
		Algorithm: s.Algorithm.String(), Header: Canonicalization(s.Header), Body: Canonicalization(s.Body),
	}
	if s.Algorithm == 0 {
		r.Algorithm = s.Named
	}
	if s.Signed >= 0 && s.Signed < mailsig.Huge {
		r.Signed = time.Unix(s.Signed, 0)
	}
	if s.Expires >= 0 && s.Expires < mailsig.Huge {
		r.Expires = time.Unix(s.Expires, 0)
	}
	var b [12]byte
	n := 0
	for _, c := range s.B {
		if n < len(b) && !mailsig.IsFWS(c) {
			b[n] = c
			n++
		}
	}
	r.Signature = string(b[:n])
	return r
}

// Finish ends the message and asks for the keys, all at the same time. It
// returns soon after ctx ends or the time of the Verifier is over, if the
// resolver does; what has no answer then is a temperror. It
// is called once, and nothing is written after it.
func (m *Verification) Finish(ctx context.Context) *Report {
	m.message.End()
	report := &Report{Results: m.faulty}
	m.choose(report)
	m.ask(ctx)
	report.Questions = len(m.keys)
	m.judge(report)
	slices.SortFunc(report.Results, func(a, b Result) int { return a.Index - b.Index })
	report.Skipped = m.count - len(report.Results)
	return report
}

// choose leaves in sigs those that are worth a key, and reports on others: what
// does not match its body needs none, and counts only when there is room.
func (m *Verification) choose(report *Report) {
	kept := m.sigs[:0]
	room := m.most
	for i := range m.sigs {
		if s := &m.sigs[i]; room > 0 && s.BodyFault(s.hash) == "" {
			m.chooseKey(s)
			room--
			kept = append(kept, *s)
		} else if room > 0 && len(report.Results) < 2*m.most {
			report.Results = append(report.Results, s.result(s.BodyFault(s.hash)))
		}
	}
	m.sigs = kept
}

// chooseKey finds or notes the question for a key.
func (m *Verification) chooseKey(s *signature) {
	name := mailsig.KeyName(s.Selector, s.Domain)
	s.key = slices.IndexFunc(m.keys, func(k mailsig.Keys) bool { return k.Name == name })
	if s.key < 0 && len(m.keys) < cmp.Or(m.v.MaxKeys, 10) {
		s.key = len(m.keys)
		m.keys = append(m.keys, mailsig.Keys{Name: name})
	}
}

// ask asks for all keys.
func (m *Verification) ask(ctx context.Context) {
	if m.v.Timeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cmp.Or(m.v.Timeout, 20*time.Second))
		defer cancel()
	}
	mailsig.Ask(ctx, m.v.Resolver, m.keys)
}

// judge reports on the signatures with keys.
func (m *Verification) judge(report *Report) {
	if len(m.sigs) == 0 {
		return
	}
	c := m.message.Index().Cursor()
	w := mailsig.NewSink()
	for i := range m.sigs {
		s := &m.sigs[i]
		if s.key < 0 {
			report.Results = append(report.Results, s.result(mailsig.KeyUnasked))
			continue
		}
		k := &m.keys[s.key]
		if k.Fault != "" {
			r := s.result(k.Fault)
			r.Err = k.Err
			report.Results = append(report.Results, r)
			continue
		}
		digest, weak := s.digest(w, m.message.Block(), c)
		r := s.decide(k, digest)
		r.Weak |= weak
		report.Results = append(report.Results, r)
	}
}

// decide tries the keys of a name.
func (s *signature) decide(k *mailsig.Keys, digest []byte) Result {
	strict := mailsig.Reason("")
	if !strings.EqualFold(s.identityDomain, s.Domain) {
		strict = identityStrict
	}
	key, reason := s.Verify(k, digest, strict)
	r := s.result(reason)
	if key == nil {
		return r
	}
	r.KeyBits, r.Secure = key.Bits, k.Secure
	if key.Testing {
		r.Weak |= Testing
	}
	if key.Kind == "rsa" && key.Bits > 0 && key.Bits < 2048 {
		r.Weak |= SmallKey
	}
	return r
}
