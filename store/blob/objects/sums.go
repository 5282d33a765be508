package objects

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"slices"
)

// Sums are the checksums of a body: one of all octets, and one for each chunk,
// so that a part can be verified without the rest. A chunk is 256 KiB, or as
// many times doubled as it takes to have 256 chunks at most (1 MiB for a body
// of 200 MB). The sum of a chunk is the CRC-32C of its octets, and that of a
// doubled one the CRC-32C of the sums of its halves.
//
// The zero value is that of no octets.
type Sums struct {
	// Whole is the CRC-32C of all octets.
	Whole uint32

	level  int // how many times the chunk is doubled
	chunks []uint32
}

const (
	leaf      = 256 << 10
	maxChunks = 256
	maxLevel  = 20 // 64 TiB

	sumsVersion = 1
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// ErrSums: checksums that cannot be decoded.
var ErrSums = errors.New("objects: malformed checksums")

// Chunk is the length of a chunk in octets; the last one may be shorter.
func (s *Sums) Chunk() int64 { return leaf << s.level }

// verify reports whether p are the octets of the chunks from number first on.
func (s *Sums) verify(first int, p []byte) bool {
	size := int(s.Chunk())
	for i := first; len(p) > 0; i++ {
		part := p[:min(size, len(p))]
		p = p[len(part):]
		if i >= len(s.chunks) || s.chunks[i] != chunkSum(part, s.level) {
			return false
		}
	}
	return true
}

// fits reports whether these can be the sums of size octets.
func (s *Sums) fits(size int64) bool {
	return size >= 0 && int64(len(s.chunks)) == (size+s.Chunk()-1)/s.Chunk()
}

// chunkSum is the sum of one chunk of level.
func chunkSum(p []byte, level int) uint32 {
	sums := make([]uint32, 0, 1+len(p)/leaf)
	for part := range slices.Chunk(p, leaf) {
		sums = append(sums, crc32.Checksum(part, castagnoli()))
	}
	for range level {
		sums = fold(sums)
	}
	return sums[0]
}

// fold halves the number of sums; a last one without a pair stays as it is.
func fold(sums []uint32) []uint32 {
	n := 0
	var pair [8]byte
	for i := 0; i < len(sums); i += 2 {
		sum := sums[i]
		if i+1 < len(sums) {
			binary.BigEndian.PutUint32(pair[:4], sums[i])
			binary.BigEndian.PutUint32(pair[4:], sums[i+1])
			sum = crc32.Checksum(pair[:], castagnoli())
		}
		sums[n] = sum
		n++
	}
	return sums[:n]
}

// AppendBinary appends the encoded sums to b: a version, the level, Whole and
// the chunks. It is at most 1,030 octets.
func (s *Sums) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, sumsVersion, byte(s.level))
	b = binary.BigEndian.AppendUint32(b, s.Whole)
	for _, c := range s.chunks {
		b = binary.BigEndian.AppendUint32(b, c)
	}
	return b, nil
}

// UnmarshalBinary decodes what AppendBinary made. ErrSums.
func (s *Sums) UnmarshalBinary(b []byte) error {
	if len(b) < 6 || b[0] != sumsVersion || b[1] > maxLevel || len(b)%4 != 2 || len(b) > 6+4*maxChunks {
		return fmt.Errorf("%w: %d octets", ErrSums, len(b))
	}
	*s = Sums{Whole: binary.BigEndian.Uint32(b[2:]), level: int(b[1])}
	for b = b[6:]; len(b) > 0; b = b[4:] {
		s.chunks = append(s.chunks, binary.BigEndian.Uint32(b))
	}
	return nil
}

// String is the encoding in base64, which fits into a header field.
func (s *Sums) String() string {
	b, _ := s.AppendBinary(nil)
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseSums decodes what String made. ErrSums.
func ParseSums(text string) (s Sums, err error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrSums, err)
	}
	return s, s.UnmarshalBinary(b)
}

// SumsOf are the sums of octets that lie in memory.
func SumsOf(p []byte) Sums {
	var h summer
	h.write(p)
	return h.sums()
}

// summer computes Sums of a stream.
type summer struct {
	whole uint32
	level int
	done  []uint32 // full chunks of level
	leafs []uint32 // full leaves behind them
	last  uint32   // of the octets behind these
	n     int      // of last
}

func (h *summer) write(p []byte) {
	h.whole = crc32.Update(h.whole, castagnoli(), p)
	for len(p) > 0 {
		k := min(len(p), leaf-h.n)
		h.last = crc32.Update(h.last, castagnoli(), p[:k])
		p = p[k:]
		if h.n += k; h.n == leaf {
			h.leafs = append(h.leafs, h.last)
			h.last, h.n = 0, 0
			h.close()
		}
	}
}

// close makes a chunk of the leaves that fill it, and doubles the chunk where
// there are too many.
func (h *summer) close() {
	if len(h.leafs) < 1<<h.level {
		return
	}
	h.done = append(h.done, foldAll(h.leafs, h.level))
	h.leafs = h.leafs[:0]
	if len(h.done) == maxChunks {
		h.done = fold(h.done)
		h.level++
	}
}

func foldAll(sums []uint32, level int) uint32 {
	for range level {
		sums = fold(sums)
	}
	return sums[0]
}

// sums ends the stream.
func (h *summer) sums() Sums {
	s := Sums{Whole: h.whole, level: h.level, chunks: slices.Clone(h.done)}
	rest := slices.Clone(h.leafs)
	if h.n > 0 {
		rest = append(rest, h.last)
	}
	if len(rest) > 0 {
		s.chunks = append(s.chunks, foldAll(rest, h.level))
	}
	return s
}

// ordinal is the number of the chunk in which off lies.
func (s *Sums) ordinal(off int64) int { return int(off >> (bits.TrailingZeros(leaf) + s.level)) }
