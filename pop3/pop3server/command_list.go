package pop3server

import (
	"strconv"

	"github.com/mailstead/mailstead/store/view"
)

// stat: STAT (RFC 1939 §5): what is not marked.
func (s *session) stat(arguments) error {
	b := append(s.conn.out.room(maxLine), "+OK "...)
	b = strconv.AppendInt(b, int64(s.drop.count), 10)
	b = strconv.AppendInt(append(b, ' '), s.drop.octets, 10)
	s.answerLine(b)
	return nil
}

// list: LIST [msg] (RFC 1939 §5).
func (s *session) list(args arguments) error {
	return s.listing(args[0], func(dst []byte, r *view.Row) []byte { return strconv.AppendInt(dst, r.Size, 10) })
}

// uidl: UIDL [msg] (RFC 1939 §7).
func (s *session) uidl(args arguments) error {
	return s.listing(args[0], func(dst []byte, r *view.Row) []byte { return s.drop.appendUniqueID(dst, r.UID) })
}

// answerLine ends a positive answer that was appended to the output as it is.
func (s *session) answerLine(b []byte) {
	c := s.conn
	s.last = true
	c.traceAnswer(b[len(c.out.buf):])
	c.out.set(append(b, "\r\n"...))
}

// listing writes "number value" for one message or for all that are not
// marked.
func (s *session) listing(number []byte, value func([]byte, *view.Row) []byte) error {
	c := s.conn
	if number != nil {
		n := s.drop.find(number)
		if n < 0 {
			return s.bad(textNoMessage)
		}
		b := strconv.AppendInt(append(c.out.room(maxLine), "+OK "...), int64(n+1), 10)
		s.answerLine(value(append(b, ' '), s.drop.table.At(n)))
		return nil
	}
	c.ok(textMessages, int64(s.drop.count))
	n := 0
	for r := range s.drop.table.Rows(1, s.drop.table.MaxUID()) {
		if !s.drop.marked.has(n) {
			b := append(strconv.AppendInt(c.out.room(maxLine), int64(n+1), 10), ' ')
			c.out.set(append(value(b, r), "\r\n"...))
			if c.out.err != nil {
				return c.out.err
			}
		}
		n++
	}
	c.line(".")
	return nil
}
