package pop3client

import "bytes"

// place is where a body is.
type place uint8

const (
	lineStart    place = iota // behind CRLF, and at the beginning
	afterLF                   // behind a bare LF
	inLine                    // the last octet was no CR
	afterCR                   // the last octet was a CR
	dot                       // a dot behind CRLF, not given out yet
	dotAfterLF                // a dot behind a bare LF, not given out yet
	dotCR                     // a CR behind dot, not given out yet
	dotCRAfterLF              // a CR behind dotAfterLF, both not given out yet
	finished                  // the end was seen
)

// unstuffer finds the end of a multi-line reply and undoes its dot-stuffing (RFC
// 1939 §3). The zero value is for a server that ends lines in CRLF:
//
//   - CRLF "." CRLF ends the body, and its first CRLF belongs to the body.
//   - A dot that begins a line behind CRLF is removed.
//   - Behind a bare LF one of two dots is removed, as servers put one there that
//     end lines at LF. A single one stays: it is from a server that does not.
//   - Every other octet stays as it is.
type unstuffer struct {
	at       place
	looseEnd bool // LF "." CRLF is the end, too
	bareLF   bool // the server ends its lines in a bare LF: so is LF "." LF, and LF "." CRLF
}

// next turns octets of src into octets of dst. It returns when src is used up,
// dst is full, or the end was seen.
func (u *unstuffer) next(dst, src []byte) (nDst, nSrc int) {
	for nDst < len(dst) && nSrc < len(src) && u.at != finished {
		b := src[nSrc]
		switch u.at {
		case inLine, afterCR:
			n := u.line(dst[nDst:], src[nSrc:])
			nDst, nSrc = nDst+n, nSrc+n
			continue
		case lineStart, afterLF:
			if b != '.' {
				u.at = inLine
				continue
			}
			nSrc++
			if u.at == lineStart {
				u.at = dot
			} else {
				u.at = dotAfterLF
			}
			continue
		}
		used, emit, octet := u.dotted(b)
		if used {
			nSrc++
		}
		if emit {
			dst[nDst] = octet
			nDst++
		}
	}
	return nDst, nSrc
}

// line copies octets of one line, with its end.
func (u *unstuffer) line(dst, src []byte) (n int) {
	end := bytes.IndexByte(src, '\n') + 1
	n = end
	if end == 0 || end > len(dst) {
		n = min(len(src), len(dst))
	}
	cr := u.at == afterCR
	if n > 1 {
		cr = src[max(0, n-2)] == '\r'
	}
	copy(dst, src[:n])
	switch {
	case n == end && cr:
		u.at = lineStart
	case n == end:
		u.at = afterLF
	case src[n-1] == '\r':
		u.at = afterCR
	default:
		u.at = inLine
	}
	return n
}

// dotted takes an octet behind a dot that begins a line. used: it is part of
// what stands there. emit: octet was held back and belongs to the body.
func (u *unstuffer) dotted(b byte) (used, emit bool, octet byte) {
	switch u.at {
	case dot:
		switch {
		case b == '\r':
			u.at, used = dotCR, true
		case b == '\n' && u.bareLF:
			u.at, used = finished, true
		default:
			u.at = inLine // without the dot
		}
		return used, false, 0
	case dotAfterLF:
		switch {
		case b == '\r' && (u.looseEnd || u.bareLF):
			u.at, used = dotCRAfterLF, true
		case b == '\n' && u.bareLF:
			u.at, used = finished, true
		default:
			u.at, emit = inLine, b != '.'
		}
		return used, emit, '.'
	}
	if b == '\n' {
		u.at = finished
		return true, false, 0
	}
	if u.at == dotCRAfterLF {
		u.at = dotCR
		return false, true, '.'
	}
	u.at = afterCR
	return false, true, '\r'
}
