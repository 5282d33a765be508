package imapserver

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-message"
	"github.com/mailstead/mailstead/internal/mime"
)

// foldString is the form in which texts are compared: case does not count
// (RFC 3501 §6.4.4).
func foldString(s string) string { return string(fold(make([]byte, 0, len(s)), []byte(s))) }

// fold adds UTF-8 text without its case.
func fold(dst, text []byte) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(text))[:n+len(text)]
	out := dst[n:]
	for i, c := range text {
		if c >= utf8.RuneSelf {
			return foldRunes(dst[:n+i], text[i:])
		}
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		out[i] = c
	}
	return dst
}

// foldRunes is fold for text that is not US-ASCII.
func foldRunes(dst, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		dst = utf8.AppendRune(dst, unicode.ToLower(unicode.ToUpper(r)))
		text = text[n:]
	}
	return dst
}

// containsFold reports whether text holds the folded needle; text is folded in
// place where that is possible.
func containsFold(text []byte, needle string) bool {
	if isASCII(text) {
		text = fold(text[:0], text)
	} else {
		text = fold(make([]byte, 0, len(text)), text)
	}
	return bytes.Contains(text, []byte(needle))
}

// needle is one text that is looked for in a stream of text.
type needle struct {
	text  []byte // folded
	found *truth
}

// haystack looks for needles in folded text that comes in pieces.
type haystack struct {
	needles []needle
	keep    int    // octets of the last piece that the start of a needle may be in
	buf     []byte // folded text not dropped yet
	carry   []byte // start of a character
	piece   []byte // where decoded text is read into
}

// reset prepares the haystack for other needles; its buffers stay.
func (h *haystack) reset(needles []needle) *haystack {
	h.end()
	h.needles, h.keep = needles, 0
	for _, n := range needles {
		h.keep = max(h.keep, len(n.text)-1)
	}
	return h
}

// done reports whether all needles were found.
func (h *haystack) done() bool {
	for _, n := range h.needles {
		if *n.found != proved {
			return false
		}
	}
	return true
}

// Write takes the next piece of text.
func (h *haystack) Write(p []byte) (int, error) {
	piece := p
	if len(h.carry) > 0 {
		piece = append(h.carry, p...)
		h.carry = nil
	}
	whole := len(piece)
	for i := max(0, whole-utf8.UTFMax+1); i < whole; i++ {
		if utf8.RuneStart(piece[i]) && !utf8.FullRune(piece[i:]) {
			whole = i
			break
		}
	}
	h.carry = slices.Clone(piece[whole:])
	h.buf = fold(h.buf, piece[:whole])
	for _, n := range h.needles {
		if *n.found != proved && bytes.Contains(h.buf, n.text) {
			*n.found = proved
		}
	}
	if drop := len(h.buf) - h.keep; drop > 0 {
		h.buf = append(h.buf[:0], h.buf[drop:]...)
	}
	return len(p), nil
}

// end separates one text from the next.
func (h *haystack) end() { h.buf, h.carry = h.buf[:0], nil }

// scan judges the leaves that look into the octets of the message and are
// still needed. Each octet is read once, whatever is looked for.
func (m *mail) scan(p searchProgram, need []bool, values []truth, h *haystack) error {
	var inHeader, inBody []needle
	fields := false
	for i := range p {
		if !need[i] {
			continue
		}
		switch p[i].op {
		case opHeader:
			fields = true
		case opBody:
			inBody = append(inBody, needle{[]byte(p[i].text), &values[i]})
		case opText:
			n := needle{[]byte(p[i].text), &values[i]}
			inHeader, inBody = append(inHeader, n), append(inBody, n)
		}
	}
	if err := m.open(); err != nil {
		return err
	}
	if err := m.loadMeta(); err != nil {
		return err
	}
	if fields || len(inHeader) > 0 {
		if err := m.scanHeader(p, need, values, h.reset(inHeader)); err != nil {
			return err
		}
	}
	if len(inBody) == 0 {
		return nil
	}
	return m.scanBody(h.reset(inBody))
}

// maxSearchedHeader is how much of a header is searched.
const maxSearchedHeader = 1 << 20

// scanHeader judges HEADER keys, and looks for texts in the decoded fields.
func (m *mail) scanHeader(p searchProgram, need []bool, values []truth, h *haystack) error {
	block := make([]byte, min(m.prefix()+m.meta.HeaderSize, m.content.Size(), maxSearchedHeader))
	if _, err := io.ReadFull(io.NewSectionReader(m.content, 0, int64(len(block))), block); err != nil {
		return err
	}
	for f := range mime.Fields(block) {
		if len(h.needles) > 0 && !h.done() {
			m.scanField(h, f)
		}
		for i := range p {
			if need[i] && p[i].op == opHeader && values[i] != proved && f.Is(p[i].name) {
				m.scratch = appendDecoded(m.scratch[:0], mime.AppendUnfolded(nil, f.Value))
				if containsFold(m.scratch, p[i].text) {
					values[i] = proved
				}
			}
		}
	}
	return nil
}

// scanBody looks for texts behind the header: in the fields of the parts, and
// in what their bodies hold once their encoding is taken off.
func (m *mail) scanBody(h *haystack) error {
	prefix := m.prefix()
	size := m.content.Size() - prefix
	blob := io.NewSectionReader(m.content, prefix, size)
	root, err := m.walk(blob, size)
	if err != nil {
		return err
	}
	root.All(func(p *mime.Part) bool {
		if p != root && p.Header.Len() > 0 {
			err = m.scanFields(h, blob, p)
		}
		if err == nil && !p.IsMultipart() && !p.IsMessage() && (p.IsText() || p.Opaque) {
			err = scanPart(h, blob, p)
		}
		return err == nil && !h.done()
	})
	return err
}

// walk finds the parts. Where Meta knows that there is only one, the header is
// all that has to be read for it.
func (m *mail) walk(blob io.ReaderAt, size int64) (*mime.Part, error) {
	if len(m.meta.Parts) != 1 || m.meta.HeaderSize > size {
		return mime.Walk(blob, size, mime.Limits{})
	}
	root, err := mime.Walk(blob, m.meta.HeaderSize, mime.Limits{})
	if err == nil {
		root.Body = mime.Span{Start: m.meta.HeaderSize, End: size}
	}
	return root, err
}

// scanFields looks into the header of a part.
func (m *mail) scanFields(h *haystack, blob io.ReaderAt, p *mime.Part) error {
	block := make([]byte, min(p.Header.Len(), maxSearchedHeader))
	if _, err := io.ReadFull(io.NewSectionReader(blob, p.Header.Start, int64(len(block))), block); err != nil {
		return err
	}
	for f := range mime.Fields(block) {
		m.scanField(h, f)
	}
	return nil
}

// scanField looks into one field.
func (m *mail) scanField(h *haystack, f mime.Field) {
	m.scratch = append(append(m.scratch[:0], f.Name...), ": "...)
	m.scratch = appendDecoded(m.scratch, mime.AppendUnfolded(nil, f.Value))
	_, _ = h.Write(m.scratch)
	h.end()
}

// scanPart looks into a text part. What cannot be decoded is searched as it
// stands as far as it goes; an error of the store ends the search.
func scanPart(h *haystack, blob io.ReaderAt, p *mime.Part) error {
	src := &failing{r: io.NewSectionReader(blob, p.Body.Start, p.Body.Len())}
	var text io.Reader = src
	if !isPlain(p) {
		var head message.Header
		head.SetContentType("text/plain", map[string]string{"charset": string(p.Param("charset"))})
		head.Set("Content-Transfer-Encoding", string(p.Encoding))
		if e, _ := message.New(head, src); e != nil {
			text = e.Body
		}
	}
	if h.piece == nil {
		h.piece = make([]byte, 16<<10)
	}
	for !h.done() {
		n, err := text.Read(h.piece)
		_, _ = h.Write(h.piece[:n])
		if err != nil {
			break
		}
	}
	h.end()
	return src.err
}

// isPlain reports whether a part's octets are its text.
func isPlain(p *mime.Part) bool {
	switch strings.ToLower(string(p.Param("charset"))) {
	case "", "us-ascii", "utf-8":
	default:
		return false
	}
	switch strings.ToLower(string(p.Encoding)) {
	case "", "7bit", "8bit", "binary":
		return true
	}
	return false
}

// failing remembers why its reader failed, which decoders may hide.
type failing struct {
	r   io.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}
