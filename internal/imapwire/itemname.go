package imapwire

import "io"

// ConsumeItemName takes 1*(ALPHA / DIGIT / "."): the name of a data item of
// FETCH, of a section text, or a search key (RFC 3501 §9). The octet behind it
// must be in b.
func ConsumeItemName(b []byte) ([]byte, int, error) {
	n := 0
	for n < len(b) && isItemChar(b[n]) {
		n++
	}
	switch n {
	case len(b):
		return nil, 0, io.ErrUnexpectedEOF
	case 0:
		return nil, 0, syntax(0, "name of an item expected")
	}
	return b[:n], n, nil
}

func isItemChar(c byte) bool {
	return c == '.' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
