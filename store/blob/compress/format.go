package compress

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/mailstead/mailstead/store/blob"
)

const (
	version     = 1
	magic       = "mszb"
	frameLog    = 16
	frameSize   = 1 << frameLog // octets of content
	maxFrames   = 1 << 20       // of one blob: 64 GiB
	maxFrameLog = 20            // that a reader accepts, for a later writer

	entryLen   = 8
	trailerLen = 24
	asIs       = 1 << 31 // of an entry's length: the frame is not compressed
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame says where a frame lies.
type frame struct {
	offset int64
	length int
	sum    uint32 // CRC-32C of what is stored
	asIs   bool
}

// appendEntry appends the index entry of a frame to b.
func appendEntry(b []byte, f frame) []byte {
	length := uint32(f.length)
	if f.asIs {
		length |= asIs
	}
	b = binary.LittleEndian.AppendUint32(b, length)
	return binary.LittleEndian.AppendUint32(b, f.sum)
}

// appendTrailer appends the trailer to the index of a blob of size octets.
func appendTrailer(index []byte, size int64) []byte {
	n := len(index)
	b := binary.LittleEndian.AppendUint64(index, uint64(size))
	b = binary.LittleEndian.AppendUint32(b, uint32(n/entryLen))
	b = append(b, 0, 0, 0, 0, frameLog, 0, 0, version)
	b = append(b, magic...)
	binary.LittleEndian.PutUint32(b[n+12:], tailSum(b, n))
	return b
}

// tailSum is the checksum of an index of n octets and the trailer behind it.
func tailSum(b []byte, n int) uint32 {
	sum := crc32.Checksum(b[:n+12], castagnoli)
	return crc32.Update(sum, castagnoli, b[n+16:])
}

// layout is where the content of a blob lies.
type layout struct {
	size   int64
	log    int // of a frame's content
	frames []frame
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: compress: %s", blob.ErrCorrupt, fmt.Sprintf(format, args...))
}

// readLayout reads the end of a stored blob.
func readLayout(b blob.Blob) (layout, error) {
	stored := b.Size()
	if stored < trailerLen {
		return layout{}, corrupt("%d octets are no blob", stored)
	}
	var t [trailerLen]byte
	if err := readFull(b, t[:], stored-trailerLen); err != nil {
		return layout{}, err
	}
	l, n, err := parseTrailer(t[:], stored)
	if err != nil {
		return layout{}, err
	}
	tail := make([]byte, n*entryLen+trailerLen)
	copy(tail[n*entryLen:], t[:])
	if err := readFull(b, tail[:n*entryLen], stored-int64(len(tail))); err != nil {
		return layout{}, err
	}
	if tailSum(tail, n*entryLen) != binary.LittleEndian.Uint32(t[12:]) {
		return layout{}, corrupt("the index does not match its checksum")
	}
	return l, l.parseIndex(tail[:n*entryLen], stored-int64(len(tail)))
}

// parseTrailer reads the fields of a trailer; n is the number of frames, which
// fit into what is stored.
func parseTrailer(t []byte, stored int64) (l layout, n int, err error) {
	switch {
	case string(t[20:]) != magic:
		return l, 0, corrupt("no trailer")
	case t[19] > version:
		return l, 0, fmt.Errorf("%w: compress: version %d", blob.ErrVersion, t[19])
	case t[19] == 0, t[17] != 0, t[18] != 0, t[16] < 10, t[16] > maxFrameLog:
		return l, 0, corrupt("a trailer that nobody writes")
	}
	size, frames := binary.LittleEndian.Uint64(t), binary.LittleEndian.Uint32(t[8:])
	l.log = int(t[16])
	if frames > maxFrames || size > uint64(frames)<<l.log || frames > 0 && size <= uint64(frames-1)<<l.log {
		return l, 0, corrupt("%d octets in %d frames", size, frames)
	}
	if int64(frames)*entryLen > stored-trailerLen {
		return l, 0, corrupt("an index of %d frames in %d octets", frames, stored)
	}
	l.size = int64(size)
	return l, int(frames), nil
}

// parseIndex reads the entries, whose frames fill room octets.
func (l *layout) parseIndex(index []byte, room int64) error {
	l.frames = make([]frame, len(index)/entryLen)
	at := int64(0)
	for i := range l.frames {
		e := index[i*entryLen:]
		length := binary.LittleEndian.Uint32(e)
		f := frame{offset: at, length: int(length &^ asIs), asIs: length&asIs != 0, sum: binary.LittleEndian.Uint32(e[4:])}
		if f.length == 0 || f.length > l.content(i) || f.asIs && f.length != l.content(i) {
			return corrupt("frame %d has %d octets", i, f.length)
		}
		l.frames[i] = f
		at += int64(f.length)
	}
	if at != room {
		return corrupt("frames of %d octets in %d", at, room)
	}
	return nil
}

// content is the length of a frame's content.
func (l *layout) content(i int) int {
	return int(min(l.size-int64(i)<<l.log, 1<<l.log))
}

// readFull reads len(p) octets that have to be there.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil, err == io.EOF:
		return corrupt("%d of %d octets at %d", n, len(p), off)
	}
	return err
}
