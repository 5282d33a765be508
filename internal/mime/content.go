package mime

import "bytes"

// scanner reads the structured value of a MIME field (RFC 2045 §5.1). Quoted
// strings are unescaped in place: the value belongs to the part.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) done() bool { return s.i >= len(s.b) }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// skipCFWS moves over white space and comments.
func (s *scanner) skipCFWS() {
	for !s.done() {
		switch {
		case isSpace(s.b[s.i]):
			s.i++
		case s.b[s.i] == '(':
			_, n := comment(s.b[s.i:])
			s.i += n
		default:
			return
		}
	}
}

// comment returns the text of a comment and its length with parentheses. One
// that is not closed ends with the value. The text keeps nested parentheses
// and escapes.
func comment(b []byte) (text []byte, n int) {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return b[1:i], i + 1
			}
		}
	}
	return b[1:], len(b)
}

// token takes the longest run of octets that are not tspecials, space or CTLs;
// 8-bit octets are taken.
func (s *scanner) token() []byte {
	s.skipCFWS()
	start := s.i
	for !s.done() && isToken(s.b[s.i]) {
		s.i++
	}
	if s.i == start {
		return nil
	}
	return s.b[start:s.i:s.i]
}

func isToken(c byte) bool {
	if c <= ' ' || c == 0x7f {
		return false
	}
	switch c {
	case '(', ')', '<', '>', '@', ',', ';', ':', '\\', '"', '/', '[', ']', '?', '=':
		return false
	}
	return true
}

// accept takes c if it is next, behind white space and comments.
func (s *scanner) accept(c byte) bool {
	s.skipCFWS()
	if s.done() || s.b[s.i] != c {
		return false
	}
	s.i++
	return true
}

// quoted takes a quoted string; one that is not closed ends with the value.
func (s *scanner) quoted() []byte {
	s.i++
	start, out := s.i, s.i
	for !s.done() && s.b[s.i] != '"' {
		if s.b[s.i] == '\\' && s.i+1 < len(s.b) {
			s.i++
		}
		s.b[out] = s.b[s.i]
		out++
		s.i++
	}
	s.i++
	return s.b[start:out:out]
}

// value takes the value of a parameter. One without quotes reaches to the next
// semicolon: mail in the wild has spaces and tspecials in it.
func (s *scanner) value() []byte {
	s.skipCFWS()
	if s.done() {
		return nil
	}
	if s.b[s.i] == '"' {
		return s.quoted()
	}
	rest := s.b[s.i:]
	if n := bytes.IndexByte(rest, ';'); n >= 0 {
		rest = rest[:n]
	}
	s.i += len(rest)
	for _, tail := range []string{" (", "\t("} {
		if n := bytes.Index(rest, []byte(tail)); n >= 0 {
			rest = rest[:n]
		}
	}
	rest = bytes.TrimRight(rest, " \t\r\n")
	return rest[:len(rest):len(rest)]
}

// params adds *(";" attribute "=" value). What is no parameter is skipped up to
// the next semicolon. It stops behind MaxParams.
func (s *scanner) params(dst []Param) []Param {
	for len(dst) < MaxParams {
		for s.accept(';') {
		}
		if s.done() {
			break
		}
		name := s.token()
		if name == nil || !s.accept('=') {
			n := bytes.IndexByte(s.b[min(s.i, len(s.b)):], ';')
			if n < 0 {
				break
			}
			s.i += n
			continue
		}
		dst = append(dst, Param{Name: name, Value: s.value()})
	}
	return dst
}

// mediaType reads type "/" subtype. A value without both is no media type and
// gives nil: the default holds (RFC 2045 §5.2).
func (s *scanner) mediaType() (typ, subtype []byte) {
	if typ = s.token(); typ == nil || !s.accept('/') {
		return nil, nil
	}
	if subtype = s.token(); subtype == nil {
		return nil, nil
	}
	return typ, subtype
}

// disposition reads a disposition-type (RFC 2183 §2). One that is missing or
// cannot be read is empty, so that the file name behind it is not lost.
func (s *scanner) disposition() []byte {
	if typ := s.token(); typ != nil {
		return typ
	}
	return []byte{}
}

// parseToken reads one token, as of Content-Transfer-Encoding.
func parseToken(v []byte) []byte {
	s := scanner{b: v}
	return s.token()
}

// appendLanguages adds the tags of a list (RFC 3282 §2). It stops behind
// MaxLanguages.
func appendLanguages(tags [][]byte, v []byte) [][]byte {
	s := scanner{b: v}
	for len(tags) < MaxLanguages && s.i < len(v) {
		if t := s.token(); t != nil {
			tags = append(tags, t)
		} else {
			s.i++
		}
	}
	return tags
}
