package dkim

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
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

// maxBodies is how many different body hashes are computed: without l= there
// are two, and those are preferred.
const maxBodies = 2

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
func (v *Verifier) Start() *Verification {
	m := &Verification{v: v, now: time.Now()}
	if v.Now != nil {
		m.now = v.Now()
	}
	m.most = min(cmp.Or(v.MaxSignatures, 10), 100)
	m.head.limit = min(cmp.Or(v.MaxHeaderBytes, 4<<20), 1<<30)
	return m
}

// Verification judges one message, which is written to it. It belongs to one
// goroutine.
type Verification struct {
	v    *Verifier
	now  time.Time
	most int

	head   collector
	inBody bool
	block  block
	from   []string
	sigs   []signature // that may be judged, in order of the header
	faulty []Result    // of those that cannot be
	count  int         // of all
	bodies []*bodyHash
	keys   []keys
}

// Write takes the next octets of the message. It never fails.
func (m *Verification) Write(p []byte) (int, error) {
	n := len(p)
	if !m.inBody {
		used, done := m.head.feed(p)
		if !done {
			return n, nil
		}
		m.endHeader()
		p = p[used:]
	}
	for _, b := range m.bodies {
		b.feed(p)
	}
	return n, nil
}

// Header is the header block of what was written, without the empty line behind
// it, so that who looks for more in it need not keep it, too. It is not changed,
// and stays as it is. ended is false before its end; whole is false where it is
// larger than the limit and the end is missing.
func (m *Verification) Header() (block []byte, ended, whole bool) {
	return m.block.raw, m.inBody, !m.head.full
}

// End ends the message, so that Header has that of one without a body, too.
// Finish does it where nobody has.
func (m *Verification) End() {
	if !m.inBody {
		m.endHeader()
	}
}

// endHeader finds the signatures, and decides which bodies are hashed.
func (m *Verification) endHeader() {
	m.inBody = true
	m.block = cut(m.head.bytes())
	m.from = fromDomains(&m.block)
	perRank := [6]int{}
	var s signature
	for _, f := range m.block.fields {
		if !equalFold(m.block.name(f), []byte("dkim-signature")) {
			continue
		}
		reason := HeaderTooLarge
		if !m.head.full {
			reason = s.parse(&m.block, f, m.now)
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
		s.rank = rankOf(&s, m.from)
		if perRank[s.rank]++; perRank[s.rank] <= 4*m.most {
			m.sigs = append(m.sigs, s)
		}
	}
	slices.SortStableFunc(m.sigs, func(a, b signature) int { return a.rank - b.rank })
	for i := range m.sigs {
		m.chooseBody(&m.sigs[i])
	}
}

// chooseBody finds or begins the body hash of a signature.
func (m *Verification) chooseBody(s *signature) {
	s.hash = slices.IndexFunc(m.bodies, func(b *bodyHash) bool { return b.canon == s.body && b.limit == s.length })
	if s.hash < 0 && len(m.bodies) < maxBodies {
		s.hash = len(m.bodies)
		m.bodies = append(m.bodies, &bodyHash{sink: sink{h: sha256.New()}, canon: s.body, limit: s.length})
	}
}

// result is what can be said of a signature, with a reason against it.
func (s *signature) result(reason Reason) Result {
	r := Result{
		Result: reason.result(), Reason: reason, Index: s.index, Domain: s.domain, Selector: s.selector, Identity: s.identity,
		Algorithm: s.algorithm.String(), Header: s.header, Body: s.body,
	}
	if s.algorithm == 0 {
		r.Algorithm = s.named
	}
	if s.signed >= 0 && s.signed < huge {
		r.Signed = time.Unix(s.signed, 0)
	}
	if s.expires >= 0 && s.expires < huge {
		r.Expires = time.Unix(s.expires, 0)
	}
	var b [12]byte
	n := 0
	for _, c := range s.b {
		if n < len(b) && !isFWS(c) {
			b[n] = c
			n++
		}
	}
	r.Signature = string(b[:n])
	return r
}

// Finish ends the message and asks for the keys, all at the same time. It
// returns soon after ctx ends or the time of the Verifier is over, if the
// resolver does; what has no answer then is a temperror. It is called once, and nothing is written after it.
func (m *Verification) Finish(ctx context.Context) *Report {
	m.End()
	for _, b := range m.bodies {
		b.finish()
	}
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
		if s := &m.sigs[i]; room > 0 && m.bodyFault(s) == "" {
			m.chooseKey(s)
			room--
			kept = append(kept, *s)
		} else if room > 0 && len(report.Results) < 2*m.most {
			report.Results = append(report.Results, s.result(m.bodyFault(s)))
		}
	}
	m.sigs = kept
}

// bodyFault says why a signature is not for this body; "" = it is.
func (m *Verification) bodyFault(s *signature) Reason {
	switch {
	case s.hash < 0:
		return Surplus
	case s.length > m.bodies[s.hash].total, string(s.bodyHash[:]) != string(m.bodies[s.hash].digest):
		return BodyHash
	}
	return ""
}

// chooseKey finds or notes the question for a key.
func (m *Verification) chooseKey(s *signature) {
	name := keyName(s.selector, s.domain)
	s.key = slices.IndexFunc(m.keys, func(k keys) bool { return k.name == name })
	if s.key < 0 && len(m.keys) < cmp.Or(m.v.MaxKeys, 10) {
		s.key = len(m.keys)
		m.keys = append(m.keys, keys{name: name})
	}
}

var errNoResolver = errors.New("dkim: Verifier without a Resolver")

// ask asks for all keys.
func (m *Verification) ask(ctx context.Context) {
	if m.v.Resolver == nil {
		for i := range m.keys {
			m.keys[i].value, m.keys[i].err = KeyUnknown, errNoResolver
		}
		return
	}
	if m.v.Timeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cmp.Or(m.v.Timeout, 20*time.Second))
		defer cancel()
	}
	var wg sync.WaitGroup
	for i := 1; i < len(m.keys); i++ {
		wg.Go(func() { m.keys[i].lookup(ctx, m.v.Resolver) })
	}
	if len(m.keys) > 0 {
		m.keys[0].lookup(ctx, m.v.Resolver)
	}
	wg.Wait()
}

// judge reports on the signatures with keys.
func (m *Verification) judge(report *Report) {
	if len(m.sigs) == 0 {
		return
	}
	x := newIndex(&m.block)
	w := &sink{h: sha256.New()}
	for i := range m.sigs {
		s := &m.sigs[i]
		if s.key < 0 {
			report.Results = append(report.Results, s.result(KeyUnasked))
			continue
		}
		k := &m.keys[s.key]
		if k.value != "" {
			r := s.result(k.value)
			r.Err = k.err
			report.Results = append(report.Results, r)
			continue
		}
		digest, weak := s.digest(w, &m.block, x)
		r := s.decide(k, digest)
		r.Weak |= weak
		report.Results = append(report.Results, r)
	}
}

// decide tries the keys of a name; a record that is none does not hide another.
func (s *signature) decide(k *keys, digest []byte) (r Result) {
	var buf [maxRSABits / 8]byte
	sig, ok := decode64(buf[:], s.b)
	if !ok {
		return s.result(Syntax)
	}
	for i := range k.list {
		key := &k.list[i]
		reason := key.suits(s)
		if reason == "" && !key.verify(digest, sig) {
			reason = Mismatch
		}
		if i > 0 && reason != "" {
			continue
		}
		r = s.result(reason)
		r.KeyBits, r.Secure = key.bits, k.secure
		if key.testing {
			r.Weak |= Testing
		}
		if key.kind == "rsa" && key.bits > 0 && key.bits < 2048 {
			r.Weak |= SmallKey
		}
		if reason == "" {
			break
		}
	}
	return r
}
