package imapsearch

import (
	"math/rand/v2"
	"testing"

	"github.com/mailstead/mailstead/store"
)

// TestProgram: what is known early never contradicts what comes out in
// the end, and a leaf that is not needed does not matter.
func TestProgram(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		p := randomProgram(rnd)
		facts := make([]truth, len(p))
		for i := range facts {
			facts[i] = truthOf(rnd.IntN(2) == 0)
		}
		final := p.eval(make([]truth, len(p)), func(i int) truth { return facts[i] })

		values := make([]truth, len(p))
		early := p.eval(values, func(i int) truth {
			if p[i].Flag == store.Seen {
				return facts[i]
			}
			return unknown
		})
		if early != unknown {
			if early != final {
				t.Fatalf("early %v, final %v", early, final)
			}
			continue
		}
		need := make([]bool, len(p))
		p.needed(values, need)
		got := p.eval(values, func(i int) truth {
			if need[i] {
				return facts[i]
			}
			return refuted
		})
		if got != final {
			t.Fatalf("with the needed leaves %v, with all %v", got, final)
		}
	}
}

// randomProgram has leaves that know their index, some judged early (Seen).
func randomProgram(rnd *rand.Rand) Program {
	var p Program
	var stack []int32
	for len(p) < 12 || len(stack) > 1 {
		n := Node{Op: OpFlag, Num: int64(len(p)), Flag: []store.Flags{store.Seen, store.Draft}[rnd.IntN(2)]}
		switch k := len(stack); {
		case k > 1 && (rnd.IntN(2) == 0 || len(p) >= 12):
			n = Node{Op: []Op{OpAnd, OpOr}[rnd.IntN(2)], Left: stack[k-2], Right: stack[k-1]}
			stack = stack[:k-2]
		case k > 0 && rnd.IntN(4) == 0:
			n = Node{Op: OpNot, Left: stack[k-1]}
			stack = stack[:k-1]
		}
		p = append(p, n)
		stack = append(stack, int32(len(p)-1))
	}
	return p
}
