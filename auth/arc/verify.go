package arc

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/mailsig"
)

// Verifier judges chains. It may be used from any number of goroutines.
type Verifier struct {
	// Resolver finds keys. Required.
	Resolver dnsx.Resolver

	// MaxSets is how many sets a chain may have; a longer one fails. 0 = 50,
	// which is the most (RFC 8617 §4.2.1).
	MaxSets int

	// MaxKeys is how many keys are asked for. A chain whose seals need more
	// fails; that of an older signature, which decides nothing but OldestPass,
	// counts as none. 0 = 64, enough for the seals of 50 sets.
	MaxKeys int

	// MaxHeaderBytes bounds the header block that is kept in memory; a message
	// with a larger one fails. 0 = 4 MiB.
	MaxHeaderBytes int

	// Timeout bounds the questions for the keys of a message, all together. 0 =
	// 20 s, negative = none.
	Timeout time.Duration

	// Now is the clock, for t= and x=; nil = time.Now.
	Now func() time.Time
}

// Verify reads a message and judges its chain. The error is that of r.
func (v *Verifier) Verify(ctx context.Context, r io.Reader) (*Result, error) {
	m := v.Start()
	buf := make([]byte, 16<<10)
	if _, err := io.CopyBuffer(struct{ io.Writer }{m}, struct{ io.Reader }{r}, buf); err != nil {
		return nil, err
	}
	return m.Finish(ctx), nil
}

// Start begins with a message.
func (v *Verifier) Start() *Verification { return v.Join(dkim.NewMessage(v.MaxHeaderBytes)) }

// Join begins with a message that others judge, too. What is written goes to the
// Message, and its limit counts.
func (v *Verifier) Join(message *dkim.Message) *Verification {
	m := &Verification{v: v, message: message, now: time.Now()}
	if v.Now != nil {
		m.now = v.Now()
	}
	message.OnHeader(m.readHeader)
	return m
}

// Verification judges the chain of one message. It belongs to one goroutine.
type Verification struct {
	v       *Verifier
	message *dkim.Message
	now     time.Time
	chain   *chain
	keys    []mailsig.Keys
	result  Result
}

// Write takes the next octets of the message. It never fails.
func (m *Verification) Write(p []byte) (int, error) { return m.message.Write(p) }

// readHeader finds the chain, and decides which bodies are hashed.
func (m *Verification) readHeader() {
	m.chain = collect(m.message.Block(), min(cmp.Or(m.v.MaxSets, mostSets), mostSets), m.now)
	if m.message.HeaderTooLarge() {
		m.chain.fault = fault{reason: HeaderTooLarge}
	}
	if m.chain.fault.reason != "" {
		return
	}
	for i := range slices.Backward(m.chain.sets) {
		s := &m.chain.sets[i].message
		if i < len(m.chain.sets)-1 && s.Length >= 0 {
			break // decides nothing, and could take the place of one that does
		}
		s.hash = m.message.Body(s.Body, s.Length)
	}
}

// Finish ends the message and asks for the keys. It returns soon after ctx ends
// or the time of the Verifier is over, if the resolver does; what has no answer
// then is a failure that is Temporary. It is called once, and nothing is written
// after it.
func (m *Verification) Finish(ctx context.Context) *Result {
	m.message.End()
	r, c := &m.result, m.chain
	r.highest, r.failed = c.highest, c.failed
	if c.fault.reason != "" {
		return r.fail(c.fault)
	}
	if len(c.sets) == 0 {
		r.Result = authres.None
		return r
	}
	r.describe(c)
	if m.v.Timeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cmp.Or(m.v.Timeout, 20*time.Second))
		defer cancel()
	}
	f := m.validate(ctx)
	r.Questions = len(m.keys)
	if f.reason != "" {
		return r.fail(f)
	}
	r.Result = authres.Pass
	return r
}

var errHash = errors.New("arc: the hash cannot be continued")

// validate judges the signatures (RFC 8617 §5.2, steps 4 to 7).
func (m *Verification) validate(ctx context.Context) fault {
	sets := m.chain.sets
	last := len(sets) - 1
	newest := &sets[last]
	if r := newest.message.BodyFault(newest.message.hash); r != "" {
		return fault{reason: Reason(r), instance: last + 1, kind: signatureField}
	}
	m.want(&newest.message)
	m.want(&newest.seal)
	mailsig.Ask(ctx, m.v.Resolver, m.keys)
	x := &examiner{m: m, cursor: m.message.Index().Cursor(), sink: mailsig.NewSink()}
	if f := x.message(last); f.reason != "" {
		return f
	}
	seals, whole, ok := m.chain.digests()
	if !ok {
		return fault{reason: Mismatch, err: errHash}
	}
	if f := x.seal(last, seals[last]); f.reason != "" {
		return f
	}
	m.askOlder(ctx)
	for i := range slices.Backward(sets[:last]) {
		if f := x.seal(i, seals[i]); f.reason != "" {
			return f
		}
	}
	x.oldest()
	m.result.sum = whole
	return fault{}
}

// want finds or notes the question for a key.
func (m *Verification) want(s *signature) {
	name := mailsig.KeyName(s.Selector, s.Domain)
	s.key = slices.IndexFunc(m.keys, func(k mailsig.Keys) bool { return k.Name == name })
	if s.key < 0 && len(m.keys) < cmp.Or(m.v.MaxKeys, 64) {
		s.key = len(m.keys)
		m.keys = append(m.keys, mailsig.Keys{Name: name})
	}
}

// askOlder asks for the keys of the older sets: of all seals, and of signatures as
// far back as they are for this body.
func (m *Verification) askOlder(ctx context.Context) {
	older := m.chain.sets[:len(m.chain.sets)-1]
	asked := len(m.keys)
	for i := range slices.Backward(older) {
		m.want(&older[i].seal)
	}
	for i := range slices.Backward(older) {
		s := &older[i].message
		if s.hash == nil || s.BodyFault(s.hash) != "" {
			break
		}
		m.want(s)
	}
	mailsig.Ask(ctx, m.v.Resolver, m.keys[asked:])
}

// examiner judges the signatures of one message.
type examiner struct {
	m      *Verification
	cursor *mailsig.Cursor
	sink   *mailsig.Sink
}

// message judges ARC-Message-Signature of a set.
func (x *examiner) message(i int) fault {
	s, set := &x.m.chain.sets[i].message, &x.m.result.Sets[i]
	digest, _ := s.Digest(x.sink, x.m.message.Block(), x.cursor)
	f := x.verify(i, s, digest)
	if f.kind = signatureField; f.reason != "" {
		return f
	}
	set.Matches = true
	if x.cursor.Left("from") {
		set.Weak |= dkim.FromExtra
	}
	if x.cursor.Left("subject") {
		set.Weak |= dkim.SubjectUnsigned
	}
	if s.Length >= 0 {
		set.Weak |= dkim.BodyLength
	}
	return f
}

// seal judges ARC-Seal of a set.
func (x *examiner) seal(i int, digest []byte) fault {
	f := x.verify(i, &x.m.chain.sets[i].seal, digest)
	f.kind = sealField
	return f
}

// verify judges a signature over a digest.
func (x *examiner) verify(i int, s *signature, digest []byte) fault {
	f := fault{instance: i + 1}
	if s.key < 0 {
		f.reason = ManyKeys
		return f
	}
	k := &x.m.keys[s.key]
	if k.Fault != "" {
		f.reason, f.err = Reason(k.Fault), k.Err
		return f
	}
	key, reason := s.Verify(k, digest, "")
	f.reason = Reason(reason)
	if reason == "" {
		if key.Testing {
			x.m.result.Sets[i].Weak |= dkim.Testing
		}
		if key.Kind == "rsa" && key.Bits < 2048 {
			x.m.result.Sets[i].Weak |= dkim.SmallKey
		}
	}
	return f
}

// maxLooked bounds the octets of the header that are looked at for OldestPass:
// what is hashed, and the names of it.
const maxLooked = 2 << 20

// oldest finds OldestPass: how far back the signatures still match (RFC 8617
// §5.2, step 5).
func (x *examiner) oldest() {
	sets := x.m.chain.sets
	most := x.sink.Written() + maxLooked - int64(len(x.m.message.Block().Raw))
	for i := len(sets) - 2; i >= 0; i-- {
		s := &sets[i].message
		most -= int64(len(s.Names))
		if s.hash == nil || s.BodyFault(s.hash) != "" || s.key < 0 || x.sink.Written() > most || x.message(i).reason != "" {
			x.m.result.OldestPass = i + 2
			return
		}
	}
}
