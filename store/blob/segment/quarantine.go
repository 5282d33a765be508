package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mailstead/mailstead/internal/vfs"
)

// setAside copies octets that make no sense into a file of their own, durably,
// before anything overwrites them (I7).
func (s *Store) setAside(f io.ReaderAt, name string, off, size int64) error {
	dir := s.path(quarantineDir)
	if err := s.fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	target, out, err := s.newBad(filepath.Join(dir, fmt.Sprintf("%s@%d", name, off)))
	if err != nil {
		return err
	}
	err = copyRange(out, f, off, size)
	if err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = s.fs.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("set aside %s: %w", target, err)
	}
	s.mu.Lock()
	s.report.SetAside = append(s.report.SetAside, target)
	s.mu.Unlock()
	s.log.Warn("segment store: set octets aside", "file", target, "octets", size)
	return nil
}

// newBad makes a file that does not exist yet.
func (s *Store) newBad(base string) (string, vfs.File, error) {
	for i := 0; ; i++ {
		name := base + ".bad"
		if i > 0 {
			name = fmt.Sprintf("%s.%d.bad", base, i)
		}
		f, err := s.fs.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return name, f, err
		}
	}
}

// isAside reports whether a damaged range of g was set aside as it is. Only a
// segment of generation 0 can have one, so its offset is its origin. The caller
// has mu, or nobody else writes.
func (g *segment) isAside(st step) bool {
	t := g.tombLocked(st.off)
	return st.damaged && g.generation == 0 && t != nil && t.setAside && t.size == st.len
}

// isZero reports whether a range of f holds nothing but zeros.
func isZero(f io.ReaderAt, off, size int64) (bool, error) {
	var zeros [4096]byte
	buf := make([]byte, len(zeros))
	for r := io.NewSectionReader(f, off, size); ; {
		n, err := io.ReadFull(r, buf)
		switch {
		case !bytes.Equal(buf[:n], zeros[:n]):
			return false, nil
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return true, nil
		case err != nil:
			return false, err
		}
	}
}

func copyRange(out vfs.File, in io.ReaderAt, off, size int64) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{io.NewSectionReader(in, off, size)}, make([]byte, chunkSize))
	return err
}
