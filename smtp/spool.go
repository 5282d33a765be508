package smtp

import (
	"bytes"
	"io"
	"os"
)

// DefaultSpoolMemory is how many octets a spooled body keeps in memory before
// it moves to a temporary file.
const DefaultSpoolMemory = 256 << 10

// SpoolOptions are the choices of Spool; the zero value is useful.
type SpoolOptions struct {
	// Dir is the directory of the temporary file; "" = os.TempDir().
	Dir string

	// Memory is how many octets stay in memory; zero = DefaultSpoolMemory,
	// negative = none.
	Memory int
}

// Spooled is a body that was read to its clean end and can be read again. It
// is not on stable storage: who accepts mail still has to store it. Any number
// of goroutines may call its methods; Close comes last.
type Spooled struct {
	mem    []byte
	file   *os.File
	size   int64
	trace  []byte
	stored any
}

// Spool reads b to its clean end. It serves those who have to know the trace
// fields before the first octet leaves, and those who read a body more than
// once. The caller closes the result. An error is that of the body, or of the
// temporary file; then nobody has the message.
func Spool(b *Body, opts SpoolOptions) (*Spooled, error) {
	s := &Spooled{stored: b.Stored()}
	limit := opts.Memory
	if limit == 0 {
		limit = DefaultSpoolMemory
	}
	w := &spoolWriter{s: s, limit: max(limit, 0), dir: opts.Dir}
	if _, err := b.WriteTo(w); err != nil {
		s.Close()
		return nil, err
	}
	s.trace = b.Trace()
	return s, nil
}

// Body returns a new Body over the spooled octets, with the trace fields
// known from the start.
func (s *Spooled) Body() *Body {
	return NewStoredBody(s.reader(), s.size, s.stored, s.trace)
}

func (s *Spooled) reader() io.Reader {
	if s.file == nil {
		return bytes.NewReader(s.mem)
	}
	return io.NewSectionReader(s.file, 0, s.size)
}

// Trace is the header fields in front of the body, newest first.
func (s *Spooled) Trace() []byte { return s.trace }

// Size is the number of octets of the body, without the trace fields.
func (s *Spooled) Size() int64 { return s.size }

// Close frees the memory and removes the temporary file. Idempotent.
func (s *Spooled) Close() error {
	s.mem = nil
	if s.file == nil {
		return nil
	}
	name := s.file.Name()
	err := s.file.Close()
	s.file = nil
	if rmErr := os.Remove(name); err == nil {
		err = rmErr
	}
	return err
}

// spoolWriter keeps the octets in memory up to limit, then in a file.
type spoolWriter struct {
	s     *Spooled
	limit int
	dir   string
}

func (w *spoolWriter) Write(p []byte) (int, error) {
	s := w.s
	if s.file == nil && len(s.mem)+len(p) > w.limit {
		f, err := os.CreateTemp(w.dir, "smtp-spool-")
		if err != nil {
			return 0, err
		}
		s.file = f
		if _, err := f.Write(s.mem); err != nil {
			return 0, err
		}
		s.mem = nil
	}
	var n int
	var err error
	if s.file != nil {
		n, err = s.file.Write(p)
	} else {
		s.mem = append(s.mem, p...)
		n = len(p)
	}
	s.size += int64(n)
	return n, err
}
