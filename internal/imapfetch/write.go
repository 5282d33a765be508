package imapfetch

import (
	"bytes"
	"context"
	"io"
	"slices"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/store"
)

// maxBufferedHeader is the longest header whose fields are filtered in memory;
// a longer one is read twice.
const maxBufferedHeader = 64 << 10

// Writer writes the items of a plan that are made of what the store keeps. It
// is not safe for concurrent use.
type Writer struct {
	Enc  *imapwire.Encoder
	Plan *Plan

	content store.Content // nil where no section is asked for
	meta    *store.Meta   // nil where nothing of it is needed
	preview *store.Meta   // nil where it is not known, and lazily wanted
	decoded []decoded     // one for each BINARY section, in their order
	buf     []byte        // for header fields
}

// Prepare reads what the plan needs of a message before anything is written, so
// that a message that cannot be read leaves no half response.
func (w *Writer) Prepare(ctx context.Context, m *imapmsg.Message) (err error) {
	w.content, w.meta, w.preview, w.decoded = nil, nil, nil, w.decoded[:0]
	if len(w.Plan.Sections) > 0 {
		if w.content, err = m.Content(ctx); err != nil {
			return err
		}
	}
	switch {
	case w.Plan.needsParts():
		w.meta, err = m.Meta(ctx)
	case w.Plan.needsMeta():
		w.meta, err = m.MetaHead(ctx)
	}
	if err != nil {
		return err
	}
	if w.Plan.Items&imap.FetchPreview != 0 && (w.meta != nil || m.HasMetaHead()) {
		if w.preview, err = m.MetaHead(ctx); err != nil {
			return err
		}
	}
	for i := range w.Plan.Sections {
		if sec := &w.Plan.Sections[i]; sec.Form != imap.FormBody {
			if err := w.decode(ctx, m, sec); err != nil {
				return err
			}
		}
	}
	return nil
}

// decoded is what a BINARY section names.
type decoded struct {
	imapmsg.Decoded
	part  []uint32
	there bool
}

// decode measures a BINARY section, once for each part.
func (w *Writer) decode(ctx context.Context, m *imapmsg.Message, sec *imap.Section) error {
	for i := range w.decoded {
		if slices.Equal(w.decoded[i].part, sec.Part) {
			w.decoded = append(w.decoded, w.decoded[i])
			return nil
		}
	}
	d, ok, err := m.Decode(ctx, sec.Part)
	w.decoded = append(w.decoded, decoded{d, sec.Part, ok})
	return err
}

// Items writes b and the items behind it, of the message that was prepared
// last. b lies in the free buffer of the encoder and holds the response so far,
// with the opening parenthesis. An error says that the octets of the message
// ended early: what was announced cannot be sent, and the connection must end.
// Errors of the connection stay in the encoder.
func (w *Writer) Items(b []byte, m *imapmsg.Message) error {
	items := w.Plan.Items
	if items&imap.FetchInternalDate != 0 {
		b = imapwire.AppendDateTime(append(separate(b), "INTERNALDATE "...), m.Received())
	}
	if items&imap.FetchEnvelope != 0 {
		b = append(append(separate(b), "ENVELOPE "...), w.meta.Envelope...)
	}
	if items&imap.FetchBody != 0 {
		b = append(append(separate(b), "BODY "...), w.meta.Body...)
	}
	if items&imap.FetchBodyStructure != 0 {
		b = append(append(separate(b), "BODYSTRUCTURE "...), w.meta.BodyStructure...)
	}
	b = w.stored(b, m)
	first := b[len(b)-1] == '('
	binary := w.decoded
	for i := range w.Plan.Sections {
		sec := &w.Plan.Sections[i]
		if !first {
			b = append(b, ' ')
		}
		first = false
		_, _ = w.Enc.Write(append(sec.AppendName(b), ' '))
		var err error
		if sec.Form == imap.FormBody {
			err = w.section(m, sec)
		} else {
			err = w.binary(&binary[0], sec)
			binary = binary[1:]
		}
		if err != nil {
			return err
		}
		b = w.Enc.AvailableBuffer()
	}
	_, _ = w.Enc.Write(b)
	return nil
}

// stored adds the items that the store keeps beside the message.
func (w *Writer) stored(b []byte, m *imapmsg.Message) []byte {
	items := w.Plan.Items
	if items&imap.FetchPreview != 0 {
		b = append(separate(b), "PREVIEW "...)
		switch {
		case w.preview == nil:
			b = append(b, "NIL"...)
		default:
			b = imapwire.AppendString(b, w.preview.Preview)
		}
	}
	if items&imap.FetchSaveDate != 0 {
		b = append(separate(b), "SAVEDATE "...)
		if saved := m.Saved(); saved.IsZero() {
			b = append(b, "NIL"...)
		} else {
			b = imapwire.AppendDateTime(b, saved)
		}
	}
	if items&imap.FetchEmailID != 0 {
		b = append(append(separate(b), "EMAILID ("...), imap.FormatEmailID(m.EmailID())...)
		b = append(b, ')')
	}
	if items&imap.FetchThreadID != 0 {
		b = append(separate(b), "THREADID "...)
		if id := m.ThreadID(); id == (store.ThreadID{}) {
			b = append(b, "NIL"...)
		} else {
			b = append(append(append(b, '('), imap.FormatThreadID(id)...), ')')
		}
	}
	return b
}

// binary writes what a BINARY section names: as a literal8 only where an octet
// is NUL (RFC 3516 §4.3).
func (w *Writer) binary(d *decoded, sec *imap.Section) error {
	switch {
	case sec.Form == imap.FormBinarySize:
		w.Enc.Number(uint64(d.Size))
	case !d.there:
		w.Enc.Raw("NIL")
	default:
		offset, count := sec.Window(d.Size)
		r := d.Reader()
		if _, err := io.CopyN(io.Discard, r, offset); err != nil {
			return err
		}
		w.Enc.Literal(imapwire.Literal{Size: count, Binary: d.NUL}, r)
	}
	return nil
}

// separate puts the space in front of an item that is not the first.
func separate(b []byte) []byte {
	if b[len(b)-1] == '(' {
		return b
	}
	return append(b, ' ')
}

// section writes the text of a section.
func (w *Writer) section(m *imapmsg.Message, sec *imap.Section) error {
	span, ok := span(m, w.meta, w.content.Size(), sec)
	switch {
	case !ok:
		w.Enc.Raw("NIL")
	case sec.Text == imap.TextFields || sec.Text == imap.TextFieldsNot:
		return w.fields(sec, span)
	default:
		offset, count := sec.Window(span.Len())
		w.Enc.Literal(imapwire.Literal{Size: count}, io.NewSectionReader(w.content, span.Start+offset, count))
	}
	return nil
}

// fields writes the header fields that HEADER.FIELDS names.
func (w *Writer) fields(sec *imap.Section, span mime.Span) error {
	filter := mime.FieldFilter{Names: sec.Fields, Not: sec.Text == imap.TextFieldsNot}
	if span.Len() <= maxBufferedHeader {
		buf := bytes.NewBuffer(w.buf[:0])
		if _, err := filter.Copy(buf, w.content, span); err != nil {
			return err
		}
		w.buf = buf.Bytes()
		offset, count := sec.Window(int64(len(w.buf)))
		w.Enc.Literal(imapwire.Literal{Size: count}, bytes.NewReader(w.buf[offset:offset+count]))
		return nil
	}
	size, err := filter.Copy(io.Discard, w.content, span)
	if err != nil {
		return err
	}
	offset, count := sec.Window(size)
	_, _ = w.Enc.Write(imapwire.AppendLiteralHeader(w.Enc.AvailableBuffer(), imapwire.Literal{Size: count}))
	_, err = filter.Copy(&window{w: w.Enc, skip: offset, left: count}, w.content, span)
	return err
}

// window passes on left octets behind the first skip ones.
type window struct {
	w          io.Writer
	skip, left int64
}

func (w *window) Write(p []byte) (int, error) {
	n := len(p)
	skip := min(w.skip, int64(len(p)))
	w.skip -= skip
	p = p[skip:]
	p = p[:min(w.left, int64(len(p)))]
	w.left -= int64(len(p))
	if len(p) == 0 {
		return n, nil
	}
	_, err := w.w.Write(p)
	return n, err
}
