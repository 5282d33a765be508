package pop3server

import (
	"errors"
	"io"
	"math"
	"strconv"
)

// retr: RETR msg (RFC 1939 §5).
func (s *session) retr(args []string) error {
	return s.send(args[0], math.MaxInt64)
}

// top: TOP msg n (RFC 1939 §7): the header, and n lines of the body.
func (s *session) top(args []string) error {
	lines, err := strconv.ParseUint(args[1], 10, 62)
	if err != nil {
		return s.bad("The number of lines is not a number")
	}
	return s.send(args[0], int64(lines))
}

func (s *session) send(number string, lines int64) error {
	c := s.conn
	m := s.drop.find(number)
	if m == nil {
		return s.bad("No such message")
	}
	content, err := s.drop.content(c.ctx, m)
	if err != nil {
		c.failure("open message", err)
		return nil
	}
	defer content.Close()
	c.ok(strconv.FormatInt(m.size, 10) + " octets")
	buf := c.srv.buffers.Get().(*[]byte)
	defer c.srv.buffers.Put(buf)
	w := bodyWriter{w: c.bw, lines: lines}
	for off := int64(0); off < content.Size() && !w.full(); {
		n, err := content.ReadAt(*buf, off)
		if werr := w.write((*buf)[:n]); werr != nil {
			return werr
		}
		if off += int64(n); err != nil && !errors.Is(err, io.EOF) {
			// The octets cannot be read any more: an end mark would make a
			// whole message of half of one.
			c.srv.cfg.Logger.Error("pop3: read message", "error", err, "account", s.account)
			return err
		} else if n == 0 {
			return io.ErrUnexpectedEOF
		}
	}
	return w.end()
}
