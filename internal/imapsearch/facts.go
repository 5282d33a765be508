package imapsearch

import (
	"bytes"
	"time"
	"unicode/utf8"

	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store/searchtext"
)

// byFacts judges a leaf by what the store keeps of a message.
func (s *searcher) byFacts(i int) truth {
	n := &s.program[i]
	switch n.Op {
	case OpBefore, OpOn, OpSince, OpOlder, OpYounger:
		s.keepDate(keptReceived, s.msg.Received())
	}
	switch n.Op {
	case OpBefore, OpOn, OpSince:
		return byDate(n.Op-OpBefore, s.msg.Received(), n.Num)
	case OpSavedBefore, OpSavedOn, OpSavedSince:
		return byDate(n.Op-OpSavedBefore, s.savedDate(), n.Num)
	case OpHasSaveDate:
		return truthOf(!s.msg.Saved().IsZero())
	case OpOlder:
		return truthOf(s.msg.Received().Unix() <= s.now.Unix()-n.Num)
	case OpYounger:
		return truthOf(s.msg.Received().Unix() >= s.now.Unix()-n.Num)
	case OpEmailID:
		id := s.msg.EmailID()
		return truthOf(n.Text == string(id[:]))
	case OpThreadID:
		id := s.msg.ThreadID()
		return truthOf(n.Text == string(id[:]))
	case OpSentBefore, OpSentOn, OpSentSince, OpEnvelope:
		if !s.need[i] {
			return unknown
		}
		return s.byMeta(n)
	}
	return unknown
}

// savedDate is when the message came into the mailbox; where the storage does
// not know, its INTERNALDATE (RFC 8514 §4.3).
func (s *searcher) savedDate() time.Time {
	if t := s.msg.Saved(); !t.IsZero() {
		return t
	}
	return s.msg.Received()
}

// byMeta judges a leaf by the Meta of the message.
func (s *searcher) byMeta(n *Node) truth {
	meta, err := s.msg.MetaHead(s.ctx)
	if err != nil {
		s.failed = err
		return unknown
	}
	if n.Op == OpEnvelope {
		text, present := s.foldedEnvelope(meta.Envelope, n.Field)
		s.keep(uint8(n.Field), text)
		return truthOf(present && bytes.Contains(text, []byte(n.Text)))
	}
	s.keepDate(keptSent, meta.SentDate)
	if meta.SentDate.IsZero() {
		return refuted
	}
	return byDate(n.Op-OpSentBefore, meta.SentDate, n.Num)
}

// byDate compares the day of a time in its own zone with another day (RFC 3501
// §6.4.4: disregarding time and timezone). which: 0 before, 1 on, 2 since.
func byDate(which Op, t time.Time, day int64) truth {
	return truthOf(compareDay(which, dayOf(t), day))
}

// dayOf is the day of a time in its own zone, as Node.Num has it.
func dayOf(t time.Time) int64 {
	y, mo, d := t.Date()
	return time.Date(y, mo, d, 0, 0, 0, 0, time.UTC).Unix()
}

func compareDay(which Op, at, day int64) bool {
	switch which {
	case 0:
		return at < day
	case 1:
		return at == day
	}
	return at >= day
}

// maxEnvelopeDepth is the nesting of an ENVELOPE: its lists of addresses.
const maxEnvelopeDepth = 4

// appendEnvelopeText adds the text of one element of an ENVELOPE with its
// encoded words decoded, and reports whether the field is there.
func appendEnvelopeText(dst, env []byte, index EnvelopeField) ([]byte, bool) {
	if len(env) < 2 {
		return dst, false
	}
	rest := env[1:]
	for range index {
		n, err := imapwire.SkipValue(rest, maxEnvelopeDepth)
		if err != nil || n >= len(rest) {
			return dst, false
		}
		rest = rest[n+1:]
	}
	if rest[0] == '(' {
		return appendAddresses(dst, rest), true
	}
	s, _, err := imapwire.ConsumeNString(rest)
	if err != nil || s == nil {
		return dst, false
	}
	return searchtext.AppendDecoded(dst, s), true
}

// appendAddresses writes a list of addresses as people write them:
//
//	"(" 1*("(" name SP adl SP mailbox SP host ")") ")"
func appendAddresses(dst, list []byte) []byte {
	rest := list[1:]
	for len(rest) > 0 && rest[0] == '(' {
		rest = rest[1:]
		var part [4][]byte
		for i := range part {
			s, n, err := imapwire.ConsumeNString(rest)
			if err != nil || n >= len(rest) {
				return dst
			}
			part[i], rest = s, rest[n+1:] // a space, or the closing parenthesis
		}
		if part[0] != nil {
			dst = append(searchtext.AppendDecoded(dst, part[0]), ' ')
		}
		dst = searchtext.AppendDecoded(append(dst, '<'), part[2])
		if part[3] != nil {
			dst = searchtext.AppendDecoded(append(dst, '@'), part[3])
		}
		dst = append(dst, ">, "...)
	}
	return dst
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
