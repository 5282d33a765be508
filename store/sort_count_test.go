package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestSortCost: 100,000 messages are compared n log n times, and take the memory
// that Sort says.
func TestSortCost(t *testing.T) {
	const n = 100_000
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, tt := range []struct {
		name    string
		subject func(i int) string
	}{
		{"random", func(int) string { return fmt.Sprint("subject ", rnd.IntN(n)) }},
		{"equal", func(int) string { return "subject" }},
		{"descending", func(i int) string { return fmt.Sprintf("subject %06d", n-i) }},
		{"an organ pipe", func(i int) string { return fmt.Sprintf("subject %06d", min(i, n-i)) }},
	} {
		s := newSorter(SortQuery{Keys: []SortKey{{By: SortSubject}, {By: SortDate, Reverse: true}}})
		for i := range n {
			s.add(&Message{UID: UID(i + 1), Received: time.Unix(int64(i%7), 0)}, &Meta{BaseSubject: []byte(tt.subject(i))})
		}
		if uids := s.sorted(); len(uids) != n {
			t.Fatalf("%d UIDs", len(uids))
		}
		if limit := 2 * n * 17; s.compared > limit { // log2 of n is 17
			t.Errorf("%s: %d pairs were compared", tt.name, s.compared)
		}
		octets := 12*cap(s.uids) + 8*cap(s.columns[0].ends) + cap(s.columns[0].text) + 8*cap(s.columns[1].numbers)
		if octets > 100*n {
			t.Errorf("%s: %d octets a message", tt.name, octets/n)
		}
	}
}
