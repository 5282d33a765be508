package imapsearch

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// rowProgram is a random program of leaves that the view judges, and of one that
// it does not.
func rowProgram(rnd *rand.Rand) Program {
	p := randomProgram(rnd)
	set := func() (s imap.NumSet) {
		for range 1 + rnd.IntN(3) {
			a := uint32(rnd.IntN(250))
			s = append(s, imap.NumRange{Start: a, Stop: a + uint32(rnd.IntN(90))})
		}
		return s
	}
	for i := range p {
		if p[i].Op != OpFlag {
			continue
		}
		switch rnd.IntN(9) {
		case 0:
			p[i] = Node{Op: OpUIDSet, Set: set()}
		case 1:
			p[i] = Node{Op: OpUIDs, UIDs: set().Resolve(200)}
		case 2:
			p[i] = Node{Op: OpLarger, Num: int64(40 + rnd.IntN(60))}
		case 3:
			p[i] = Node{Op: OpSmaller, Num: int64(40 + rnd.IntN(60))}
		case 4:
			p[i] = Node{Op: OpModSeq, Num: int64(rnd.IntN(250))}
		case 5:
			p[i] = Node{Op: OpRecent}
		case 6:
			p[i] = Node{Op: OpBody, Text: "x"}
		case 7:
			p[i] = Node{Op: OpKeyword, Text: "none"}
		}
	}
	return p
}

// TestLanes: 64 rows at once are judged like one, and narrow leaves out nothing
// that could be found.
func TestLanes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	in := library(t, rnd, 200)
	in.Recent = store.UIDSet{{First: 30, Last: 60}, {First: 64, Last: 64}, {First: 190, Last: 200}}
	for range 2000 {
		p := rowProgram(rnd)
		if rnd.IntN(2) == 0 {
			set := Node{Op: OpUIDSet, Set: imap.NumSet{{Start: uint32(1 + rnd.IntN(100)), Stop: uint32(50 + rnd.IntN(100))}}}
			p = append(p, set, Node{Op: OpAnd, Left: int32(len(p) - 1), Right: int32(len(p))})
		}
		s := newSearcher(t.Context(), in, p)
		found, doubt := s.byRows(s.narrow(in.Known))
		for row := range in.Table.Rows(1, in.Table.MaxUID()) {
			clear(s.values)
			want := p.eval(s.values, func(i int) truth { return s.byRow(i, row) })
			if found.Contains(row.UID) != (want == proved) || doubt.Contains(row.UID) != (want == unknown) {
				t.Fatalf("%+v: UID %d is %d, found %v, in doubt %v", p, row.UID, want, found, doubt)
			}
		}
	}
}

// TestHostileSets: a search for many ranges looks at each row, and at the ranges
// that lie there, once.
func TestHostileSets(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 5))
	in := library(t, rnd, 200)
	var set imap.NumSet
	for i := range uint32(imapwire.MaxRanges) {
		set = append(set, imap.NumRange{Start: 4294967295 - 2*i, Stop: 4294967295 - 2*i})
	}
	set[0] = imap.NumRange{Start: 150, Stop: 4294967295}
	got, err := Find(context.Background(), in, Program{{Op: OpUIDSet, Set: set}, {Op: OpNot, Left: 0}})
	if err != nil || got.String() != "1:149" {
		t.Errorf("%v, %v", got, err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _ = Find(context.Background(), in, Program{{Op: OpUIDSet, Set: set}})
	runtime.ReadMemStats(&after)
	if octets := after.TotalAlloc - before.TotalAlloc; octets > 1<<19 {
		t.Errorf("%d octets", octets)
	}
}

// TestParseDeep: nesting costs no stack, a node for each operator, and one look at
// each key, where the nodes are not bounded.
func TestParseDeep(t *testing.T) {
	const n = 20_000
	dec := imapwire.NewDecoder(strings.NewReader(strings.Repeat("NOT ", n)+"SEEN\r\n"), imapwire.Config{MaxLine: 1 << 20})
	if err := dec.Begin(); err != nil {
		t.Fatal(err)
	}
	p, err := NewParser(dec, Config{MaxNodes: -1}).Program()
	if err != nil || len(p) != n+1 {
		t.Fatalf("%d nodes, %v", len(p), err)
	}
	looks := 0
	if v := p.eval(make([]truth, len(p)), func(int) truth { looks++; return proved }); v != proved || looks != 1 {
		t.Errorf("the value is %d, after %d looks", v, looks)
	}
}
