package smtpscan

import "bytes"

// BDATFault is what is wrong with the argument of BDAT; zero = nothing.
type BDATFault uint8

// The faults.
const (
	BadSize BDATFault = iota + 1 // the payload cannot be delimited
	BadTail                      // something other than LAST behind the size
)

// ParseBDAT parses what stands behind BDAT (RFC 3030 §2).
//
//	chunk-size SP [ "LAST" ] ; chunk-size = 1*DIGIT, "LAST" in any case
func ParseBDAT(arg []byte) (size int64, last bool, fault BDATFault) {
	digits, tail, _ := bytes.Cut(arg, []byte{' '})
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false, BadSize
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false, BadSize
		}
		size = size*10 + int64(c-'0')
	}
	tail = bytes.TrimLeft(tail, " ")
	switch {
	case len(tail) == 0:
		return size, false, 0
	case isLast(tail):
		return size, true, 0
	}
	return size, false, BadTail
}

// isLast: "LAST" in any case.
func isLast(b []byte) bool {
	return len(b) == 4 && b[0]|0x20 == 'l' && b[1]|0x20 == 'a' && b[2]|0x20 == 's' && b[3]|0x20 == 't'
}
