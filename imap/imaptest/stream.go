package imaptest

import (
	"bytes"
	"errors"
	"net"
	"time"
)

// Stream is what a Mangle writes to: the way to the client.
type Stream struct {
	conn   net.Conn
	mangle Mangle
	done   chan struct{}

	line []byte // not whole yet
	left int64  // octets of a literal still to come
}

// Piece is a part of what the server sends.
type Piece struct {
	// Data is a line with its end, or octets of a literal.
	Data []byte

	// Literal: octets of a literal; Left of it come behind Data.
	Literal bool
	Left    int64
}

// Mangle gets what a server sends piece by piece, and writes to s what the
// client gets in its place. It may wait (Stream.Hang). An error closes the
// connection: ErrClose.
type Mangle func(s *Stream, p Piece) error

// Write sends octets to the client.
func (s *Stream) Write(p []byte) (int, error) { return s.conn.Write(p) }

// Text sends a string to the client.
func (s *Stream) Text(text string) error {
	_, err := s.conn.Write([]byte(text))
	return err
}

// Hang sends nothing any more, until the client closes the connection.
func (s *Stream) Hang() error {
	<-s.done
	return ErrClose
}

// Wait lets time pass; false = the connection was closed meanwhile.
func (s *Stream) Wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.done:
		return false
	}
}

// Repeat sends text again and again, until the client closes the connection or
// limit octets were sent; limit 0 = none.
func (s *Stream) Repeat(text string, limit int64) error {
	block := bytes.Repeat([]byte(text), max(1, 32<<10/len(text)))
	for sent := int64(0); limit == 0 || sent < limit; sent += int64(len(block)) {
		if _, err := s.conn.Write(block); err != nil {
			return errors.Join(ErrClose, err)
		}
	}
	return nil
}

// feed takes what the server sends.
func (s *Stream) feed(p []byte) error {
	if s.mangle == nil {
		_, err := s.conn.Write(p)
		return err
	}
	for len(p) > 0 {
		var piece Piece
		if s.left > 0 {
			n := min(s.left, int64(len(p)))
			s.left -= n
			piece, p = Piece{p[:n], true, s.left}, p[n:]
		} else {
			i := bytes.IndexByte(p, '\n') + 1
			if i == 0 {
				s.line = append(s.line, p...)
				return nil
			}
			line := append(s.line, p[:i]...)
			s.line, p = nil, p[i:]
			if n, _, ok := literalAtEnd(string(bytes.TrimRight(line, "\r\n"))); ok {
				s.left = n
			}
			piece = Piece{Data: line}
		}
		if err := s.mangle(s, piece); err != nil {
			return err
		}
	}
	return nil
}
