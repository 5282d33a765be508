package imapserver

import (
	"bytes"
	"io"
	"slices"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// maxBufferedHeader is the longest header whose fields are filtered in memory;
// a longer one is read twice.
const maxBufferedHeader = 64 << 10

// mail is one message while it is fetched or searched.
type mail struct {
	session *session
	row     *view.Row
	m       *store.Message
	fields  store.Fields  // what m holds
	content store.Content // nil until it was needed
	meta    store.Meta
	hasMeta bool
	root    *mime.Part // the parts as Meta has them; nil until they were needed
	scratch []byte     // for texts
}

func (m *mail) close() {
	if m.content != nil {
		m.content.Close()
	}
}

// prepare reads what the plan needs before anything is written, so that a
// message that cannot be read leaves no half response.
func (m *mail) prepare(p *fetchPlan) error {
	if len(p.sections) > 0 {
		if err := m.open(); err != nil {
			return err
		}
	}
	if p.items&(imap.FetchEnvelope|imap.FetchBody|imap.FetchBodyStructure) != 0 || p.needsMeta() {
		return m.loadMeta()
	}
	return nil
}

// needsMeta reports whether a section is more than the whole message.
func (p *fetchPlan) needsMeta() bool {
	for i := range p.sections {
		if len(p.sections[i].Part) > 0 || p.sections[i].Text != imap.TextAll {
			return true
		}
	}
	return false
}

// open makes the octets of the message available.
func (m *mail) open() (err error) {
	s := m.session
	switch {
	case m.content != nil:
	case m.fields&store.FieldContent != 0:
		m.content, err = store.OpenContent(s.ctx, s.account.Store(), s.sel.id, m.m)
	default:
		m.content, err = s.account.Store().Content(s.ctx, s.sel.id, m.row.UID)
	}
	return err
}

// loadMeta decodes the Meta, or computes it where it is not stored, and offers
// it to the store.
func (m *mail) loadMeta() error {
	if m.hasMeta {
		return nil
	}
	if m.meta, m.hasMeta = store.DecodeMeta(m.m.Meta); m.hasMeta {
		return nil
	}
	if err := m.needPrefix(); err != nil {
		return err
	}
	s := m.session
	meta, err := store.LoadMeta(s.ctx, s.account.Store(), s.sel.id, m.m)
	m.meta, m.hasMeta = meta, err == nil
	return err
}

// needPrefix asks the store again for a message whose Meta was all that seemed
// to be needed.
func (m *mail) needPrefix() error {
	if m.fields&store.FieldContent != 0 {
		return nil
	}
	q := store.Query{UIDs: store.UIDs(m.row.UID), Fields: store.FieldContent}
	for full, err := range m.session.account.Store().Messages(m.session.ctx, m.session.sel.id, q) {
		if err != nil {
			return err
		}
		known := *m.m
		known.Blob, known.Key, known.Prefix = full.Blob, slices.Clone(full.Key), slices.Clone(full.Prefix)
		m.m, m.fields = &known, m.fields|store.FieldContent
		return nil
	}
	return store.ErrNoMessage
}

// prefix is the number of octets in front of the blob.
func (m *mail) prefix() int64 { return int64(len(m.m.Prefix)) }

// parts returns the tree of the message's parts.
func (m *mail) parts() *mime.Part {
	if m.root == nil {
		m.root, _ = partTree(m.meta.Parts)
	}
	return m.root
}

// partTree makes the tree out of the parts in the order of the walk.
func partTree(spans []store.Span) (*mime.Part, []store.Span) {
	s := spans[0]
	spans = spans[1:]
	p := &mime.Part{
		Header: mime.Span{Start: s.Header, End: s.Body},
		Body:   mime.Span{Start: s.Body, End: s.End},
	}
	switch s.Kind {
	case store.PartMultipart:
		p.Type = []byte("multipart")
		for range s.Parts {
			var child *mime.Part
			child, spans = partTree(spans)
			p.Children = append(p.Children, child)
		}
	case store.PartMessage:
		p.Message, spans = partTree(spans)
	}
	return p, spans
}

// span finds the octets of a section; false = the message has no such section.
// The fields in front of the blob belong to the header of the message.
func (m *mail) span(sec *imap.Section) (mime.Span, bool) {
	size := m.content.Size()
	if len(sec.Part) == 0 {
		switch sec.Text {
		case imap.TextAll:
			return mime.Span{End: size}, true
		case imap.TextText:
			return mime.Span{Start: min(m.prefix()+m.meta.HeaderSize, size), End: size}, true
		}
		return mime.Span{End: min(m.prefix()+m.meta.HeaderSize, size)}, true
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
	span, ok := m.parts().Section(sec.Part, what)
	span.Start, span.End = min(span.Start+m.prefix(), size), min(span.End+m.prefix(), size)
	return span, ok
}

// section writes the text of a section.
func (f *fetcher) section(m *mail, sec *imap.Section) {
	enc := f.session.enc
	span, ok := m.span(sec)
	switch {
	case !ok:
		enc.Raw("NIL")
	case sec.Text == imap.TextFields || sec.Text == imap.TextFieldsNot:
		f.fields(m, sec, span)
	default:
		offset, count := sec.Window(span.Len())
		enc.Literal(imapwire.Literal{Size: count}, io.NewSectionReader(m.content, span.Start+offset, count))
	}
}

// fields writes the header fields that HEADER.FIELDS names.
func (f *fetcher) fields(m *mail, sec *imap.Section, span mime.Span) {
	enc := f.session.enc
	filter := mime.FieldFilter{Names: sec.Fields, Not: sec.Text == imap.TextFieldsNot}
	if span.Len() <= maxBufferedHeader {
		buf := bytes.NewBuffer(f.buf[:0])
		if _, err := filter.Copy(buf, m.content, span); err != nil {
			f.broken(err)
			return
		}
		f.buf = buf.Bytes()
		offset, count := sec.Window(int64(len(f.buf)))
		enc.Literal(imapwire.Literal{Size: count}, bytes.NewReader(f.buf[offset:offset+count]))
		return
	}
	size, err := filter.Copy(io.Discard, m.content, span)
	if err != nil {
		f.broken(err)
		return
	}
	offset, count := sec.Window(size)
	_, _ = enc.Write(imapwire.AppendLiteralHeader(enc.AvailableBuffer(), imapwire.Literal{Size: count}))
	if _, err := filter.Copy(&window{w: enc, skip: offset, left: count}, m.content, span); err != nil {
		f.broken(err)
	}
}

// broken ends a connection in the middle of a response: what was announced
// cannot be sent.
func (f *fetcher) broken(err error) {
	f.session.conn.log.Error("imap: message could not be read", "account", f.session.id, "err", err)
	f.session.conn.nc.Close()
	f.session.conn.readErr = err
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
