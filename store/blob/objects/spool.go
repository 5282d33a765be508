package objects

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/mailstead/mailstead/internal/vfs"
)

// Options of what is kept of bodies on their way to the object store. The zero
// value is the recommended one.
type Options struct {
	// Memory is how much of one body is kept in memory. Zero = 256 KiB.
	Memory int

	// Budget is how much all writers together keep in memory; beyond that
	// they write to files at once. Zero = 64 MiB.
	Budget int64

	// TempDir is where larger bodies wait for their end; "" = os.TempDir().
	// The files have no name and are gone with the process.
	TempDir string
}

// Spools hands out what writers keep their octets in. All writers of a process
// should share one; it may be used from any number of goroutines.
type Spools struct {
	o    Options
	fs   vfs.FS
	free atomic.Int64
}

// NewSpools returns Spools with these options.
func NewSpools(o Options) *Spools { return newSpools(o, vfs.OS{}) }

func newSpools(o Options, fs vfs.FS) *Spools {
	if o.Memory <= 0 {
		o.Memory = 256 << 10
	}
	if o.Budget <= 0 {
		o.Budget = 64 << 20
	}
	if o.TempDir == "" {
		o.TempDir = os.TempDir()
	}
	s := &Spools{o: o, fs: fs}
	s.free.Store(o.Budget)
	return s
}

// take takes n octets from the budget, if they are there.
func (s *Spools) take(n int) bool {
	if s.free.Add(int64(-n)) >= 0 {
		return true
	}
	s.free.Add(int64(n))
	return false
}

// file makes a file without a name.
func (s *Spools) file() (vfs.File, error) {
	var name [16]byte
	rand.Read(name[:])
	path := filepath.Join(s.o.TempDir, "mailstead-spool-"+hex.EncodeToString(name[:]))
	f, err := s.fs.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := s.fs.Remove(path); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Spool is a body whose octets wait in memory, or in a file when they are
// many. It is used by one goroutine; when all was written, ReadAt by several.
type Spool struct {
	from *Spools
	mem  []byte   // while file is nil
	file vfs.File // nil = mem
	size int64
	sum  summer
}

// Size is how many octets were written.
func (s *Spool) Size() int64 { return s.size }

// Sums are the checksums of what was written.
func (s *Spool) Sums() Sums { return s.sum.sums() }

// Bytes is the body where it lies in memory; valid until close.
func (s *Spool) Bytes() (b []byte, ok bool) { return s.mem, s.file == nil }

func (s *Spool) write(p []byte) error {
	s.sum.write(p)
	if s.file == nil && s.grow(len(s.mem)+len(p)) {
		s.mem = append(s.mem, p...)
		s.size += int64(len(p))
		return nil
	}
	if s.file == nil {
		f, err := s.from.file()
		if err != nil {
			return err
		}
		s.file = f
		if _, err := f.WriteAt(s.mem, 0); err != nil {
			return err
		}
		s.drop()
	}
	n, err := s.file.WriteAt(p, s.size)
	s.size += int64(n)
	return err
}

// grow makes room for n octets in memory, where that is allowed.
func (s *Spool) grow(n int) bool {
	if n <= cap(s.mem) {
		return true
	}
	if n > s.from.o.Memory {
		return false
	}
	size := min(max(4096, n, 2*cap(s.mem)), s.from.o.Memory)
	if !s.from.take(size - cap(s.mem)) {
		return false
	}
	mem := make([]byte, len(s.mem), size)
	copy(mem, s.mem)
	s.mem = mem
	return true
}

func (s *Spool) drop() {
	s.from.free.Add(int64(cap(s.mem)))
	s.mem = nil
}

// ReadAt implements io.ReaderAt.
func (s *Spool) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	if off < 0 {
		return 0, errors.New("objects: negative offset")
	}
	if off >= int64(len(s.mem)) {
		return 0, io.EOF
	}
	n := copy(p, s.mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// close frees what it holds. Idempotent.
func (s *Spool) close() {
	s.drop()
	if s.file != nil {
		s.file.Close()
	}
}
