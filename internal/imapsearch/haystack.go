package imapsearch

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// needle is one text that is looked for in a stream of text.
type needle struct {
	text  []byte // folded
	found *truth
}

// haystack looks for needles in folded text that comes in pieces.
type haystack struct {
	needles []needle
	keep    int    // octets of the last piece that the start of a needle may be in
	buf     []byte // folded text not dropped yet
	carry   []byte // start of a character
	piece   []byte // where decoded text is read into
}

// reset prepares the haystack for other needles; its buffers stay.
func (h *haystack) reset(needles []needle) *haystack {
	h.end()
	h.needles, h.keep = needles, 0
	for _, n := range needles {
		h.keep = max(h.keep, len(n.text)-1)
	}
	return h
}

// done reports whether all needles were found.
func (h *haystack) done() bool {
	for _, n := range h.needles {
		if *n.found != proved {
			return false
		}
	}
	return true
}

// Write takes the next piece of text.
func (h *haystack) Write(p []byte) (int, error) {
	piece := p
	if len(h.carry) > 0 {
		piece = append(h.carry, p...)
		h.carry = nil
	}
	whole := len(piece)
	for i := max(0, whole-utf8.UTFMax+1); i < whole; i++ {
		if utf8.RuneStart(piece[i]) && !utf8.FullRune(piece[i:]) {
			whole = i
			break
		}
	}
	h.carry = slices.Clone(piece[whole:])
	h.buf = fold(h.buf, piece[:whole])
	for _, n := range h.needles {
		if *n.found != proved && bytes.Contains(h.buf, n.text) {
			*n.found = proved
		}
	}
	if drop := len(h.buf) - h.keep; drop > 0 {
		h.buf = append(h.buf[:0], h.buf[drop:]...)
	}
	return len(p), nil
}

// end separates one text from the next.
func (h *haystack) end() { h.buf, h.carry = h.buf[:0], nil }
