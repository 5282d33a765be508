package imapwire

import (
	"io"
	"math"
)

// ConsumeNumber takes
//
//	number = 1*DIGIT ; unsigned 32-bit integer
//
// Larger values are refused, never wrapped.
func ConsumeNumber(b []byte) (uint32, int, error) {
	v, n, err := consumeDigits(b, math.MaxUint32)
	return uint32(v), n, err
}

// ConsumeNZNumber takes
//
//	nz-number = digit-nz *DIGIT ; 1..2^32-1
func ConsumeNZNumber(b []byte) (uint32, int, error) {
	if len(b) > 0 && b[0] == '0' {
		return 0, 0, syntax(0, "number may not start with zero")
	}
	return ConsumeNumber(b)
}

// ConsumeNumber64 takes
//
//	number64 = 1*DIGIT ; unsigned 63-bit integer
//
// which is also mod-sequence-valzer of RFC 7162.
func ConsumeNumber64(b []byte) (int64, int, error) {
	v, n, err := consumeDigits(b, math.MaxInt64)
	return int64(v), n, err
}

// consumeDigits takes 1*DIGIT with a value of at most limit. The octet behind
// the number must be in b.
func consumeDigits(b []byte, limit uint64) (v uint64, n int, err error) {
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		d := uint64(b[n] - '0')
		if v > (limit-d)/10 {
			return 0, 0, syntax(n, "number too large")
		}
		v = v*10 + d
		n++
	}
	switch n {
	case len(b):
		return 0, 0, io.ErrUnexpectedEOF
	case 0:
		return 0, 0, syntax(0, "number expected")
	}
	return v, n, nil
}
