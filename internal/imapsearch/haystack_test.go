package imapsearch

import (
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store/searchtext"
)

func TestHaystack(t *testing.T) {
	const text = "The quick BROWN fox, Grüße aus Köln, ÄÖÜ"
	for _, tt := range []struct {
		needle string
		want   bool
	}{{"brown FOX", true}, {"grÜSSE", false}, {"GRÜßE AUS", true}, {"äöü", true}, {"", true}, {"x, gr", true}, {"foxy", false}} {
		for size := 1; size < 12; size++ {
			found := unknown
			h := (&haystack{}).reset([]needle{{[]byte(searchtext.Fold(tt.needle)), &found}})
			for part := range slices.Chunk([]byte(text), size) {
				if _, err := h.Write(part); err != nil {
					t.Fatal(err)
				}
			}
			if (found == proved) != tt.want {
				t.Errorf("%q in pieces of %d: %v", tt.needle, size, found)
			}
		}
	}
}
