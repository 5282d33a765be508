package mailsig

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math/bits"
)

// Canon is a canonicalization: how a header or a body is prepared for hashing
// (RFC 6376 §3.4). A line end without CR counts as CRLF in all of them.
type Canon uint8

// The canonicalizations.
const (
	Relaxed Canon = iota // white space may change on the way
	Simple               // nothing may change
)

// String is the word of the c= tag.
func (c Canon) String() string {
	if c == Simple {
		return "simple"
	}
	return "relaxed"
}

// Sink gathers small pieces on their way into a hash.
type Sink struct {
	h   hash.Hash
	buf [1024]byte
	n   int
	all int64 // octets that went into hashes
}

// NewSink makes a sink for SHA-256.
func NewSink() *Sink { return &Sink{h: sha256.New()} }

// Reset begins a new hash.
func (s *Sink) Reset() {
	s.h.Reset()
	s.n = 0
}

func (s *Sink) octet(c byte) {
	if s.n == len(s.buf) {
		s.flush()
	}
	s.buf[s.n] = c
	s.n++
}

func (s *Sink) write(p []byte) {
	if len(p) > len(s.buf)-s.n {
		s.flush()
		if len(p) >= len(s.buf) {
			s.h.Write(p)
			s.all += int64(len(p))
			return
		}
	}
	s.n += copy(s.buf[s.n:], p)
}

func (s *Sink) flush() {
	s.h.Write(s.buf[:s.n])
	s.all += int64(s.n)
	s.n = 0
}

// Written is how many octets went into hashes since the sink was made, whatever
// was Reset.
func (s *Sink) Written() int64 { return s.all + int64(s.n) }

// Sum is the hash of what was written; no more is.
func (s *Sink) Sum() []byte {
	s.flush()
	return s.h.Sum(nil)
}

// Fork is a sink that goes on from here, beside this one; nil where the hash
// cannot.
func (s *Sink) Fork() *Sink {
	s.flush()
	c, ok := s.h.(hash.Cloner)
	if !ok {
		return nil
	}
	h, err := c.Clone()
	if err != nil {
		return nil
	}
	return &Sink{h: h}
}

// CRLF writes a line end as it is hashed.
func (s *Sink) CRLF() { s.octet('\r'); s.octet('\n') }

// A Part is what is hashed of a block: a field, without its line end and without
// the octets from CutFrom to CutTo of the block, which are the value of b=.
type Part struct {
	Field
	CutFrom, CutTo int32
}

// Header hashes a field.
func (s *Sink) Header(c Canon, b *Block, p Part) {
	f, cutFrom, cutTo := p.Field, p.CutFrom, p.CutTo
	end := f.Start + int32(len(withoutEnd(b.Raw[f.Start:f.End])))
	if cutTo <= cutFrom {
		cutFrom, cutTo = end, end
	}
	if c == Simple {
		s.simple(b.Raw[f.Start:cutFrom])
		s.simple(b.Raw[cutTo:end])
		return
	}
	for _, c := range b.Name(f) {
		s.octet(lower(c))
	}
	s.octet(':')
	var r relaxer
	r.feed(s, b.Raw[f.Colon+1:cutFrom])
	r.feed(s, b.Raw[cutTo:end])
}

// simple writes octets as they are, apart from line ends without CR.
func (s *Sink) simple(p []byte) {
	for len(p) > 0 {
		n := bytes.IndexByte(p, '\n')
		if n < 0 {
			s.write(p)
			return
		}
		s.write(withoutEnd(p[:n+1]))
		s.CRLF()
		p = p[n+1:]
	}
}

// relaxer is the state of a value in relaxed form.
type relaxer struct{ space, begun bool }

func (r *relaxer) feed(s *Sink, p []byte) {
	for i := 0; i < len(p); {
		switch {
		case p[i] == ' ' || p[i] == '\t':
			r.space = true
			i++
		case p[i] == '\n':
			i++
		case p[i] == '\r' && i+1 < len(p) && p[i+1] == '\n':
			i += 2
		default:
			j := i + 1
			for j < len(p) && !IsFWS(p[j]) {
				j++
			}
			if r.space && r.begun {
				s.octet(' ')
			}
			r.space, r.begun = false, true
			s.write(p[i:j])
			i = j
		}
	}
}

// BodyHash hashes a body as it streams by.
type BodyHash struct {
	Sink
	canon   Canon
	limit   int64 // l=; negative = all
	total   int64 // canonical octets so far, beyond limit also
	cr      bool  // a CR that may be part of a line end
	space   bool  // white space that may be at the end of its line
	content bool  // the line has an octet that was put
	blank   int64 // empty lines that may be at the end of the body
	digest  []byte
	refused bool // there are too many others
}

// Refused reports whether nothing is hashed, as a Message has other bodies to
// hash. It is known at the end of the header.
func (b *BodyHash) Refused() bool { return b.refused }

// Digest is the hash; nil before the end of the message.
func (b *BodyHash) Digest() []byte { return b.digest }

// Len is how many canonical octets the whole body has.
func (b *BodyHash) Len() int64 { return b.total }

// put takes canonical octets.
func (b *BodyHash) put(p []byte) {
	n := int64(len(p))
	if b.limit >= 0 {
		p = p[:max(0, min(n, b.limit-b.total))]
	}
	b.total += n
	b.write(p)
}

// octets the machine puts.
const (
	crlfText = "\r\n"
	oneSpace = " "
)

func (b *BodyHash) putText(s string) {
	for i := range len(s) {
		if b.limit < 0 || b.total < b.limit {
			b.octet(s[i])
		}
		b.total++
	}
}

// feed takes octets of the body. Lines that are canonical as they are go to the
// hash in long runs; the others, octet by octet.
func (b *BodyHash) feed(p []byte) {
	for len(p) > 0 {
		if b.cr || b.space || b.content {
			p = b.line(p)
			continue
		}
		n := b.run(p)
		if n < len(p) {
			n += len(p[n:]) - len(b.line(p[n:]))
		}
		p = p[n:]
	}
}

// run takes lines at the beginning of p for as long as they are whole and
// canonical, and returns their length.
func (b *BodyHash) run(p []byte) int {
	from, to, at := 0, 0, 0
	for {
		n := bytes.IndexByte(p[at:], '\n')
		if n < 1 || p[at+n-1] != '\r' || b.canon == Relaxed && !clean(p[at:at+n-1]) {
			break
		}
		if n == 1 {
			b.blank++
			at += 2
			continue
		}
		if from == to {
			b.putBlank()
			from = at
		}
		b.blank = 0 // those since to are part of the run
		at += n + 1
		to = at
	}
	b.put(p[from:to])
	return at
}

// line takes octets up to a line end, and returns the others.
func (b *BodyHash) line(p []byte) []byte {
	for i, c := range p {
		if b.cr {
			if b.cr = false; c != '\n' {
				b.literal('\r')
			}
		}
		switch {
		case c == '\n':
			b.endLine()
			return p[i+1:]
		case c == '\r':
			b.cr = true
		case b.canon == Relaxed && (c == ' ' || c == '\t'):
			b.space = true
		default:
			b.literal(c)
		}
	}
	return nil
}

func (b *BodyHash) literal(c byte) {
	b.putBlank()
	b.content = true
	if b.space {
		b.space = false
		b.putText(oneSpace)
	}
	if b.limit < 0 || b.total < b.limit {
		b.octet(c)
	}
	b.total++
}

func (b *BodyHash) endLine() {
	b.space = false
	if !b.content {
		b.blank++
		return
	}
	b.content = false
	b.putText(crlfText)
}

func (b *BodyHash) putBlank() {
	for ; b.blank > 0; b.blank-- {
		b.putText(crlfText)
	}
}

// finish ends the body.
func (b *BodyHash) finish() {
	if b.cr {
		b.literal('\r')
	}
	if b.content || b.canon == Simple && b.total == 0 {
		b.putText(crlfText)
	}
	b.digest = b.Sum()
}

// clean reports whether a line, without its end, is relaxed already: no tab, no
// two spaces, none at the end.
func clean(line []byte) bool {
	const ones, low = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f
	last := uint64(0) // 0x80: the octet before is a space
	for len(line) >= 8 {
		x := binary.LittleEndian.Uint64(line)
		t := x ^ ones*'\t'
		s := x ^ ones*' '
		tabs := ^((t&low + low) | t | low)
		spaces := ^((s&low + low) | s | low)
		if tabs|spaces&(spaces<<8|last) != 0 {
			return false
		}
		last = bits.RotateLeft64(spaces, 8) & 0x80
		line = line[8:]
	}
	space := last != 0
	for _, c := range line {
		if c == '\t' || c == ' ' && space {
			return false
		}
		space = c == ' '
	}
	return !space
}
