// Package headblock finds the end of the header block of a message, which is
// read in pieces: the first empty line (RFC 5322 §2.1). Lines end in CRLF or in a
// bare LF.
package headblock

import (
	"bytes"
	"io"
)

// Read appends to dst what r has up to its first empty line, and without it; of a
// header that is longer than limit octets, that much. rest is what was read behind
// it: it begins with the empty line, unless the limit was reached or r has ended.
// An error of r other than io.EOF is returned, with nothing.
func Read(dst []byte, r io.Reader, limit int) (head, rest []byte, err error) {
	start := len(dst)
	for b := dst; ; {
		if len(b)-start >= limit {
			return b, nil, nil
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		from := max(0, len(b)-start-3)
		n, err := r.Read(b[len(b):min(cap(b), start+limit)])
		b = b[:len(b)+n]
		if i := End(b[start:], from); i >= 0 && (err == nil || err == io.EOF) {
			end := start + i
			return b[:end:end], b[end:], nil
		}
		switch {
		case err == io.EOF:
			return b, nil, nil
		case err != nil:
			return nil, nil, err
		}
	}
}

// End is where the first empty line of b begins; -1 = there is none. What lies
// below from was looked through before, but for its last three octets.
func End(b []byte, from int) int {
	if from == 0 && begins(b) {
		return 0
	}
	for i := from; ; i++ {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return -1
		}
		if i += n; begins(b[i+1:]) {
			return i + 1
		}
	}
}

// begins reports that b begins with an empty line.
func begins(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\n")) || bytes.HasPrefix(b, []byte("\r\n"))
}
