package imapsearch

import (
	"encoding/binary"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/searchtext"
	"github.com/mailstead/mailstead/store/view"
)

// What the view keeps of messages for searches (view.Texts): the elements of
// an ENVELOPE by their EnvelopeField, folded, and dates as appendDate writes
// them. Nothing is kept of an empty text that is not there, and of no date.
const (
	keptSent     = 32 + iota // of the Date field
	keptReceived             // INTERNALDATE
)

// keptAs is the kind of text that decides about a leaf.
func keptAs(n *Node) (kind uint8, ok bool) {
	switch n.Op {
	case OpEnvelope:
		return uint8(n.Field), n.Text != "" // "" asks whether the field is there
	case OpSentBefore, OpSentOn, OpSentSince:
		return keptSent, true
	case OpBefore, OpOn, OpSince, OpOlder, OpYounger:
		return keptReceived, true
	}
	return 0, false
}

// askKept asks what the view keeps about the first leaves that it may decide,
// and prepares to keep what is read now. It reports whether something was
// decided.
func (s *searcher) askKept(doubt store.UIDSet) (decided bool, err error) {
	if s.in.View == nil || len(doubt) == 0 {
		return false, nil
	}
	asked := 0
	for i := range s.program {
		n := &s.program[i]
		kind, ok := keptAs(n)
		if !ok || asked == maxAsked && s.kept[kind] != nil {
			continue
		}
		texts := s.in.View.Texts(s.in.ID, kind)
		if texts == nil {
			return decided, nil
		}
		s.keepTo(kind, texts)
		if asked == maxAsked {
			continue
		}
		if err := s.ctx.Err(); err != nil {
			return false, err
		}
		asked++
		var hits store.SearchHits
		if n.Op == OpEnvelope {
			hits = texts.Containing([]byte(n.Text), doubt)
		} else {
			hits = texts.Matching(func(text []byte) bool { return s.byKeptDate(n, text) }, doubt)
		}
		s.setHits(n, hits)
		decided = decided || hits.Unknown.Len() < doubt.Len()
	}
	return decided, nil
}

// keepTo has the texts of a kind kept that are read now.
func (s *searcher) keepTo(kind uint8, texts *view.Texts) {
	if s.kept == nil {
		s.kept = make(map[uint8]*view.TextWriter)
	}
	if s.kept[kind] == nil {
		s.kept[kind] = &view.TextWriter{To: texts}
	}
}

func (s *searcher) setHits(n *Node, hits store.SearchHits) {
	if s.hits == nil {
		s.hits = make(map[*Node]store.SearchHits)
	}
	s.hits[n] = hits
}

// keep hands a text of the message at hand to the view.
func (s *searcher) keep(kind uint8, text []byte) {
	if w := s.kept[kind]; w != nil {
		w.Add(s.uid, text)
	}
}

// keepDate is keep for a date.
func (s *searcher) keepDate(kind uint8, t time.Time) {
	if w := s.kept[kind]; w != nil {
		s.scratch = appendDate(s.scratch[:0], t)
		w.Add(s.uid, s.scratch)
	}
}

// endKept completes what was kept.
func (s *searcher) endKept() {
	for _, w := range s.kept {
		w.Flush()
		w.To.Trim(s.in.Table)
	}
}

// appendDate writes a time and its day as dayOf has it, both in seconds; nothing
// for the zero time.
func appendDate(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.Unix()))
	return binary.BigEndian.AppendUint64(dst, uint64(dayOf(t)))
}

// byKeptDate judges a leaf by what appendDate wrote.
func (s *searcher) byKeptDate(n *Node, text []byte) bool {
	if len(text) < 16 {
		return false
	}
	at, day := int64(binary.BigEndian.Uint64(text)), int64(binary.BigEndian.Uint64(text[8:]))
	switch n.Op {
	case OpOlder:
		return at <= s.now.Unix()-n.Num
	case OpYounger:
		return at >= s.now.Unix()-n.Num
	case OpBefore, OpOn, OpSince:
		return compareDay(n.Op-OpBefore, day, n.Num)
	}
	return compareDay(n.Op-OpSentBefore, day, n.Num)
}

// foldedEnvelope returns the text of an element of an ENVELOPE as a needle is
// looked for in it, and whether it is there; valid until the next.
func (s *searcher) foldedEnvelope(env []byte, field EnvelopeField) ([]byte, bool) {
	text, present := appendEnvelopeText(s.scratch[:0], env, field)
	s.scratch = text
	if isASCII(text) {
		return searchtext.AppendFold(text[:0], text), present
	}
	s.folded = searchtext.AppendFold(s.folded[:0], text)
	return s.folded, present
}
