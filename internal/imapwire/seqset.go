package imapwire

import (
	"io"
	"strconv"
)

// MaxRanges is the largest number of ranges in one sequence-set.
const MaxRanges = 10_000

// Range is one element of a sequence-set, with its bounds as they were
// written: Stop may be smaller than Start. 0 stands for "*", the largest
// number in use. A single number has Start == Stop.
type Range struct{ Start, Stop uint32 }

// SeqSet is a sequence-set (RFC 9051 §9) in the order in which it was written.
// It is never expanded. The zero value is the empty set, which has no form on
// the wire.
type SeqSet []Range

// ConsumeSeqSet takes
//
//	sequence-set = (seq-number / seq-range) ["," sequence-set]
//	seq-range    = seq-number ":" seq-number
//	seq-number   = nz-number / "*"
//
// of at most MaxRanges elements. The "$" of RFC 5182 is not taken.
func ConsumeSeqSet(b []byte) (SeqSet, int, error) {
	var set SeqSet
	n := 0
	for {
		r, m, err := consumeRange(b[n:])
		if err != nil {
			return nil, 0, shift(err, n)
		}
		if len(set) == MaxRanges {
			return nil, 0, syntax(n, "too many ranges in sequence set")
		}
		set, n = append(set, r), n+m
		if b[n] != ',' { // consumeRange leaves one octet at least
			return set, n, nil
		}
		n++
	}
}

func consumeRange(b []byte) (r Range, n int, err error) {
	if r.Start, n, err = consumeSeqNumber(b); err != nil {
		return r, 0, err
	}
	if b[n] != ':' {
		r.Stop = r.Start
		return r, n, nil
	}
	n++
	stop, m, err := consumeSeqNumber(b[n:])
	if err != nil {
		return r, 0, shift(err, n)
	}
	r.Stop = stop
	return r, n + m, nil
}

func consumeSeqNumber(b []byte) (uint32, int, error) {
	if len(b) > 0 && b[0] == '*' {
		if len(b) == 1 {
			return 0, 0, io.ErrUnexpectedEOF
		}
		return 0, 1, nil
	}
	return ConsumeNZNumber(b)
}

// AppendSeqSet adds the set as it stands.
func AppendSeqSet(dst []byte, set SeqSet) []byte {
	for i, r := range set {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendSeqNumber(dst, r.Start)
		if r.Start != r.Stop {
			dst = append(dst, ':')
			dst = appendSeqNumber(dst, r.Stop)
		}
	}
	return dst
}

func appendSeqNumber(dst []byte, v uint32) []byte {
	if v == 0 {
		return append(dst, '*')
	}
	return strconv.AppendUint(dst, uint64(v), 10)
}
