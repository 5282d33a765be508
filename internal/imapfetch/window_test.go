package imapfetch

import (
	"bytes"
	"slices"
	"testing"
)

// A window cuts the same octets out however the text comes in.
func TestWindow(t *testing.T) {
	const text = "0123456789"
	for size := 1; size <= len(text); size++ {
		for skip := range int64(len(text) + 1) {
			for left := range int64(len(text)) - skip + 1 {
				var out bytes.Buffer
				w := &window{w: &out, skip: skip, left: left}
				for piece := range slices.Chunk([]byte(text), size) {
					if n, err := w.Write(piece); n != len(piece) || err != nil {
						t.Fatal(n, err)
					}
				}
				if want := text[skip : skip+left]; out.String() != want {
					t.Fatalf("%d behind %d in pieces of %d: %q", left, skip, size, out.String())
				}
			}
		}
	}
}
