package arc

import (
	"bytes"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/internal/mailsig"
)

// mostSets is how many sets a chain has at most (RFC 8617 §4.2.1).
const mostSets = 50

// kind says which field of a set it is, in the order in which a seal signs them
// (RFC 8617 §5.1.1).
type kind uint8

const (
	resultsField   kind = iota // ARC-Authentication-Results
	signatureField             // ARC-Message-Signature
	sealField                  // ARC-Seal
	kinds
)

// kindNames are the names of the fields.
var kindNames = [kinds]string{"ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"}

// kindOf tells the fields of a chain from others.
func kindOf(name []byte) (k kind, ok bool) {
	if len(name) < len("arc-seal") || name[3] != '-' {
		return 0, false
	}
	for k := range kinds {
		if mailsig.EqualFold(name, []byte(kindNames[k])) {
			return k, true
		}
	}
	return 0, false
}

// set is an ARC set.
type set struct {
	fields  [kinds]mailsig.Field
	has     [kinds]bool
	message signature // ARC-Message-Signature
	seal    signature // ARC-Seal
	results []byte    // what stands behind the instance in ARC-Authentication-Results
}

// signature is one of the two signatures of a set.
type signature struct {
	mailsig.Signature
	status authres.Result // cv= of a seal
	hash   *mailsig.BodyHash
	key    int // of Verification.keys; -1 = none
}

// fault is why a chain fails.
type fault struct {
	reason   Reason
	instance int  // 0 = none
	kind     kind // of the field, where there is an instance
	err      error
}

// chain is what a header has of a chain.
type chain struct {
	sets    []set // by instance − 1
	highest int   // instance that was found
	failed  bool  // the newest seal says so
	fault   fault
	parser  parser
}

// parser reads the fields of sets.
type parser struct {
	block *mailsig.Block
	now   time.Time
	tags  mailsig.Tags
}

// collect finds the sets of a header, up to a limit, and judges their structure
// (RFC 8617 §5.2, steps 1 to 3).
func collect(b *mailsig.Block, most int, now time.Time) *chain {
	c := &chain{parser: parser{block: b, now: now}}
	n := 0
	for _, f := range b.Fields {
		k, ok := kindOf(b.Name(f))
		if !ok {
			continue
		}
		if n++; n > int(kinds)*most {
			c.blame(fault{reason: ManySets})
			return c
		}
		c.add(f, k, most)
	}
	c.judge()
	return c
}

// blame notes the first fault.
func (c *chain) blame(f fault) {
	if c.fault.reason == "" {
		c.fault = f
	}
}

// add adds a field to its set.
func (c *chain) add(f mailsig.Field, k kind, most int) {
	var s set
	instance, reason := c.parser.parse(&s, f, k)
	c.highest = max(c.highest, instance)
	switch {
	case instance == 0:
		c.blame(fault{reason: BadInstance, kind: k})
		return
	case instance > most:
		c.blame(fault{reason: ManySets})
		return
	}
	for len(c.sets) < instance {
		c.sets = append(c.sets, set{})
	}
	at := &c.sets[instance-1]
	if at.has[k] {
		c.blame(fault{reason: Twice, instance: instance, kind: k})
		return
	}
	if reason != "" {
		c.blame(fault{reason: reason, instance: instance, kind: k})
	}
	at.fields[k], at.has[k] = f, true
	switch k {
	case signatureField:
		at.message = s.message
	case sealField:
		at.seal = s.seal
	default:
		at.results = s.results
	}
}

// judge looks whether the sets are whole, without a gap, and say what they should
// of those before them.
func (c *chain) judge() {
	if n := len(c.sets); n > 0 {
		c.failed = c.sets[n-1].seal.status == authres.Fail
	}
	if c.failed && (c.fault.reason == "" || c.fault.reason == Status) {
		c.fault = fault{reason: FailedBefore, instance: len(c.sets), kind: sealField}
	}
	for i := range c.sets {
		s := &c.sets[i]
		for k := range kinds {
			if !s.has[k] {
				c.blame(fault{reason: Missing, instance: i + 1, kind: k})
			}
		}
		want := authres.Pass
		if i == 0 {
			want = authres.None
		}
		if s.seal.status != want {
			c.blame(fault{reason: Status, instance: i + 1, kind: sealField})
		}
	}
}

// parse reads a field into its place of a set. The instance is 0 where there is
// none.
func (p *parser) parse(s *set, f mailsig.Field, k kind) (instance int, reason Reason) {
	value := p.block.Value(f)
	if k == resultsField {
		instance, s.results = cutInstance(value)
		return instance, ""
	}
	if p.tags.Parse(value) != nil {
		return 0, Syntax
	}
	text, _ := p.tags.Get("i")
	n, ok := mailsig.Number(text, 2)
	if !ok || n == 0 {
		return 0, BadInstance
	}
	if p.tags.Gap {
		return int(n), Syntax
	}
	if k == sealField {
		return int(n), p.parseSeal(&s.seal, f)
	}
	return int(n), p.parseSignature(&s.message, f)
}

// parseSignature reads ARC-Message-Signature (RFC 8617 §4.1.2). h= may leave out
// From, or be empty; that is a weakness, see Set. Without c= both
// canonicalizations are relaxed, as those who seal have it, and not simple, as in
// DKIM.
func (p *parser) parseSignature(s *signature, f mailsig.Field) Reason {
	*s = signature{Signature: mailsig.NewSignature(f), key: -1}
	t := &p.tags
	for _, r := range [...]mailsig.Reason{
		s.ParseSigner(t), s.ParseAlgorithm(t), s.ParseMethods(t), s.ParseHashes(t), s.ParseB(t), s.ParseTimes(t, p.now),
	} {
		if r != "" {
			return Reason(r)
		}
	}
	if t.Find("c") < 0 {
		s.Header, s.Body = mailsig.Relaxed, mailsig.Relaxed
	}
	for rest, more := s.Names, true; more; {
		var name []byte
		name, rest, more = mailsig.NextItem(rest)
		if mailsig.EqualFold(name, []byte(kindNames[sealField])) {
			return SignsSeal
		}
	}
	return ""
}

// parseSeal reads ARC-Seal (RFC 8617 §4.1.3).
func (p *parser) parseSeal(s *signature, f mailsig.Field) Reason {
	*s = signature{Signature: mailsig.NewSignature(f), key: -1}
	t := &p.tags
	status, _ := t.Get("cv")
	switch s.status = authres.Result(mailsig.AppendLower(nil, status)); s.status {
	case authres.None, authres.Pass, authres.Fail:
	default:
		s.status = ""
		return Status
	}
	for _, r := range [...]mailsig.Reason{s.ParseSigner(t), s.ParseAlgorithm(t), s.ParseB(t), s.ParseTimes(t, p.now)} {
		if r != "" {
			return Reason(r)
		}
	}
	if t.Find("h") >= 0 {
		return HasNames
	}
	s.Header, s.Length = mailsig.Relaxed, -1
	return ""
}

// cutInstance reads what stands in front of the results (RFC 8617 §4.1.1); the
// instance is 0 where there is none.
//
//	instance = [CFWS] "i" [CFWS] "=" [CFWS] 1*2DIGIT [CFWS] ";"
func cutInstance(v []byte) (instance int, rest []byte) {
	var ok bool
	for _, want := range []byte{'i', '='} {
		v = skipCFWS(v)
		if len(v) == 0 || v[0] != want {
			return 0, nil
		}
		v = v[1:]
	}
	v = skipCFWS(v)
	digits := 0
	for digits < len(v) && v[digits] >= '0' && v[digits] <= '9' {
		digits++
	}
	n, ok := mailsig.Number(v[:digits], 2)
	v, ended := bytes.CutPrefix(skipCFWS(v[digits:]), []byte{';'})
	if !ok || !ended {
		return 0, nil
	}
	return int(n), v
}

// skipCFWS passes over comments and folding white space (RFC 5322 §3.2.2).
func skipCFWS(v []byte) []byte {
	depth := 0
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '\\' && depth > 0:
			i++
		case depth == 0 && !mailsig.IsFWS(c):
			return v[i:]
		}
	}
	return nil
}

// hashSets hashes the sets of a chain, each field in relaxed form with a line end
// (RFC 8617 §5.1.1). Before it comes to a seal it calls onSeal with what that
// signs: everything in front of it, to which the seal itself is to be added.
func (c *chain) hashSets(s *mailsig.Sink, onSeal func(i int)) {
	for i := range c.sets {
		for k := range kinds {
			if k == sealField && onSeal != nil {
				onSeal(i)
			}
			s.Header(mailsig.Relaxed, c.parser.block, mailsig.Part{Field: c.sets[i].fields[k]})
			s.CRLF()
		}
	}
}

// digests are what each seal signs, and the hash of the whole chain; ok is false
// where hashing does not work. Time is linear.
func (c *chain) digests() (seals [][]byte, whole []byte, ok bool) {
	s := mailsig.NewSink()
	ok = true
	c.hashSets(s, func(i int) {
		own := s.Fork()
		if own == nil {
			ok = false
			return
		}
		own.Header(mailsig.Relaxed, c.parser.block, c.sets[i].seal.Part)
		seals = append(seals, own.Sum())
	})
	return seals, s.Sum(), ok
}
