package store

import (
	"io"
	"time"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/internal/mimetext"
)

// MetaVersion is the first octet of the Meta that this version writes. A
// reader that meets another one computes the Meta again.
const MetaVersion = 2

// MaxMeta is the length in octets beyond which Meta is not stored but
// computed again when it is asked for.
const MaxMeta = 8 << 10

// Description is what Describe finds in a message.
type Description struct {
	Meta        []byte   // encoded; nil when it would be longer than MaxMeta
	ThreadKeys  []uint64 // see Append.ThreadKeys
	SubjectHash uint64
}

// Meta is the decoded form of Message.Meta. All offsets count from the start
// of the blob. Its slices lie in the encoded form.
type Meta struct {
	HeaderSize    int64     // octets of the header with its empty line
	Lines         int64     // lines of the body behind the header
	SentDate      time.Time // Date field (RFC 5256 §2.2); zero = none or unreadable
	BaseSubject   []byte    // RFC 5256 §2.1, UTF-8
	Preview       []byte    // RFC 8970, UTF-8, at most 256 characters
	Envelope      []byte    // ENVELOPE, parenthesised, ready to send
	Body          []byte    // BODY, ready to send
	BodyStructure []byte    // BODYSTRUCTURE, ready to send
	HasAttachment bool      // a part with Content-Disposition: attachment
	Parts         []Span    // every part in the order of the walk
}

// PartKind says what a part of a message holds.
type PartKind uint8

// The kinds of parts.
const (
	PartLeaf      PartKind = iota
	PartMultipart          // Span.Parts parts follow
	PartMessage            // one message follows (message/rfc822, message/global)
)

// Span is where one part of a message lies, as octets from the blob's start.
// The parts stand in the order of the message, each before those that it
// holds; the first one is the message itself.
type Span struct {
	Header, Body, End int64 // [Header,Body) is its header, [Body,End) its body
	Kind              PartKind
	Parts             int // parts directly below: any number of a multipart, 1 of a message, 0 of a leaf
}

// Describe reads a message once and computes its Description. It fails only
// when r does: a broken message has a description too.
func Describe(r io.ReaderAt, size int64) (Description, error) {
	m, root, err := describe(r, size)
	if err != nil {
		return Description{}, err
	}
	d := Description{Meta: m.encode()}
	if len(d.Meta) > MaxMeta {
		d.Meta = nil
	}
	d.ThreadKeys = threadKeys(root.Envelope)
	d.SubjectHash = hashSubject(m.BaseSubject)
	return d, nil
}

// ComputeMeta is the Meta of a message whose stored one is missing, of another
// version, or too long to be stored.
func ComputeMeta(r io.ReaderAt, size int64) (Meta, error) {
	m, _, err := describe(r, size)
	return m, err
}

func describe(r io.ReaderAt, size int64) (Meta, *mime.Part, error) {
	root, err := mime.Walk(r, size, mime.Limits{})
	if err != nil {
		return Meta{}, nil, err
	}
	m := Meta{
		HeaderSize:    root.Header.Len(),
		Lines:         root.Lines,
		Envelope:      mime.AppendEnvelope(nil, root.Envelope),
		Body:          mime.AppendBody(nil, root, false),
		BodyStructure: mime.AppendBody(nil, root, true),
	}
	if e := root.Envelope; e != nil {
		m.BaseSubject = []byte(mimetext.BaseSubject(e.Subject))
		if t, ok := mime.ParseDate(e.Date); ok {
			m.SentDate = t
		}
	}
	preview, err := mimetext.Preview(r, root)
	if err != nil {
		return Meta{}, nil, err
	}
	m.Preview = []byte(preview)
	root.All(func(p *mime.Part) bool {
		m.HasAttachment = m.HasAttachment || isAttachment(p)
		m.Parts = append(m.Parts, spanOf(p))
		return true
	})
	return m, root, nil
}

func isAttachment(p *mime.Part) bool {
	const word = "attachment"
	if len(p.Disposition) != len(word) {
		return false
	}
	for i := range word {
		if p.Disposition[i]|0x20 != word[i] {
			return false
		}
	}
	return true
}

func spanOf(p *mime.Part) Span {
	s := Span{Header: p.Header.Start, Body: p.Body.Start, End: p.Body.End}
	switch {
	case p.IsMessage():
		s.Kind, s.Parts = PartMessage, 1
	case p.IsMultipart():
		s.Kind, s.Parts = PartMultipart, len(p.Children)
	}
	return s
}
