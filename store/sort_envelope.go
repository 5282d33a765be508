package store

import (
	"bytes"
	"strconv"

	"github.com/mailstead/mailstead/internal/mimetext"
)

// Places in an ENVELOPE (RFC 9051 §7.5.2), counted from 0.
const (
	envelopeFrom = 2
	envelopeTo   = 5
	envelopeCc   = 6
)

// sortAddress is an address of an ENVELOPE; nil = NIL.
type sortAddress struct{ name, mailbox, host []byte }

// firstAddress returns the first address that has a mailbox in a field of an
// ENVELOPE as Describe writes it: "(date subject (address ...) ...)", address =
// "(name route mailbox host)". Of a group that is its name. Zero: there is none.
func firstAddress(envelope []byte, field int) (a sortAddress) {
	e := envelopeReader{b: envelope}
	e.take('(')
	for range field {
		e.skip()
	}
	if !e.take('(') {
		return a
	}
	for e.take('(') {
		a.name = e.string()
		e.skip()
		a.mailbox, a.host = e.string(), e.string()
		if a.mailbox != nil {
			return a
		}
		e.take(')')
	}
	return sortAddress{}
}

// appendDisplay adds the name, decoded, or the address where there is none
// (RFC 5957 §3).
func (a sortAddress) appendDisplay(dst []byte) []byte {
	n := len(dst)
	if dst = append(dst, mimetext.DecodeWords(a.name)...); len(dst) > n {
		return dst
	}
	dst = append(dst, a.mailbox...)
	if a.mailbox != nil && a.host != nil {
		dst = append(append(dst, '@'), a.host...)
	}
	return dst
}

// envelopeReader takes values off b; at the end of b, or at what it does not
// understand, it stops moving.
type envelopeReader struct{ b []byte }

// take takes c, with the space before it.
func (e *envelopeReader) take(c byte) bool {
	e.b = bytes.TrimLeft(e.b, " ")
	if len(e.b) == 0 || e.b[0] != c {
		return false
	}
	e.b = e.b[1:]
	return true
}

// skip takes one value: a string, NIL or a list.
func (e *envelopeReader) skip() {
	if !e.take('(') {
		e.string()
		return
	}
	for depth := 1; depth > 0 && len(e.b) > 0; {
		switch {
		case e.take('('):
			depth++
		case e.take(')'):
			depth--
		default:
			n := len(e.b)
			if e.string(); len(e.b) == n {
				return
			}
		}
	}
}

// string takes a quoted string, a literal or NIL, which is nil.
func (e *envelopeReader) string() []byte {
	e.b = bytes.TrimLeft(e.b, " ")
	switch {
	case bytes.HasPrefix(e.b, []byte("NIL")):
		e.b = e.b[3:]
	case bytes.HasPrefix(e.b, []byte(`"`)):
		return e.quoted()
	case bytes.HasPrefix(e.b, []byte("{")):
		return e.literal()
	}
	return nil
}

func (e *envelopeReader) quoted() []byte {
	out := []byte{}
	for i := 1; i < len(e.b); i++ {
		switch e.b[i] {
		case '"':
			e.b = e.b[i+1:]
			return out
		case '\\':
			i++
		}
		if i < len(e.b) {
			out = append(out, e.b[i])
		}
	}
	e.b = nil
	return out
}

// literal takes "{n}" CRLF and n octets (RFC 9051 §4.3).
func (e *envelopeReader) literal() []byte {
	size, rest, ok := bytes.Cut(e.b[1:], []byte("}\r\n"))
	n, err := strconv.Atoi(string(bytes.TrimRight(size, "+")))
	if !ok || err != nil || n < 0 || n > len(rest) {
		e.b = nil
		return nil
	}
	e.b = rest[n:]
	return rest[:n:n]
}
