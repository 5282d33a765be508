package mailsig

import (
	"crypto/sha256"
	"slices"
	"sync"
)

// DefaultHeaderBytes is how large a header may be where nobody says it.
const DefaultHeaderBytes = 4 << 20

// maxBodies is how many hashes of a body are computed: without l= there are two,
// one for each canonicalization.
const maxBodies = 2

// Message is one message as it streams by, for all who judge it.
type Message struct {
	head    collector
	inBody  bool
	block   Block
	first   func()   // reads the header
	readers []func() // the others
	bodies  []*BodyHash
	limited []*BodyHash // with l=, until the end of the header

	end   sync.Once
	names sync.Once
	index *Index
}

// NewMessage begins with a message. limit bounds the header block that is kept
// in memory; 0 = DefaultHeaderBytes, at most 1 GiB.
func NewMessage(limit int) *Message {
	if limit <= 0 {
		limit = DefaultHeaderBytes
	}
	return &Message{head: collector{limit: min(limit, 1<<30)}}
}

// OnHeader calls f at the end of the header, before the body. In f, Block has the
// fields, and Body may be called. It is called before the first Write.
func (m *Message) OnHeader(f func()) {
	if m.first == nil {
		m.first = f
	} else {
		m.readers = append(m.readers, f)
	}
}

// Write takes the next octets of the message. It never fails.
func (m *Message) Write(p []byte) (int, error) {
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

// endHeader lets the readers look, and decides which bodies are hashed: those
// with l= only where there is room.
func (m *Message) endHeader() {
	m.inBody = true
	m.block = Cut(m.head.bytes())
	if m.first != nil {
		m.first()
	}
	for _, f := range m.readers {
		f()
	}
	for _, b := range m.limited {
		if b.refused = len(m.bodies) == maxBodies; !b.refused {
			m.bodies = append(m.bodies, b)
		}
	}
}

// Body is the hash of the body in a form; limit is l=, negative = all. It may be
// shared with others, and refused. It is called by readers of the header, and
// its digest is there at the end of the message.
func (m *Message) Body(c Canon, limit int64) *BodyHash {
	same := func(b *BodyHash) bool { return b.canon == c && b.limit == limit }
	list := &m.bodies
	if limit >= 0 {
		list = &m.limited
	}
	if i := slices.IndexFunc(*list, same); i >= 0 {
		return (*list)[i]
	}
	b := &BodyHash{Sink: Sink{h: sha256.New()}, canon: c, limit: limit}
	*list = append(*list, b)
	return b
}

// End ends the message. It may be called several times, also at the same time.
func (m *Message) End() {
	m.end.Do(func() {
		if !m.inBody {
			m.endHeader()
		}
		for _, b := range m.bodies {
			b.finish()
		}
	})
}

// Block is the header, known at its end. It is not changed.
func (m *Message) Block() *Block { return &m.block }

// Header is the header block of what was written, without the empty line behind
// it, so that who looks for more in it need not keep it, too. It is not changed,
// and stays as it is. ended is false before its end; whole is false where it is
// larger than the limit and the end is missing.
func (m *Message) Header() (block []byte, ended, whole bool) {
	return m.block.Raw, m.inBody, !m.head.full
}

// HeaderTooLarge reports whether the header was cut off at the limit.
func (m *Message) HeaderTooLarge() bool { return m.head.full }

// Unsignable reports whether no field can be put in front of the message, as its
// header was cut off at the limit, or begins in the middle of a field.
func (m *Message) Unsignable() bool {
	raw := m.block.Raw
	return m.head.full || len(raw) > 0 && (raw[0] == ' ' || raw[0] == '\t')
}

// Index finds the fields of the header. It is called after the end of the
// message.
func (m *Message) Index() *Index {
	m.names.Do(func() { m.index = NewIndex(&m.block) })
	return m.index
}
