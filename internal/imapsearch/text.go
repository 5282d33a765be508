package imapsearch

import (
	"io"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/searchtext"
)

// scan judges the leaves that look into the octets of the message and are
// still needed. Each octet is read once, whatever is looked for.
func (s *searcher) scan(need []bool) error {
	inHeader, inBody := s.inHeader[:0], s.inBody[:0]
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
			inBody = append(inBody, needle{s.needle(i), &s.values[i]})
		case OpText:
			text := needle{s.needle(i), &s.values[i]}
			inHeader, inBody = append(inHeader, text), append(inBody, text)
		}
	}
	s.inHeader, s.inBody = inHeader, inBody
	content, err := s.msg.Content(s.ctx)
	if err != nil {
		return err
	}
	load := s.msg.MetaHead
	if len(inBody) > 0 {
		load = s.msg.Meta
	}
	meta, err := load(s.ctx)
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
	prefix := s.msg.Prefix()
	size := content.Size() - prefix
	return searchtext.Body(io.NewSectionReader(content, prefix, size), size, meta, s.text.reset(inBody))
}

// scanHeader judges HEADER keys, and looks for texts in the decoded fields.
func (s *searcher) scanHeader(content store.Content, meta *store.Meta, need []bool, h *haystack) error {
	block, err := searchtext.HeaderBlock(content, min(s.msg.Prefix()+meta.HeaderSize, content.Size()), s.block)
	if err != nil {
		return err
	}
	s.block = block
	for f := range searchtext.Fields(block) {
		if len(h.needles) > 0 && !h.Done() {
			s.scratch = f.AppendText(s.scratch[:0])
			_, _ = h.Write(s.scratch)
			h.End()
		}
		for i := range s.program {
			n := &s.program[i]
			if need[i] && n.Op == OpHeader && s.values[i] != proved && f.Is(n.Name) {
				s.scratch = f.AppendValue(s.scratch[:0])
				if containsFold(s.scratch, n.Text) {
					s.values[i] = proved
				}
			}
		}
	}
	return nil
}

// needle is the text of a leaf.
func (s *searcher) needle(i int) []byte {
	if s.texts == nil {
		s.texts = make([][]byte, len(s.program))
	}
	if s.texts[i] == nil {
		s.texts[i] = []byte(s.program[i].Text)
	}
	return s.texts[i]
}
