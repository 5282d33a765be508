package objects

import "github.com/mailstead/mailstead/internal/vfs"

// Verify reports whether p are the octets of the chunks from number first on.
func (s *Sums) Verify(first int, p []byte) bool { return s.verify(first, p) }

// Fits reports whether these can be the sums of size octets.
func (s *Sums) Fits(size int64) bool { return s.fits(size) }

// Chunks is the number of chunks.
func (s *Sums) Chunks() int { return len(s.chunks) }

// NewSpoolsOn is NewSpools on another file system.
func NewSpoolsOn(fs vfs.FS, o Options) *Spools { return newSpools(o, fs) }

// Free is what is left of the budget.
func (s *Spools) Free() int64 { return s.free.Load() }

// Held is how many octets of memory the Reader has.
func (r *Reader) Held() int {
	r.turn.Lock()
	defer r.turn.Unlock()
	n := cap(r.spare)
	if r.last != nil {
		n += cap(r.last.buf)
	}
	if r.ahead != nil {
		n += cap(r.ahead.buf)
	}
	return n
}
