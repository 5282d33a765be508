package imapsearch

import (
	"bytes"

	"github.com/mailstead/mailstead/store/searchtext"
)

// needle is one text that is looked for in a stream of text.
type needle struct {
	text  []byte // folded
	found *truth
}

// haystack looks for needles in texts that come in pieces. It is a
// searchtext.Sink.
type haystack struct {
	needles []needle
	keep    int    // octets of the last piece that the start of a needle may be in
	buf     []byte // folded text not dropped yet
	fold    searchtext.Folder
}

// reset prepares the haystack for other needles; its buffers stay.
func (h *haystack) reset(needles []needle) *haystack {
	h.End()
	h.needles, h.keep = needles, 0
	for _, n := range needles {
		h.keep = max(h.keep, len(n.text)-1)
	}
	return h
}

// Done reports whether all needles were found.
func (h *haystack) Done() bool {
	for _, n := range h.needles {
		if *n.found != proved {
			return false
		}
	}
	return true
}

// Write takes the next piece of text. A long one is folded bit by bit.
func (h *haystack) Write(p []byte) (int, error) {
	const most = 16 << 10
	for rest := p; len(rest) > 0; {
		n := min(len(rest), most)
		h.write(rest[:n])
		rest = rest[n:]
	}
	return len(p), nil
}

func (h *haystack) write(p []byte) {
	h.buf = h.fold.Append(h.buf, p)
	for _, n := range h.needles {
		if *n.found != proved && bytes.Contains(h.buf, n.text) {
			*n.found = proved
		}
	}
	if drop := len(h.buf) - h.keep; drop > 0 {
		h.buf = append(h.buf[:0], h.buf[drop:]...)
	}
}

// End separates one text from the next.
func (h *haystack) End() {
	h.buf = h.buf[:0]
	h.fold.End()
}
