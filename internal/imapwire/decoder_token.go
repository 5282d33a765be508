package imapwire

import (
	"bytes"
	"errors"
	"io"
)

// Take takes one token of the loaded line with a ConsumeX function that needs
// no literal:
//
//	n, err := imapwire.Take(d, imapwire.ConsumeNumber)
//
// Results that are slices are parts of the line: they are valid until the next
// token that crosses a literal, and until End.
func Take[T any](d *Decoder, consume func([]byte) (T, int, error)) (T, error) {
	var none T
	if err := d.ready(); err != nil {
		return none, err
	}
	v, n, err := consume(d.rest())
	if err != nil {
		return none, d.located(err)
	}
	d.pos += n
	return v, nil
}

// located turns the error of a ConsumeX function into one of the command. A
// token that the line end cuts off is a syntax error: the line is all there.
func (d *Decoder) located(err error) error {
	if err == nil {
		return nil
	}
	at := d.used + d.pos - d.from
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return syntax(d.used+d.line-d.from, "unexpected end of line")
	}
	return shift(err, at)
}

// Peek returns the next octet of the command without taking it; at the end of
// the line CR (or LF), 0 where no line can be read.
func (d *Decoder) Peek() byte {
	if d.ready() != nil {
		return 0
	}
	return d.buf[d.pos]
}

// Follows reports whether the unread part of the line starts with s.
func (d *Decoder) Follows(s string) bool {
	return d.ready() == nil && bytes.HasPrefix(d.rest(), []byte(s))
}

// Accept takes the octet c if it is next.
func (d *Decoder) Accept(c byte) bool {
	if d.Peek() != c || c == '\r' || c == '\n' || d.line == 0 {
		return false
	}
	d.pos++
	return true
}

// Expect takes the octet c, or fails.
func (d *Decoder) Expect(c byte) error {
	if err := d.ready(); err != nil {
		return err
	}
	if !d.Accept(c) {
		if c == ' ' {
			return d.syntax("space expected")
		}
		return d.syntax("'" + string(rune(c)) + "' expected")
	}
	return nil
}

// SP takes one space.
func (d *Decoder) SP() error { return d.Expect(' ') }

// Open takes "(" and counts the depth; deeper than MaxNesting is refused.
func (d *Decoder) Open() error {
	if err := d.Expect('('); err != nil {
		return err
	}
	if d.depth == MaxNesting {
		d.pos--
		err := d.syntax("nested too deeply").(*SyntaxError)
		err.Err = ErrNesting
		return err
	}
	d.depth++
	return nil
}

// Close takes ")".
func (d *Decoder) Close() error {
	if d.depth == 0 {
		return d.syntax("unexpected )")
	}
	if err := d.Expect(')'); err != nil {
		return err
	}
	d.depth--
	return nil
}

// List takes "(" [item *(SP item)] ")" and calls item for each element.
func (d *Decoder) List(item func() error) error {
	if err := d.Open(); err != nil {
		return err
	}
	for first := true; d.Peek() != ')'; first = false {
		if !first {
			if err := d.SP(); err != nil {
				return err
			}
		}
		if err := item(); err != nil {
			return err
		}
	}
	return d.Close()
}

// Tag takes the tag of a command.
func (d *Decoder) Tag() (string, error) {
	b, err := Take(d, ConsumeTag)
	return string(b), err
}

// Atom takes an atom.
func (d *Decoder) Atom() (string, error) {
	b, err := Take(d, ConsumeAtom)
	return string(b), err
}

// Word takes an atom and returns it in upper case: a command or a keyword of
// the protocol, all of which are case-insensitive (RFC 9051 §9).
func (d *Decoder) Word() (string, error) {
	b, err := Take(d, ConsumeAtom)
	return string(bytes.ToUpper(b)), err
}

// AString takes an astring; a literal is collected into memory.
func (d *Decoder) AString() (string, error) { return d.stringOr(ConsumeAString) }

// ListMailbox takes a list-mailbox in the same way.
func (d *Decoder) ListMailbox() (string, error) { return d.stringOr(ConsumeListMailbox) }

// Text takes a string (quoted or literal, also literal8).
func (d *Decoder) Text() (string, error) { return d.stringOr(ConsumeQuoted) }

func (d *Decoder) stringOr(consume func([]byte) ([]byte, int, error)) (string, error) {
	if c := d.Peek(); c == '{' || c == '~' && d.isLiteral8() {
		b, err := d.collect()
		return string(b), err
	}
	b, err := Take(d, consume)
	return string(b), err
}

// isLiteral8 tells "~{" from an atom that starts with "~".
func (d *Decoder) isLiteral8() bool {
	rest := d.rest()
	return len(rest) > 1 && rest[0] == '~' && rest[1] == '{'
}

// NString takes an nstring: ok is false for NIL.
func (d *Decoder) NString() (s string, ok bool, err error) {
	if err := d.ready(); err != nil {
		return "", false, err
	}
	n, err := consumeNIL(d.rest())
	if err == nil && n > 0 {
		d.pos += n
		return "", false, nil
	}
	s, err = d.Text()
	return s, err == nil, err
}
