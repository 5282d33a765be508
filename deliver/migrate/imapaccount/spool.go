package imapaccount

import (
	"errors"
	"io"
	"os"

	"github.com/mailstead/mailstead/internal/crlf"
)

// spool holds a message until it is sent: APPEND tells its size first.
type spool struct {
	crlf.Content
	size int64
	file *os.File // nil = it is in memory
}

// newSpool reads a message to its end; up to memory octets stay there. Lines that end
// in LF become CRLF.
func newSpool(body io.Reader, memory int, dir string) (*spool, error) {
	buf, err := io.ReadAll(io.LimitReader(body, int64(memory)+1))
	if err != nil {
		return nil, err
	}
	s := &spool{}
	var raw io.ReaderAt = octets(buf)
	size := int64(len(buf))
	if len(buf) > memory {
		if size, err = s.spill(buf, body, dir); err != nil {
			s.close()
			return nil, err
		}
		raw = s.file
	}
	if s.Content, _, err = crlf.Wire(raw, size); err != nil {
		s.close()
		return nil, err
	}
	s.size = s.Size()
	return s, nil
}

// spill writes a message into a file that has no name any more.
func (s *spool) spill(head []byte, rest io.Reader, dir string) (int64, error) {
	f, err := os.CreateTemp(dir, "mailstead-migrate-")
	if err != nil {
		return 0, err
	}
	s.file = f
	if err := os.Remove(f.Name()); err != nil {
		return 0, err
	}
	if _, err := f.Write(head); err != nil {
		return 0, err
	}
	n, err := io.Copy(f, rest)
	return int64(len(head)) + n, err
}

func (s *spool) reader() io.Reader { return io.NewSectionReader(s, 0, s.size) }

func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close() // it is gone with it
		s.file = nil
	}
}

// octets are an io.ReaderAt.
type octets []byte

// ReadAt implements io.ReaderAt.
func (b octets) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("imapaccount: negative offset")
	}
	if off >= int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
