package mirror

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/mailstead/mailstead/imap"
)

// ErrState is returned for octets that are no State. Nothing is lost: a new
// State is filled again.
var ErrState = errors.New("mirror: this is no state of a mailbox")

// stateVersion is the first octet of a marshalled State.
const stateVersion = 1

// AppendBinary implements encoding.BinaryAppender: a version, numbers as
// varints, sets of flags, runs as differences, and a CRC-32C of all in front of it.
func (s *State) AppendBinary(dst []byte) ([]byte, error) {
	begin := len(dst)
	s.compact(0)
	dst = append(dst, stateVersion)
	dst = binary.AppendUvarint(dst, uint64(s.UIDValidity))
	dst = binary.AppendUvarint(dst, uint64(s.UIDNext))
	dst = binary.AppendUvarint(dst, uint64(s.ModSeq))
	dst = binary.AppendUvarint(dst, uint64(len(s.sets.list)))
	for _, f := range s.sets.list {
		dst = append(dst, byte(f.System))
		dst = binary.AppendUvarint(dst, uint64(len(f.Keywords)))
		for _, k := range f.Keywords {
			dst = binary.AppendUvarint(dst, uint64(len(k)))
			dst = append(dst, k...)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.runs)))
	next := imap.UID(1)
	for _, r := range s.runs {
		dst = binary.AppendUvarint(dst, uint64(r.first-next))
		dst = binary.AppendUvarint(dst, uint64(r.last-r.first))
		dst = binary.AppendUvarint(dst, uint64(r.flags))
		next = r.last + 1
	}
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[begin:], crc32.MakeTable(crc32.Castagnoli))), nil
}

// MarshalBinary implements encoding.BinaryMarshaler.
func (s *State) MarshalBinary() ([]byte, error) { return s.AppendBinary(nil) }

// UnmarshalBinary implements encoding.BinaryUnmarshaler. The error is ErrState,
// and the State is as it was then.
func (s *State) UnmarshalBinary(data []byte) error {
	if len(data) < 5 || data[0] != stateVersion {
		return ErrState
	}
	body := data[:len(data)-4]
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(data[len(body):]) {
		return ErrState
	}
	r := reader{b: body[1:]}
	var t State
	t.UIDValidity, t.UIDNext = imap.UIDValidity(r.num(1<<32-1)), imap.UID(r.num(1<<32-1))
	t.ModSeq = imap.ModSeq(r.num(1<<63 - 1))
	for range r.num(uint64(len(body))) {
		t.sets.intern(r.flags())
	}
	next := uint64(1)
	for range r.num(uint64(len(body))) {
		first := next + r.num(1<<32-1)
		last := first + r.num(1<<32-1)
		flags := r.num(uint64(len(t.sets.list)))
		if r.bad || last > 1<<32-1 || flags >= uint64(len(t.sets.list)) {
			return ErrState
		}
		t.runs = append(t.runs, run{imap.UID(first), imap.UID(last), uint32(flags)})
		next = last + 1
	}
	if r.bad || len(r.b) > 0 {
		return ErrState
	}
	t.recount()
	*s = t
	return nil
}

// reader reads what AppendBinary wrote.
type reader struct {
	b   []byte
	bad bool
}

// num is a number of at most limit; beyond it, 0.
func (r *reader) num(limit uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > limit {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) flags() (f Flags) {
	if len(r.b) == 0 {
		r.bad = true
		return f
	}
	f.System, r.b = imap.Flags(r.b[0]), r.b[1:]
	for range r.num(uint64(len(r.b))) {
		n := r.num(uint64(len(r.b)))
		if n > uint64(len(r.b)) {
			r.bad = true
			return f
		}
		f.Keywords, r.b = append(f.Keywords, string(r.b[:n])), r.b[n:]
	}
	return f
}
