package crlf

import (
	"bytes"
	"io"
)

// Stream reads r as if each LF alone were CRLF. An error of r comes behind all
// octets before it.
func Stream(r io.Reader) io.Reader { return &stream{r: r} }

type stream struct {
	r    io.Reader
	cr   bool   // the octet before is CR
	more []byte // octets that had no room
	buf  []byte // keeps the room of more
	err  error  // behind more
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	if len(s.more) > 0 {
		n := copy(p, s.more)
		s.more = s.more[n:]
		return n, nil
	}
	if s.err != nil || len(p) == 0 {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	first := s.alone(p[:n])
	if first < 0 {
		return n, err
	}
	s.err = err
	s.buf = s.widen(s.buf[:0], p[first:n])
	took := copy(p[first:], s.buf)
	s.more = s.buf[took:]
	return first + took, nil
}

// alone is where the first LF alone is; -1 = there is none.
func (s *stream) alone(b []byte) int {
	for i := 0; ; i++ {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			if len(b) > 0 {
				s.cr = b[len(b)-1] == '\r'
			}
			return -1
		}
		i += n
		if i > 0 && b[i-1] != '\r' || i == 0 && !s.cr {
			return i
		}
	}
}

// widen appends b, which begins with an LF alone, with each such LF as CRLF.
func (s *stream) widen(dst, b []byte) []byte {
	cr := false
	for _, c := range b {
		if c == '\n' && !cr {
			dst = append(dst, '\r')
		}
		dst = append(dst, c)
		cr = c == '\r'
	}
	s.cr = cr
	return dst
}
