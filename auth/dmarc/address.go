package dmarc

import "bytes"

// scanner reads an address-list of RFC 5322 §3.4, with the obsolete forms of
// §4.4 but for routes and white space inside addresses, and with UTF-8 (RFC
// 6532) but without control characters. It looks at each octet once.
// Encoded-words are not decoded: in a phrase they are text, and in an address
// they are what is written there (RFC 2047 §5).
type scanner struct {
	in    []byte
	i     int
	group bool
	bad   bool // something is not as it ought to be
}

// word is what stands between two specials.
type word struct {
	text   []byte // from the first atom to the end of the last
	quoted bool
	empty  bool
	gap    bool // there was white space or a comment inside it
}

// mailbox returns the domain of the next address as it is written; ok is
// false at the end. Where bad is set the text is not to be relied on.
func (s *scanner) mailbox() (domain string, ok bool) {
	for {
		w := s.words()
		switch s.next() {
		case 0:
			if !w.empty || s.group {
				s.bad = true
			}
			return "", false
		case ',':
			s.bad = s.bad || !w.empty
		case ':':
			s.bad = s.bad || s.group || w.empty
			s.group = true
		case ';':
			s.bad = s.bad || !s.group || !w.empty
			s.group = false
			s.end([]byte(","))
		case '<':
			return s.angle(), true
		case '@':
			s.local(w)
			return s.domain([]byte(",;")), true
		default:
			s.bad = true
		}
	}
}

// angle reads behind "<": an addr-spec and ">". A route (obs-route) is not
// taken: it puts a second domain in front of the author's.
func (s *scanner) angle() string {
	w := s.words()
	if s.next() != '@' {
		s.bad = true
		s.i = len(s.in)
		return ""
	}
	s.local(w)
	d := s.domain([]byte(">"))
	if s.next() != '>' {
		s.bad = true
	}
	s.end([]byte(",;"))
	return d
}

// local judges a local-part.
func (s *scanner) local(w word) { s.bad = s.bad || w.empty || w.gap }

// domain reads behind "@" up to one of the octets of stop or the end.
func (s *scanner) domain(stop []byte) string {
	w := s.words()
	if w.quoted || w.empty || w.gap {
		s.bad = true
	}
	s.end(stop)
	return string(w.text)
}

// end sees to it that one of the octets of stop comes next, or the end.
func (s *scanner) end(stop []byte) {
	if w := s.words(); !w.empty || s.i < len(s.in) && bytes.IndexByte(stop, s.in[s.i]) < 0 {
		s.bad = true
		for s.i < len(s.in) && bytes.IndexByte(stop, s.in[s.i]) < 0 {
			s.i++
		}
	}
}

// next consumes a special; 0 is the end.
func (s *scanner) next() byte {
	if s.i == len(s.in) {
		return 0
	}
	s.i++
	return s.in[s.i-1]
}

// words consumes atoms, dots, quoted-strings, comments and white space.
func (s *scanner) words() word {
	w := word{empty: true}
	start, space := 0, false
	for s.i < len(s.in) {
		switch c := s.in[s.i]; {
		case c == ' ' || c == '\t':
			s.i++
			space = true
			continue
		case c == '(':
			s.comment()
			space = true
			continue
		case c == '"':
			w.begin(space)
			s.quoted()
			w.quoted = true
		case special(c):
			return w
		case control(c):
			s.bad = true
			s.i++
			continue
		default:
			if w.empty {
				start = s.i
			}
			w.begin(space)
			s.i++
			w.text = s.in[start:s.i]
		}
		space = false
	}
	return w
}

// begin notes that something comes, behind white space or not.
func (w *word) begin(space bool) {
	w.gap = w.gap || space && !w.empty
	w.empty = false
}

// special reports whether c ends a word.
func special(c byte) bool {
	switch c {
	case '<', '>', '[', ']', ':', ';', '@', '\\', ',', ')':
		return true
	}
	return false
}

// comment consumes one with those in it.
func (s *scanner) comment() {
	depth := 0
	for ; s.i < len(s.in); s.i++ {
		switch c := s.in[s.i]; {
		case c == '\\':
			s.escaped()
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				s.i++
				return
			}
		case control(c):
			s.bad = true
		}
	}
	s.i, s.bad = len(s.in), true
}

// quoted consumes a quoted-string.
func (s *scanner) quoted() {
	for s.i++; s.i < len(s.in); s.i++ {
		switch c := s.in[s.i]; {
		case c == '\\':
			s.escaped()
		case c == '"':
			s.i++
			return
		case control(c):
			s.bad = true
		}
	}
	s.i, s.bad = len(s.in), true
}

// escaped steps on to the second octet of a quoted-pair.
func (s *scanner) escaped() {
	if s.i++; s.i < len(s.in) && control(s.in[s.i]) {
		s.bad = true
	}
}

func control(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }
