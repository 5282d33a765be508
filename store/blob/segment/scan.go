package segment

import (
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/mailstead/mailstead/store/blob"
)

const chunkSize = 256 << 10

// chunkFor returns how large a chunk has to be for size octets: a short segment
// does not need a whole one.
func chunkFor(size int64) int { return int(max(0, min(chunkSize, size))) }

// readRecHeader reads the header of the record at off.
func readRecHeader(f io.ReaderAt, off int64, seed uint32) (recHeader, error) {
	var b [recHeaderSize]byte
	n, err := f.ReadAt(b[:], off)
	if err != nil && err != io.EOF {
		return recHeader{}, ioError{err}
	}
	return parseRecHeader(b[:n], seed)
}

// scanner walks over the records of one segment in file order, which is the
// order of their origins in every generation.
type scanner struct {
	f     io.ReaderAt
	g     *segment
	off   int64 // of the next record
	end   int64
	chunk []byte // for searching
}

// step is what a scanner finds.
type step struct {
	off int64     // where it starts
	len int64     // octets it takes
	rec recHeader // unless damaged
	// damaged: the octets at off are no record; len reaches to the next one,
	// or to the end.
	damaged bool
}

// next returns the next record or damaged range; ok is false at the end. An
// error is one of the file system.
func (s *scanner) next() (st step, ok bool, err error) {
	if s.off >= s.end {
		return step{}, false, nil
	}
	h, err := readRecHeader(s.f, s.off, s.g.header.seed)
	if isIO(err) {
		return step{}, false, err
	}
	if err == nil && s.fits(s.off, h) {
		st = step{off: s.off, len: recordLen(h.size), rec: h}
		s.off += st.len
		return st, true, nil
	}
	to, err := s.search(s.off + recAlign)
	if err != nil {
		return step{}, false, err
	}
	st = step{off: s.off, len: to - s.off, damaged: true}
	s.off = to
	return st, true, nil
}

// fits reports whether a record header can stand at off.
func (s *scanner) fits(off int64, h recHeader) bool {
	return (s.g.generation > 0 || h.origin == off) && off+recordLen(h.size) <= s.end
}

// search returns the first place from off on where a record starts, or end.
// The salt keeps it from taking a piece of a body for one.
func (s *scanner) search(off int64) (int64, error) {
	if s.chunk == nil {
		s.chunk = make([]byte, chunkFor(s.end-off))
	}
	for off < s.end {
		n, err := s.f.ReadAt(s.chunk[:min(int64(len(s.chunk)), s.end-off)], off)
		if err != nil && err != io.EOF {
			return 0, ioError{err}
		}
		for i := 0; i+recHeaderSize <= n; i += recAlign {
			if binary.LittleEndian.Uint32(s.chunk[i:]) != recMagic {
				continue
			}
			h, err := parseRecHeader(s.chunk[i:n], s.g.header.seed)
			if err == nil && s.fits(off+int64(i), h) {
				return off + int64(i), nil
			}
		}
		if n < recHeaderSize {
			break
		}
		off += int64(n-recHeaderSize)/recAlign*recAlign + recAlign
	}
	return s.end, nil
}

// checkBody reads the body of the record at off in pieces and compares its
// checksum with that of h. buf is scratch.
func checkBody(f io.ReaderAt, off int64, h recHeader, buf []byte) error {
	var sum uint32
	off += recHeaderSize
	for size := h.size; size > 0; {
		p := buf[:min(int64(len(buf)), size)]
		n, err := f.ReadAt(p, off)
		if n < len(p) {
			if err == io.EOF || err == nil {
				return blob.ErrCorrupt
			}
			return ioError{err}
		}
		sum = crc32.Update(sum, castagnoli, p)
		off += int64(n)
		size -= int64(n)
	}
	if sum != h.sum {
		return blob.ErrCorrupt
	}
	return nil
}
