package imapsearch

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

// TestManyKeywords: a thousand KEYWORD keys on a mailbox with a thousand sets of
// keywords cost neither octets nor looks that are a product of both.
func TestManyKeywords(t *testing.T) {
	const n = 1000
	in := library(t, rand.New(rand.NewPCG(1, 2)), n) // UID 8 has Key7
	p := Program{{Op: OpKeyword, Text: "NONE"}}
	for i := range n {
		p = append(p, Node{Op: OpKeyword, Text: fmt.Sprintf("Key%d", i%3+n)}, Node{Op: OpOr, Left: int32(len(p) - 1), Right: int32(len(p))})
	}
	p = append(p, Node{Op: OpKeyword, Text: "KEY7"}, Node{Op: OpOr, Left: int32(len(p) - 1), Right: int32(len(p))})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := Find(t.Context(), in, p)
	runtime.ReadMemStats(&after)
	if err != nil || got.String() != "8" {
		t.Errorf("%v, %v", got, err)
	}
	if octets := after.TotalAlloc - before.TotalAlloc; octets > 1<<19 {
		t.Errorf("%d octets", octets)
	}
}
