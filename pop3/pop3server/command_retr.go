package pop3server

import (
	"errors"
	"io"
	"log/slog"
	"strconv"
	"unicode/utf8"

	"github.com/mailstead/mailstead/pop3"
	"github.com/mailstead/mailstead/store"
)

// retr: RETR msg (RFC 1939 §5).
func (s *session) retr(args arguments) error {
	n := s.drop.find(args[0])
	if n < 0 {
		return s.bad(textNoMessage)
	}
	sent, err := s.send(n, -1)
	if sent && s.policy.DeleteRetrieved {
		s.drop.retrieved.add(n, s.drop.table.Len())
	}
	return err
}

// top: TOP msg n (RFC 1939 §7): the header, and n lines of the body.
func (s *session) top(args arguments) error {
	lines, err := strconv.ParseUint(string(args[1]), 10, 62)
	if err != nil {
		return s.bad(textNotANumber)
	}
	n := s.drop.find(args[0])
	if n < 0 {
		return s.bad(textNoMessage)
	}
	_, err = s.send(n, int64(lines))
	return err
}

// send answers with a message; lines is that of dotWriter. sent says that the
// whole answer is written. An error ends the connection: an end mark would
// make a whole message of half of one.
func (s *session) send(n int, lines int64) (sent bool, err error) {
	c := s.conn
	content, err := s.drop.content(c.ctx, n)
	if err != nil {
		c.failure("open message", err)
		return false, nil
	}
	defer content.Close()
	w := dotWriter{lines: lines}
	off, err := s.begin(content, &w)
	if err != nil || off < 0 {
		return false, err
	}
	for off < content.Size() && !w.full() {
		k, err := s.read(content, off)
		if err != nil {
			return false, err
		}
		c.out.set(w.add(c.out.buf, k))
		off += int64(k)
		s.keepLock()
	}
	c.out.set(append(c.out.room(maxLine), w.end()...))
	return true, c.out.err
}

// minRead is the least space for a read of a message.
const minRead = 12 << 10

// read reads the octets at off behind those that are held, and leaves the room
// that the dotWriter needs.
func (s *session) read(content store.Content, off int64) (int, error) {
	b := s.conn.out.room(minRead)
	if err := s.conn.out.err; err != nil {
		return 0, err
	}
	space := (bufferSize - len(b) - 2*maxLine) * 2 / 3
	n := int(min(int64(space), content.Size()-off))
	n, err := content.ReadAt(b[len(b):len(b)+n], off)
	if n > 0 {
		return n, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	s.conn.logs(slog.LevelError, "pop3: read message", "error", err)
	return 0, err
}

// begin answers +OK and the first octets, or what has to be said instead. The
// answer is decided when the first octets are read: those of the header, as a
// rule. off is how many were used; −1: the answer is complete.
func (s *session) begin(content store.Content, w *dotWriter) (off int64, err error) {
	c := s.conn
	c.out.room(bufferSize / 2) // the first octets lie behind the first line
	before := len(c.out.buf)
	c.ok(textOctets, content.Size())
	if content.Size() == 0 {
		return 0, nil
	}
	n, err := s.read(content, 0)
	if err != nil {
		c.out.set(c.out.buf[:before])
		c.failure("read message", err)
		return -1, nil
	}
	unicode, err := s.isUnicode(content, c.out.buf[len(c.out.buf):len(c.out.buf)+n])
	switch {
	case err != nil:
		c.out.set(c.out.buf[:before])
		c.failure("read message", err)
		return -1, nil
	case unicode && c.srv.cfg.Headers == RefuseHeaders:
		c.out.set(c.out.buf[:before])
		c.fail(pop3.CodeUTF8, textNeedsUTF8)
		return -1, nil
	}
	w.mask = unicode
	c.out.set(w.add(c.out.buf, n))
	return int64(n), nil
}

// maxHeader bounds how much of a header is looked into.
const maxHeader = 1 << 20

// isUnicode reports whether the header holds UTF-8 beyond ASCII that the
// client did not ask for. first are the first octets of the message.
func (s *session) isUnicode(content store.Content, first []byte) (bool, error) {
	if s.utf8 || s.conn.srv.cfg.Headers == RawHeaders {
		return false, nil
	}
	var h headerScanner
	first = first[:h.consume(first)]
	if h.done || int64(len(first)) == content.Size() {
		return !ascii(first) && utf8.Valid(first), nil
	}
	whole := make([]byte, min(maxHeader, content.Size()))
	n, err := content.ReadAt(whole, 0)
	if n < len(whole) && err != nil {
		return false, err
	}
	h = headerScanner{}
	whole = whole[:h.consume(whole)]
	return !ascii(whole) && utf8.Valid(whole), nil
}
