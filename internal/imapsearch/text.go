package imapsearch

import (
	"io"

	"github.com/mailstead/mailstead/internal/mime"
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
	prefix := s.msg.Prefix()
	size := content.Size() - prefix
	blob := io.NewSectionReader(content, prefix, size)
	meta, tree, err := s.structure(blob, len(inBody) > 0)
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
	if tree != nil {
		return searchtext.Texts(blob, size, tree, s.text.reset(inBody))
	}
	return searchtext.Body(blob, size, meta, s.text.reset(inBody))
}

// structure returns what the store knows of a message; with the parts, where
// bodies are looked into and they have to be found first: what else Meta has is
// not needed then.
func (s *searcher) structure(blob *io.SectionReader, bodies bool) (*store.Meta, *mime.Tree, error) {
	if !bodies {
		meta, err := s.msg.MetaHead(s.ctx)
		return meta, nil, err
	}
	if s.msg.HasMetaHead() {
		meta, err := s.msg.Meta(s.ctx)
		return meta, nil, err
	}
	tree, err := mime.Walk(blob, blob.Size(), mime.Limits{})
	if err != nil {
		return nil, nil, err
	}
	return &store.Meta{HeaderSize: tree.Part(0).Header().Len()}, tree, nil
}

// scanHeader judges HEADER keys, and looks for texts in the decoded fields.
func (s *searcher) scanHeader(content store.Content, meta *store.Meta, need []bool, h *haystack) error {
	for f, err := range searchtext.Header(content, min(s.msg.Prefix()+meta.HeaderSize, content.Size())) {
		if err == nil && len(h.needles) > 0 && !h.Done() {
			err = f.WriteText(h)
			h.End()
		}
		if err == nil && s.wants(f, need) {
			err = f.WriteValue(s.value.reset(s.inValue))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wants finds what is looked for in the value of a field. The empty text is in
// each.
func (s *searcher) wants(f searchtext.Field, need []bool) bool {
	s.inValue = s.inValue[:0]
	for i := range s.program {
		n := &s.program[i]
		if !need[i] || n.Op != OpHeader || s.values[i] == proved || !f.Is(n.Name) {
			continue
		}
		if n.Text == "" {
			s.values[i] = proved
			continue
		}
		s.inValue = append(s.inValue, needle{s.needle(i), &s.values[i]})
	}
	return len(s.inValue) > 0
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
