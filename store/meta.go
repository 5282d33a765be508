package store

import (
	"errors"
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
	Body          []byte    // BODY, ready to send; nil = it is long, and WriteBody makes it
	BodyStructure []byte    // BODYSTRUCTURE, ready to send; nil = as Body
	HasAttachment bool      // a part with Content-Disposition: attachment
	Parts         []Span    // every part in the order of the walk

	tree *mime.Tree // where ComputeMeta left out the forms
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
	m, tree, err := describe(r, size)
	if err != nil {
		return Description{}, err
	}
	d := Description{Meta: m.kept()}
	d.ThreadKeys = threadKeys(&tree.Root().Envelope)
	d.SubjectHash = hashSubject(m.BaseSubject)
	return d, nil
}

// ComputeMeta is the Meta of a message whose stored one is missing, of another
// version, or too long to be stored.
func ComputeMeta(r io.ReaderAt, size int64) (Meta, error) {
	m, tree, err := describe(r, size)
	if err == nil && m.BodyStructure == nil {
		m.tree = tree
	}
	return m, err
}

func describe(r io.ReaderAt, size int64) (Meta, *mime.Tree, error) {
	t, err := mime.Walk(r, size, mime.Limits{})
	if err != nil {
		return Meta{}, nil, err
	}
	root := t.Part(0)
	m := Meta{HeaderSize: root.Header().Len(), Lines: root.Lines}
	envelope := &t.Root().Envelope
	m.Envelope = mime.AppendEnvelope(nil, envelope)
	m.BaseSubject = []byte(mimetext.BaseSubject(envelope.Subject))
	if sent, ok := mime.ParseDate(envelope.Date); ok {
		m.SentDate = sent
	}
	preview, err := mimetext.Preview(r, t)
	if err != nil {
		return Meta{}, nil, err
	}
	m.Preview = []byte(preview)
	m.Parts = make([]Span, t.Len())
	for i := range m.Parts {
		m.Parts[i] = spanOf(t.Part(i))
		m.HasAttachment = m.HasAttachment || t.Part(i).IsAttachment()
	}
	return m, t, m.forms(r, t)
}

// forms fills Body and BodyStructure, unless they are long.
func (m *Meta) forms(r io.ReaderAt, t *mime.Tree) error {
	structure, err := mime.Form{Tree: t, Content: r, Extended: true, Max: MaxMeta}.Append(nil)
	if errors.Is(err, mime.ErrTooLong) {
		return nil
	}
	if err != nil {
		return err
	}
	body, err := mime.Form{Tree: t, Content: r}.Append(make([]byte, 0, len(structure)))
	m.Body, m.BodyStructure = body, structure
	return err
}

// BodyForm says how the structure of a message is written.
type BodyForm struct {
	Extended bool // BODYSTRUCTURE; otherwise BODY

	// Decoded has the values of parameters in UTF-8 that are in the form of RFC
	// 2231 §4, as RFC 9051 §7.5.2 asks. Meta has them as they were written.
	Decoded bool
}

// WriteBody writes the structure of a message to w, also where Meta does not
// hold it. blob, of size octets, is what Meta was computed from: headers of parts
// are read from it. The error is that of w or of blob.
func (m *Meta) WriteBody(w io.Writer, blob io.ReaderAt, size int64, form BodyForm) error {
	t := m.tree
	if t == nil {
		var err error
		if t, err = mime.Walk(blob, size, mime.Limits{}); err != nil {
			return err
		}
	}
	f := mime.Form{Tree: t, Content: blob, Extended: form.Extended}
	if form.Decoded {
		f.Decode = mimetext.AppendExtended
	}
	return f.Write(w)
}

func spanOf(p *mime.Part) Span {
	s := Span{Header: p.Header().Start, Body: p.Body().Start, End: p.Body().End, Parts: p.Below()}
	switch p.Kind() {
	case mime.Message:
		s.Kind = PartMessage
	case mime.Multipart:
		s.Kind = PartMultipart
	}
	return s
}
