package recipient

import (
	"bytes"
	"strings"
)

// A Received field is read word by word, comments and what follows the last
// semicolon left out, so that neither what a client called itself nor what others
// wrote into comments is taken for a clause. The word behind "from" is the
// client's own; it is passed over whatever it is.

// byHost returns the host behind "by" (RFC 5321 §4.4); "" = none.
func byHost(value []byte) string {
	words := tokens{b: value}
	for words.next() {
		if strings.EqualFold(words.word, "from") {
			words.next()
			continue
		}
		if strings.EqualFold(words.word, "by") && words.next() {
			return strings.Trim(words.word, ";,")
		}
	}
	return ""
}

// forAddresses returns what stands behind the last "for": one address, with or
// without angle brackets, or a list of them. The last, since the host that writes
// the field does so behind all that it says of its client.
func forAddresses(value []byte) (list []byte) {
	words := tokens{b: value}
	seen := false // "by", which stands in front of it
	for words.next() {
		switch {
		case strings.EqualFold(words.word, "from"):
			words.next()
		case strings.EqualFold(words.word, "by"):
			seen = words.next()
		case seen && strings.EqualFold(words.word, "for"):
			list = words.list()
		}
	}
	return list
}

// tokens reads the words of a Received field, as far as its date.
type tokens struct {
	b    []byte
	word string
}

// next reads a word; false at the end of the clauses.
func (t *tokens) next() bool {
	t.skip()
	n := 0
	for n < len(t.b) && !isSpace(t.b[n]) && t.b[n] != '(' && t.b[n] != ';' {
		if t.b[n] == '"' {
			n += quoted(t.b[n:])
			continue
		}
		n++
	}
	t.word, t.b = string(t.b[:n]), t.b[n:]
	return n > 0
}

// skip passes white space and comments.
func (t *tokens) skip() {
	for len(t.b) > 0 {
		switch {
		case isSpace(t.b[0]):
			t.b = t.b[1:]
		case t.b[0] == '(':
			t.b = t.b[comment(t.b):]
		default:
			return
		}
	}
}

// list returns the text of words up to one that has no "@" and no comma.
func (t *tokens) list() []byte {
	var list []byte
	for rest := t.b; t.next(); rest = t.b {
		if !strings.ContainsAny(t.word, "@,<") {
			t.b = rest
			break
		}
		list = append(append(list, ' '), t.word...)
	}
	return bytes.TrimSpace(list)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// quoted is the length of the quoted string that b begins with.
func quoted(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// comment is the length of the comment that b begins with, with those in it.
func comment(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}
