package imapsearch

import (
	"io"
	"strings"

	"github.com/emersion/go-message"
	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/store"
)

// scan judges the leaves that look into the octets of the message and are
// still needed. Each octet is read once, whatever is looked for.
func (s *searcher) scan(need []bool) error {
	var inHeader, inBody []needle
	fields := false
	for i := range s.program {
		if !need[i] {
			continue
		}
		n := &s.program[i]
		switch n.Op {
		case OpHeader:
			fields = true
		case OpBody:
			inBody = append(inBody, needle{[]byte(n.Text), &s.values[i]})
		case OpText:
			text := needle{[]byte(n.Text), &s.values[i]}
			inHeader, inBody = append(inHeader, text), append(inBody, text)
		}
	}
	content, err := s.msg.Content(s.ctx)
	if err != nil {
		return err
	}
	meta, err := s.msg.Meta(s.ctx)
	if err != nil {
		return err
	}
	if fields || len(inHeader) > 0 {
		if err := s.scanHeader(content, meta, need, s.text.reset(inHeader)); err != nil {
			return err
		}
	}
	if len(inBody) == 0 {
		return nil
	}
	return s.scanBody(content, meta, s.text.reset(inBody))
}

// maxSearchedHeader is how much of a header is searched.
const maxSearchedHeader = 1 << 20

// scanHeader judges HEADER keys, and looks for texts in the decoded fields.
func (s *searcher) scanHeader(content store.Content, meta *store.Meta, need []bool, h *haystack) error {
	block := make([]byte, min(s.msg.Prefix()+meta.HeaderSize, content.Size(), maxSearchedHeader))
	if _, err := io.ReadFull(io.NewSectionReader(content, 0, int64(len(block))), block); err != nil {
		return err
	}
	for f := range mime.Fields(block) {
		if len(h.needles) > 0 && !h.done() {
			s.scanField(h, f)
		}
		for i := range s.program {
			n := &s.program[i]
			if need[i] && n.Op == OpHeader && s.values[i] != proved && f.Is(n.Name) {
				s.scratch = appendDecoded(s.scratch[:0], mime.AppendUnfolded(nil, f.Value))
				if containsFold(s.scratch, n.Text) {
					s.values[i] = proved
				}
			}
		}
	}
	return nil
}

// scanBody looks for texts behind the header: in the fields of the parts, and
// in what their bodies hold once their encoding is taken off.
func (s *searcher) scanBody(content store.Content, meta *store.Meta, h *haystack) error {
	prefix := s.msg.Prefix()
	size := content.Size() - prefix
	blob := io.NewSectionReader(content, prefix, size)
	root, err := walk(blob, size, meta)
	if err != nil {
		return err
	}
	root.All(func(p *mime.Part) bool {
		if p != root && p.Header.Len() > 0 {
			err = s.scanFields(h, blob, p)
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
func walk(blob io.ReaderAt, size int64, meta *store.Meta) (*mime.Part, error) {
	if len(meta.Parts) != 1 || meta.HeaderSize > size {
		return mime.Walk(blob, size, mime.Limits{})
	}
	root, err := mime.Walk(blob, meta.HeaderSize, mime.Limits{})
	if err == nil {
		root.Body = mime.Span{Start: meta.HeaderSize, End: size}
	}
	return root, err
}

// scanFields looks into the header of a part.
func (s *searcher) scanFields(h *haystack, blob io.ReaderAt, p *mime.Part) error {
	block := make([]byte, min(p.Header.Len(), maxSearchedHeader))
	if _, err := io.ReadFull(io.NewSectionReader(blob, p.Header.Start, int64(len(block))), block); err != nil {
		return err
	}
	for f := range mime.Fields(block) {
		s.scanField(h, f)
	}
	return nil
}

// scanField looks into one field.
func (s *searcher) scanField(h *haystack, f mime.Field) {
	s.scratch = append(append(s.scratch[:0], f.Name...), ": "...)
	s.scratch = appendDecoded(s.scratch, mime.AppendUnfolded(nil, f.Value))
	_, _ = h.Write(s.scratch)
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
