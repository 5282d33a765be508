package downgrade

import (
	"bytes"
	"encoding/base64"
	"io"
)

// encodedLine is the longest line of both encodings, in octets (RFC 2045 §6.7,
// §6.8).
const encodedLine = 76

// quoted writes quoted-printable (RFC 2045 §6.7). CRLF and LF are line ends.
type quoted struct {
	w     io.Writer
	line  []byte // the line so far
	space byte   // a blank that is yet to be written; 0 = none
	cr    bool   // the last octet was a CR
	err   error
}

func (q *quoted) write(p []byte) error {
	for _, c := range p {
		if q.cr && c != '\n' {
			q.bareCR()
		}
		switch c {
		case '\r':
			q.cr = true
		case '\n':
			q.cr = false
			q.endLine()
		case ' ', '\t':
			q.blank(false)
			q.space = c
		default:
			q.blank(false)
			q.octet(c)
		}
	}
	return q.err
}

// bareCR writes a CR that ended no line: as a line end it could make a boundary
// of what follows.
func (q *quoted) bareCR() {
	q.cr = false
	q.blank(false)
	q.escape('\r')
}

// blank writes the blank that is held, encoded at the end of a line.
func (q *quoted) blank(last bool) {
	switch {
	case q.space == 0:
	case last:
		q.escape(q.space)
	default:
		q.literal(q.space)
	}
	q.space = 0
}

func (q *quoted) octet(c byte) {
	if c > ' ' && c < 0x7f && c != '=' {
		q.literal(c)
	} else {
		q.escape(c)
	}
}

func (q *quoted) literal(c byte) {
	q.room(1)
	q.line = append(q.line, c)
}

func (q *quoted) escape(c byte) {
	const hex = "0123456789ABCDEF"
	q.room(3)
	q.line = append(q.line, '=', hex[c>>4], hex[c&15])
}

// room ends the line softly where n octets and a "=" do not fit.
func (q *quoted) room(n int) {
	if len(q.line)+n+1 > encodedLine {
		q.emit("=\r\n")
	}
}

func (q *quoted) endLine() {
	q.blank(true)
	q.emit("\r\n")
}

func (q *quoted) emit(end string) {
	if q.err == nil {
		_, q.err = q.w.Write(append(q.line, end...))
	}
	q.line = q.line[:0]
}

// close ends the text, whose last line may have no end.
func (q *quoted) close() error {
	if q.cr {
		q.bareCR()
	}
	q.blank(true)
	if len(q.line) > 0 {
		q.emit("")
	}
	return q.err
}

// coded writes base64 in lines (RFC 2045 §6.8). The last line end is held
// back: in front of a boundary it is no part of the content.
type coded struct {
	w    io.Writer
	rest []byte // less than one line of octets
	eol  []byte // held back
	in   []byte // reused
	out  []byte // reused
}

const codedOctets = encodedLine / 4 * 3

func (c *coded) write(p []byte) error {
	c.in = append(append(c.in[:0], c.eol...), p...)
	n := len(c.in) - eolLen(c.in)
	c.eol = append(c.eol[:0], c.in[n:]...)
	return c.put(c.in[:n])
}

// eolLen is the length of the line end that p ends in. A CR may be half of one.
func eolLen(p []byte) int {
	switch {
	case bytes.HasSuffix(p, []byte("\r\n")):
		return 2
	case len(p) > 0 && (p[len(p)-1] == '\n' || p[len(p)-1] == '\r'):
		return 1
	}
	return 0
}

func (c *coded) put(p []byte) error {
	c.rest = append(c.rest, p...)
	c.out = c.out[:0]
	for len(c.rest) >= codedOctets {
		c.out = base64.StdEncoding.AppendEncode(c.out, c.rest[:codedOctets])
		c.out = append(c.out, '\r', '\n')
		c.rest = c.rest[:copy(c.rest, c.rest[codedOctets:])]
	}
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.w.Write(c.out)
	return err
}

// close ends the content. boundary: one follows, and the line end in front of
// it is its own.
func (c *coded) close(boundary bool) error {
	if !boundary {
		if err := c.put(c.eol); err != nil {
			return err
		}
	}
	end := ""
	if len(c.rest) > 0 || boundary {
		end = "\r\n"
	}
	_, err := c.w.Write(append(base64.StdEncoding.AppendEncode(c.out[:0], c.rest), end...))
	return err
}
