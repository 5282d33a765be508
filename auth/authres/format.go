package authres

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// lineLength is how long a line becomes where it can be folded (RFC 5322
// §2.1.1), without its CRLF.
const lineLength = 78

// maxValue bounds a value, so that no line reaches 998 octets even if each
// octet is escaped.
const maxValue = 400

// Append writes the whole field to b, folded, with CRLF at its end. An octet
// that cannot stand in a field becomes '?': controls, what is not UTF-8, and
// without UTF8 all that is not ASCII. In method, result and the names of
// properties, what cannot stand there becomes '-'. A value ends after 400
// octets.
func (f *Field) Append(b []byte) []byte {
	w := writer{b: append(b, Name...), utf8: f.UTF8}
	w.b = append(w.b, ':')
	w.col = len(Name) + 1
	id := f.ID
	if id == "" {
		id = "unknown"
	}
	w.word("", id)
	if f.Version > 0 {
		w.word("", strconv.Itoa(f.Version))
	}
	for i := range f.Statements {
		w.statement(&f.Statements[i])
	}
	if len(f.Statements) == 0 {
		w.put(";")
		w.word("", "none")
	}
	return append(w.b, "\r\n"...)
}

// String is the field as Append writes it.
func (f *Field) String() string { return string(f.Append(nil)) }

// writer folds.
type writer struct {
	b    []byte
	col  int // octets in the line
	utf8 bool
}

func (w *writer) put(s string) {
	w.b = append(w.b, s...)
	w.col += len(s)
}

// fold begins a new line.
func (w *writer) fold() {
	w.b = append(w.b, "\r\n\t"...)
	w.col = 1
}

func (w *writer) statement(s *Statement) {
	w.put(";")
	w.fold()
	w.put(versioned(keyword(string(s.Method)), s.Version) + "=" + keyword(string(s.Result)))
	if s.Reason != "" {
		w.word("reason=", s.Reason)
	}
	for _, p := range s.Properties {
		w.word(keyword(p.Type)+"."+keyword(p.Name)+"=", p.Value)
	}
}

func versioned(method string, version int) string {
	if version <= 0 {
		return method
	}
	return method + "/" + strconv.Itoa(version)
}

// word writes white space, what stands in front of a value, and the value. A
// quoted-string that is too long for a line is folded at its spaces, which is
// no part of it (RFC 5322 §3.2.4).
func (w *writer) word(front, value string) {
	text := encode(value, w.utf8)
	if w.col+1+len(front)+len(text) <= lineLength-1 || w.col <= 1 { // leave room for ";"
		w.put(" ")
	} else {
		w.fold()
	}
	w.put(front)
	if w.col+len(text) <= lineLength-1 || text[0] != '"' {
		w.put(text)
		return
	}
	for rest := text; rest != ""; {
		n := 1 + strings.IndexByte(rest[1:], ' ')
		if n == 0 {
			n = len(rest)
		}
		if rest[0] == ' ' && w.col+n > lineLength-1 && mayFold(w.b, rest) {
			w.b = append(w.b, "\r\n"...)
			w.col = 0
		}
		w.put(rest[:n])
		rest = rest[n:]
	}
}

// mayFold reports whether a line may end in front of rest: not where a line
// would be white space only, and not behind a backslash.
func mayFold(b []byte, rest string) bool {
	last := b[len(b)-1]
	return last != ' ' && last != '\\' && last != '"' && len(rest) > 1 && rest[1] != ' ' && rest[1] != '"'
}

// keyword is a Keyword of RFC 5321 §4.1.2: letters, digits and hyphens, at most
// 64 here. Beyond it, '_' is kept, as extensions have it.
func keyword(s string) string {
	ok := s != "" && len(s) <= 64
	for i := 0; ok && i < len(s); i++ {
		ok = isKeyword(s[i])
	}
	if ok {
		return s
	}
	b := []byte(s[:min(len(s), 64)])
	for i, c := range b {
		if !isKeyword(c) {
			b[i] = '-'
		}
	}
	return "x" + string(b)
}

func isKeyword(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// isToken reports whether c may stand in a token (RFC 2045 §5.1).
func isToken(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=`, c) < 0
}

// encode returns a token, an address of two tokens, or a quoted-string. UTF-8
// is quoted.
func encode(s string, keepUTF8 bool) string {
	s = clean(s, keepUTF8)
	local, domain, at := strings.Cut(s, "@")
	if s != "" && tokens(local) && (!at || local != "" && domain != "" && tokens(domain)) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}

func tokens(s string) bool {
	for i := range len(s) {
		if !isToken(s[i]) {
			return false
		}
	}
	return true
}

// clean is what Append can write of a value.
func clean(s string, keepUTF8 bool) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= ' ' && r < 0x7f, r >= 0xa0 && r != utf8.RuneError && keepUTF8 && r != 0x2028 && r != 0x2029:
		default:
			r = '?'
		}
		if b.Len()+utf8.RuneLen(r) > maxValue {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
