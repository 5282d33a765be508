package smtppolicy

import (
	"bytes"
	"errors"

	"github.com/mailstead/mailstead/smtp"
)

var errHeaderTooLarge = errors.New("smtppolicy: header beyond the limit")

// blockScanner finds the end of a header block in a growing buffer, in linear
// time over all calls.
type blockScanner struct {
	starts    []int // of the fields, and of lines that are none
	malformed int   // 1 + the index of the first that is none; 0 = no such line
	next      int   // start of the line not judged yet
	seen      int   // octets searched for its end
}

// scan judges the whole lines in buf. end is where the header ends: at the
// empty line, with the text, or at the limit where it may be none.
func (s *blockScanner) scan(buf []byte, eof bool, l Limits) (end int, done bool, err error) {
	for {
		i := bytes.IndexByte(buf[max(s.next, s.seen):], '\n')
		if i < 0 {
			s.seen = len(buf)
			tail := buf[s.next:]
			if eof && len(tail) > 0 {
				s.line(tail)
				s.next = len(buf)
			}
			done, err = eof, nil
			if !eof && l.Bytes > 0 && len(buf) > l.Bytes {
				done, err = s.beyond(tail)
			}
			return s.next, done, err
		}
		line := buf[s.next : max(s.next, s.seen)+i+1]
		if line[0] == '\n' || len(line) == 2 && line[0] == '\r' {
			return s.next, true, nil
		}
		s.line(line)
		s.next += len(line)
		if l.Fields > 0 && len(s.starts) > l.Fields || l.Bytes > 0 && s.next > l.Bytes {
			done, err = s.beyond(nil)
			return s.next, done, err
		}
	}
}

// beyond judges a block that is larger than the limits: a header is refused,
// what may be none is passed on. tail is a line without its end.
func (s *blockScanner) beyond(tail []byte) (done bool, err error) {
	if s.malformed > 0 || len(tail) > 0 && !s.mayBeField(tail) {
		return true, nil
	}
	return false, &smtp.Error{Reply: smtp.NewReply(552, smtp.EnhancedCode{Class: 5, Subject: 3, Detail: 4}, "Message header too large"), Err: errHeaderTooLarge}
}

// line notes the start of a field, or of a line that is none.
func (s *blockScanner) line(line []byte) {
	if folded(line) && len(s.starts) > 0 {
		return
	}
	s.starts = append(s.starts, s.next)
	if s.malformed == 0 && (!s.mayBeField(line) || bytes.IndexByte(line, ':') < 0) {
		s.malformed = len(s.starts)
	}
}

func folded(line []byte) bool { return line[0] == ' ' || line[0] == '\t' }

// mayBeField reports whether a line, perhaps not whole, can be a field or a
// continuation: ftext up to a colon (RFC 5322 §3.6.8), white space before the
// colon tolerated (§4.5).
func (s *blockScanner) mayBeField(line []byte) bool {
	if folded(line) {
		return len(s.starts) > 0
	}
	space := false
	for i, c := range line[:min(len(line), maxFieldName)] {
		switch {
		case c == ':':
			return i > 0
		case c == ' ', c == '\t', c == '\r', c == '\n':
			space = true
		case space, c < ' ', c >= 0x7f:
			return false
		}
	}
	return len(line) < maxFieldName
}

// maxFieldName is where a line without a colon is taken for no field: no line
// may be longer (RFC 5322 §2.1.1).
const maxFieldName = 998

// wellFormed is how many fields stand in front of the first line that is none.
func (s *blockScanner) wellFormed() int {
	if s.malformed > 0 {
		return s.malformed - 1
	}
	return len(s.starts)
}

// fields cuts buf at the starts, up to end.
func (s *blockScanner) fields(buf []byte, end int) [][]byte {
	out := make([][]byte, 0, len(s.starts)+3)
	for i, start := range s.starts {
		stop := end
		if i+1 < len(s.starts) {
			stop = s.starts[i+1]
		}
		out = append(out, buf[start:stop:stop])
	}
	return out
}
