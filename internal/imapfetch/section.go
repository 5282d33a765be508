package imapfetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/store"
)

// span finds the octets of a section; false = the message has no such section.
// size is that of the message. The fields in front of the blob belong to the header of the message.
func span(m *imapmsg.Message, meta *store.Meta, size int64, sec *imap.Section) (mime.Span, bool) {
	if len(sec.Part) == 0 {
		switch sec.Text {
		case imap.TextAll:
			return mime.Span{End: size}, true
		case imap.TextText:
			return mime.Span{Start: min(m.Prefix()+meta.HeaderSize, size), End: size}, true
		}
		return mime.Span{End: min(m.Prefix()+meta.HeaderSize, size)}, true
	}
	what := mime.SectionAll
	switch sec.Text {
	case imap.TextHeader, imap.TextFields, imap.TextFieldsNot:
		what = mime.SectionHeader
	case imap.TextText:
		what = mime.SectionText
	case imap.TextMIME:
		what = mime.SectionMIME
	}
	span, ok := mime.Section(m.Parts(), sec.Part, what)
	span.Start, span.End = min(span.Start+m.Prefix(), size), min(span.End+m.Prefix(), size)
	return span, ok
}

// ErrNoSection says that a message has no such section.
var ErrNoSection = errors.New("imapfetch: no such section")

// maxOpenFields is the longest result of HEADER.FIELDS that Open gives; it is
// collected.
const maxOpenFields = 1 << 20

// ParseSection reads the text between the brackets of BODY[...]. The only error
// is *[imapwire.SyntaxError].
func ParseSection(text string) (imap.Section, error) {
	dec := imapwire.NewDecoder(strings.NewReader("["+text+"]\r\n"), imapwire.Config{})
	if err := dec.Begin(); err != nil {
		return imap.Section{}, imapwire.Bad("Section expected")
	}
	p := parser{dec: dec, plan: &Plan{}}
	sec, err := p.section()
	if err == nil {
		err = dec.End()
	}
	if err != nil || sec.Partial {
		return imap.Section{}, imapwire.Bad("Section expected")
	}
	return sec, nil
}

// Open returns the octets that a section of a message names, and how many they
// are, as a literal of FETCH would have them (RFC 4469 §3). They are read while
// the message is open. ErrNoSection; other errors are those of the message.
func Open(ctx context.Context, m *imapmsg.Message, sec *imap.Section) (io.Reader, int64, error) {
	content, err := m.Content(ctx)
	if err != nil {
		return nil, 0, err
	}
	var meta *store.Meta
	if len(sec.Part) > 0 || sec.Text != imap.TextAll {
		if meta, err = m.Meta(ctx); err != nil {
			return nil, 0, err
		}
	}
	at, ok := span(m, meta, content.Size(), sec)
	if !ok {
		return nil, 0, ErrNoSection
	}
	if sec.Text != imap.TextFields && sec.Text != imap.TextFieldsNot {
		offset, count := sec.Window(at.Len())
		return io.NewSectionReader(content, at.Start+offset, count), count, nil
	}
	filter := mime.FieldFilter{Names: sec.Fields, Not: sec.Text == imap.TextFieldsNot}
	var b bytes.Buffer
	size, err := filter.Copy(&window{w: &b, left: maxOpenFields}, content, at)
	switch {
	case err != nil:
		return nil, 0, err
	case size > maxOpenFields:
		return nil, 0, ErrNoSection
	}
	offset, count := sec.Window(size)
	return bytes.NewReader(b.Bytes()[offset : offset+count]), count, nil
}

// Structure finds what writes the BODYSTRUCTURE of a part, or of the message
// where the section names no part; nil: the
// section names a header or a text, which have none, or nothing. The message is
// read as a whole.
func Structure(ctx context.Context, m *imapmsg.Message, sec *imap.Section) (func(io.Writer) error, error) {
	if sec.Text != imap.TextAll {
		return nil, nil
	}
	blob, err := m.Blob(ctx)
	if err != nil {
		return nil, err
	}
	tree, err := mime.Walk(blob, blob.Size(), mime.Limits{})
	if err != nil {
		return nil, err
	}
	part, ok := mime.Find(tree, sec.Part)
	if !ok {
		return nil, nil
	}
	form := mime.Form{Tree: tree, Content: blob, Part: part, Extended: true, Max: maxBufferedForm}
	b, err := form.Append(nil)
	switch {
	case errors.Is(err, mime.ErrTooLong):
		return form.Write, nil
	case err != nil:
		return nil, err
	}
	return func(w io.Writer) error { _, err := w.Write(b); return err }, nil
}

// maxBufferedForm is the longest form that is made before it is sent, so that a
// message that cannot be read leaves no half response.
const maxBufferedForm = 64 << 10
