// Package reportread finds the parts of a message that reports are made of: the
// fields for programs, the text for people, and the message that is reported, or
// its header. It works on package mime: a message of any size is read once, and
// never too bad.
package reportread

import (
	"bytes"
	"encoding/base64"
	"io"
	"iter"
	"mime/quotedprintable"
	"strings"

	"github.com/mailstead/mailstead/internal/mime"
)

// MaxHeader is the number of octets of the header of a reported message, and of
// the report itself, that are looked at.
const MaxHeader = 64 << 10

// limits are far beyond those of any report.
func limits() mime.Limits { return mime.Limits{MaxDepth: 16, MaxParts: 256, MaxHeader: MaxHeader} }

// Message is a message that may be a report. It is used by one goroutine.
type Message struct {
	r    *source
	tree *mime.Tree
	head *mime.Headers
}

// source remembers that reading failed: a decoder that gives up on a bad part
// is no failure.
type source struct {
	io.ReaderAt
	err error
}

func (s *source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.ReaderAt.ReadAt(p, off)
	if err != nil && err != io.EOF && s.err == nil {
		s.err = err
	}
	return n, err
}

// Open reads the structure of a message of size octets. The error is one of r, or
// io.ErrUnexpectedEOF. The caller closes the result.
func Open(r io.ReaderAt, size int64) (*Message, error) {
	s := &source{ReaderAt: r}
	tree, err := mime.Walk(s, size, limits())
	if err != nil {
		return nil, err
	}
	return &Message{r: s, tree: tree, head: tree.Headers(s)}, nil
}

// Close gives memory back.
func (m *Message) Close() { m.head.Close() }

// Err is the error of the reader, if there was one.
func (m *Message) Err() error { return m.r.err }

// Part is one part: it is valid until the next one.
type Part struct {
	Type   string // media type in lower case: "message/delivery-status"
	Report string // report-type of a multipart/report
	Nested bool   // it lies within a message that the message holds
	m      *Message
	p      *mime.Part
	coding string
}

// Parts gives the parts in their order, the message itself first.
func (m *Message) Parts() iter.Seq[Part] {
	return func(yield func(Part) bool) {
		inside := int64(-1) // end of a message within
		for i := range m.tree.Len() {
			e, err := m.head.Entity(i)
			if err != nil {
				return // Err has it
			}
			p := m.tree.Part(i)
			part := Part{
				Type: strings.ToLower(string(e.Type) + "/" + string(e.Subtype)), Report: strings.ToLower(string(e.Param("report-type"))),
				Nested: p.Header().Start < inside, m: m, p: p, coding: strings.ToLower(string(e.Encoding)),
			}
			if !part.Nested && p.Kind() == mime.Message {
				inside = p.Body().End
			}
			if !yield(part) {
				return
			}
		}
	}
}

// Header is the header block of the message, as far as it is looked at.
func (m *Message) Header() []byte {
	b, err := m.head.Block(0)
	if err != nil {
		return nil
	}
	return append([]byte(nil), b...)
}

// Content reads the body of a part, decoded. What cannot be decoded ends it.
func (p Part) Content() io.Reader {
	body := p.p.Body()
	raw := io.NewSectionReader(p.m.r, body.Start, body.Len())
	switch p.coding {
	case "base64":
		return &lenient{base64.NewDecoder(base64.StdEncoding, raw)}
	case "quoted-printable":
		return &lenient{quotedprintable.NewReader(raw)}
	}
	return raw
}

// Text is up to limit octets of a part.
func (p Part) Text(limit int64) []byte {
	b, _ := io.ReadAll(io.LimitReader(p.Content(), limit)) // Err has the reader's
	return b
}

// Reported is the header block of the message that a part holds or is the header
// of, without its empty line; ok is false for other parts.
func (p Part) Reported() (header []byte, whole, ok bool) {
	switch p.Type {
	case "message/rfc822", "message/global", "message/news":
		whole = true
	case "text/rfc822-headers", "message/rfc822-headers", "message/global-headers":
	default:
		return nil, false, false
	}
	return HeaderOf(p.Text(MaxHeader)), whole, true
}

// HeaderOf cuts b behind its header, without the empty line. What does not end
// in b is cut at its last whole line.
func HeaderOf(b []byte) []byte {
	n := 0
	for f := range mime.Fields(b) {
		n += len(f.Raw)
	}
	if n == len(b) && n == MaxHeader {
		n = bytes.LastIndexByte(b, '\n') + 1
	}
	return b[:n:n]
}

// lenient ends where the decoder gives up.
type lenient struct{ r io.Reader }

func (l *lenient) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}
