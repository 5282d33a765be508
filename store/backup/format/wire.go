package format

import (
	"encoding/binary"
	"errors"
	"time"
)

// errWire: octets that are no row, or that end too early.
var errWire = errors.New("malformed")

func appendString[T ~string | ~[]byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// appendTime writes the second and the zone's offset.
func appendTime(b []byte, t time.Time) []byte {
	_, offset := t.Zone()
	return binary.AppendVarint(binary.AppendVarint(b, t.Unix()), int64(offset))
}

// input reads fields from octets. The first fault stays in err, and zero
// values come from then on. What it returns lies in the octets.
type input struct {
	b   []byte
	err error
}

func (in *input) fail() { in.b, in.err = nil, errWire }

func (in *input) uvarint() uint64 {
	v, n := binary.Uvarint(in.b)
	if n <= 0 {
		in.fail()
		return 0
	}
	in.b = in.b[n:]
	return v
}

// number reads a number that is at most limit.
func (in *input) number(limit uint64) uint64 {
	v := in.uvarint()
	if v > limit {
		in.fail()
		return 0
	}
	return v
}

func (in *input) varint() int64 {
	v, n := binary.Varint(in.b)
	if n <= 0 {
		in.fail()
		return 0
	}
	in.b = in.b[n:]
	return v
}

// take returns the next n octets.
func (in *input) take(n uint64) []byte {
	if n > uint64(len(in.b)) {
		in.fail()
		return nil
	}
	b := in.b[:n:n]
	in.b = in.b[n:]
	return b
}

func (in *input) octet() byte {
	if b := in.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (in *input) bytes() []byte { return in.take(in.uvarint()) }

func (in *input) string() string { return string(in.bytes()) }

// maxZone is more than any offset of a zone, in seconds.
const maxZone = 48 * 3600

func (in *input) time() time.Time {
	sec, offset := in.varint(), in.varint()
	if offset < -maxZone || offset > maxZone {
		in.fail()
		return time.Time{}
	}
	if offset == 0 {
		return time.Unix(sec, 0).UTC()
	}
	return time.Unix(sec, 0).In(time.FixedZone("", int(offset)))
}
