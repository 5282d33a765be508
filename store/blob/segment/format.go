package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/mailstead/mailstead/store/blob"
)

// Sizes of the format, in octets. Everything is little-endian.
const (
	version        = 1
	fileHeaderSize = 64
	recHeaderSize  = 40
	tableEntrySize = 16
	tombSize       = 24
	recAlign       = 8 // records start at multiples of this

	maxNumber = 1<<40 - 1 // segment numbers, offsets and sizes fit into ten hexadecimal digits
	maxOffset = 1<<40 - 1
)

// kind says what a file holds.
type kind uint16

const (
	shared kind = 1 // many records
	single kind = 2 // one record, of a large body
	tombs  kind = 3 // tombstones of one segment
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli) // constant

	fileMagic = [8]byte{'M', 'S', 'T', 'D', 'S', 'E', 'G', 0} // constant
)

const recMagic = 0x3152534d // "MSR1"

// errFormat: octets that are not what the format says. It never leaves the
// package; callers see blob.ErrCorrupt.
var errFormat = errors.New("segment: malformed")

// fileHeader stands at the start of every file.
//
//	0  magic[8]  8 version u16  10 kind u16  12 generation u32  16 number u64
//	24 created i64  32 salt u64  40 table offset u64  48 table entries u64
//	56 checksum of the table u32  60 checksum of octets 0..59 u32
type fileHeader struct {
	kind       kind
	generation uint32
	number     uint64
	created    int64  // Unix seconds
	salt       uint64 // random; goes into every record's header checksum, so that no body can pose as a record
	seed       uint32 // not stored: what setSalt makes of the salt
	tableOff   uint64 // generation > 0: end of the records, start of the table
	tableLen   uint64 // entries
	tableSum   uint32
}

func (h *fileHeader) append(b []byte) []byte {
	start := len(b)
	b = append(b, fileMagic[:]...)
	b = binary.LittleEndian.AppendUint16(b, version)
	b = binary.LittleEndian.AppendUint16(b, uint16(h.kind))
	b = binary.LittleEndian.AppendUint32(b, h.generation)
	b = binary.LittleEndian.AppendUint64(b, h.number)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.created))
	b = binary.LittleEndian.AppendUint64(b, h.salt)
	b = binary.LittleEndian.AppendUint64(b, h.tableOff)
	b = binary.LittleEndian.AppendUint64(b, h.tableLen)
	b = binary.LittleEndian.AppendUint32(b, h.tableSum)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// parseFileHeader reads a header. blob.ErrVersion: written by a newer version
// of this package, whose headers keep the magic, the version and nothing else.
func parseFileHeader(b []byte) (fileHeader, error) {
	if len(b) < fileHeaderSize || [8]byte(b[:8]) != fileMagic {
		return fileHeader{}, fmt.Errorf("%w: no file header", errFormat)
	}
	if v := binary.LittleEndian.Uint16(b[8:]); v > version {
		return fileHeader{}, fmt.Errorf("%w: version %d, this is %d", blob.ErrVersion, v, version)
	}
	if crc32.Checksum(b[:60], castagnoli) != binary.LittleEndian.Uint32(b[60:]) {
		return fileHeader{}, fmt.Errorf("%w: file header checksum", errFormat)
	}
	h := fileHeader{
		kind:       kind(binary.LittleEndian.Uint16(b[10:])),
		generation: binary.LittleEndian.Uint32(b[12:]),
		number:     binary.LittleEndian.Uint64(b[16:]),
		created:    int64(binary.LittleEndian.Uint64(b[24:])),
		tableOff:   binary.LittleEndian.Uint64(b[40:]),
		tableLen:   binary.LittleEndian.Uint64(b[48:]),
		tableSum:   binary.LittleEndian.Uint32(b[56:]),
	}
	h.setSalt(binary.LittleEndian.Uint64(b[32:]))
	return h, nil
}

// setSalt sets the salt and the checksum that begins with it.
func (h *fileHeader) setSalt(salt uint64) {
	h.salt = salt
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], salt)
	h.seed = crc32.Update(0, castagnoli, b[:])
}

// recHeader stands before each body, which is padded with zeros to recAlign.
//
//	0 magic u32  4 zero u32  8 size u64  16 origin u64  24 created i64
//	32 checksum of the body u32  36 checksum of the salt and octets 0..35 u32
type recHeader struct {
	size    int64 // octets of the body
	origin  int64 // offset in generation 0; names the record in its Ref
	created int64 // Unix seconds
	sum     uint32
}

// put writes the header into the first recHeaderSize octets of b.
func (h *recHeader) put(b []byte, seed uint32) {
	binary.LittleEndian.PutUint32(b, recMagic)
	binary.LittleEndian.PutUint32(b[4:], 0)
	binary.LittleEndian.PutUint64(b[8:], uint64(h.size))
	binary.LittleEndian.PutUint64(b[16:], uint64(h.origin))
	binary.LittleEndian.PutUint64(b[24:], uint64(h.created))
	binary.LittleEndian.PutUint32(b[32:], h.sum)
	binary.LittleEndian.PutUint32(b[36:], crc32.Update(seed, castagnoli, b[:36]))
}

// parseRecHeader reads a record header made with a salt.
func parseRecHeader(b []byte, seed uint32) (recHeader, error) {
	if len(b) < recHeaderSize || binary.LittleEndian.Uint32(b) != recMagic {
		return recHeader{}, fmt.Errorf("%w: no record header", errFormat)
	}
	if crc32.Update(seed, castagnoli, b[:36]) != binary.LittleEndian.Uint32(b[36:]) {
		return recHeader{}, fmt.Errorf("%w: record header checksum", errFormat)
	}
	h := recHeader{
		size:    int64(binary.LittleEndian.Uint64(b[8:])),
		origin:  int64(binary.LittleEndian.Uint64(b[16:])),
		created: int64(binary.LittleEndian.Uint64(b[24:])),
		sum:     binary.LittleEndian.Uint32(b[32:]),
	}
	if h.size < 0 || h.size > maxOffset || h.origin < 0 || h.origin > maxOffset {
		return recHeader{}, fmt.Errorf("%w: record out of range", errFormat)
	}
	return h, nil
}

// recordLen is what a body of size octets takes in a file.
func recordLen(size int64) int64 {
	return (recHeaderSize + size + recAlign - 1) / recAlign * recAlign
}

// tableEntry says where a later generation keeps a record. A table is sorted
// by origin.
type tableEntry struct{ origin, offset int64 }

func appendTable(b []byte, table []tableEntry) []byte {
	for _, e := range table {
		b = binary.LittleEndian.AppendUint64(b, uint64(e.origin))
		b = binary.LittleEndian.AppendUint64(b, uint64(e.offset))
	}
	return b
}

// parseTable reads a whole table and checks it against the file header.
func parseTable(b []byte, h *fileHeader) ([]tableEntry, error) {
	if uint64(len(b)) != h.tableLen*tableEntrySize || crc32.Checksum(b, castagnoli) != h.tableSum {
		return nil, fmt.Errorf("%w: table checksum", errFormat)
	}
	table := make([]tableEntry, h.tableLen)
	for i := range table {
		e := b[i*tableEntrySize:]
		table[i] = tableEntry{int64(binary.LittleEndian.Uint64(e)), int64(binary.LittleEndian.Uint64(e[8:]))}
	}
	return table, nil
}

// tombstone marks one record dead, or set aside.
//
//	0 origin u64  8 size u64  16 flags u32  20 checksum of the salt and octets 0..19 u32
type tombstone struct {
	origin   int64
	size     int64 // of the record with header and padding
	setAside bool  // flag 1: damaged, a copy lies in the quarantine
}

func (t tombstone) append(b []byte, seed uint32) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(t.origin))
	b = binary.LittleEndian.AppendUint64(b, uint64(t.size))
	var flags uint32
	if t.setAside {
		flags = 1
	}
	b = binary.LittleEndian.AppendUint32(b, flags)
	return binary.LittleEndian.AppendUint32(b, crc32.Update(seed, castagnoli, b[start:]))
}

func parseTombstone(b []byte, seed uint32) (tombstone, error) {
	if len(b) < tombSize || crc32.Update(seed, castagnoli, b[:20]) != binary.LittleEndian.Uint32(b[20:]) {
		return tombstone{}, fmt.Errorf("%w: tombstone", errFormat)
	}
	return tombstone{
		origin:   int64(binary.LittleEndian.Uint64(b)),
		size:     int64(binary.LittleEndian.Uint64(b[8:])),
		setAside: binary.LittleEndian.Uint32(b[16:])&1 != 0,
	}, nil
}
