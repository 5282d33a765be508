package mimetext

import "strings"

// BaseSubject returns the base subject of an unfolded Subject value: the
// procedure of RFC 5256 §2.1, in linear time.
func BaseSubject(value []byte) string {
	base, _ := Subject(value)
	return base
}

// Subject returns the base subject, and whether it is that of a reply or
// forward: whether subj-refwd, "(fwd)", or "[fwd:" and "]" were removed
// (RFC 5256 §3, REFERENCES).
func Subject(value []byte) (base string, reply bool) {
	s := subject{s: oneSpace(DecodeWords(value))} // (1)
	for {
		s.cutTrailers()        // (2)
		s.cutLeaders()         // (3) to (5)
		if !s.cutForwarded() { // (6)
			return s.s, s.reply // (7)
		}
	}
}

// oneSpace turns each run of white space and line ends into one space.
func oneSpace(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for i := range len(s) {
		if isSpace(s[i]) {
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		}
		space = false
		b.WriteByte(s[i])
	}
	return b.String()
}

type subject struct {
	s     string
	reply bool
}

// cutTrailers removes subj-trailer = "(fwd)" / WSP from the end.
func (s *subject) cutTrailers() {
	for {
		s.s = strings.TrimRight(s.s, " ")
		n := len(s.s) - len("(fwd)")
		if n < 0 || !fold(s.s[n:], "(fwd)") {
			return
		}
		s.s, s.reply = s.s[:n], true
	}
}

// cutLeaders removes subj-leader, and subj-blob where something is left behind
// it. The blobs in front are scanned once: when no subj-refwd stands behind
// them, none stands behind a part of them either.
func (s *subject) cutLeaders() {
	for {
		s.s = strings.TrimLeft(s.s, " ")
		last, end := 0, 0 // start of the last blob, end of all blobs
		for n := blobLen(s.s); n > 0; n = blobLen(s.s[end:]) {
			last, end = end, end+n
		}
		if n := refwdLen(s.s[end:]); n > 0 {
			s.s, s.reply = s.s[end+n:], true
			continue
		}
		if end == len(s.s) { // only blobs: the last one is the base
			end = last
		}
		s.s = s.s[end:]
		return
	}
}

// blobLen is the length of subj-blob = "[" *BLOBCHAR "]" *WSP; 0 = none.
func blobLen(s string) int {
	if s == "" || s[0] != '[' {
		return 0
	}
	n := strings.IndexAny(s[1:], "[]")
	if n < 0 || s[1+n] != ']' {
		return 0
	}
	n += 2
	return len(s) - len(strings.TrimLeft(s[n:], " "))
}

// refwdLen is the length of
//
//	subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
//
// 0 = none.
func refwdLen(s string) int {
	n := 0
	switch {
	case len(s) >= 2 && fold(s[:2], "re"):
		n = 2
	case len(s) >= 3 && fold(s[:3], "fwd"):
		n = 3
	case len(s) >= 2 && fold(s[:2], "fw"):
		n = 2
	default:
		return 0
	}
	n = len(s) - len(strings.TrimLeft(s[n:], " "))
	n += blobLen(s[n:])
	if n == len(s) || s[n] != ':' {
		return 0
	}
	return n + 1
}

// cutForwarded removes "[fwd:" and "]" around the rest.
func (s *subject) cutForwarded() bool {
	const head = "[fwd:"
	if len(s.s) <= len(head) || !fold(s.s[:len(head)], head) || s.s[len(s.s)-1] != ']' {
		return false
	}
	s.s, s.reply = s.s[len(head):len(s.s)-1], true
	return true
}

// fold compares without regard to case; word is ASCII.
func fold(s, word string) bool { return len(s) == len(word) && strings.EqualFold(s, word) }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
