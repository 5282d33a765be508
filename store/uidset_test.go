package store

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestUIDSetAdd(t *testing.T) {
	const top = 1<<32 - 1
	for _, c := range []struct {
		name string
		add  [][2]UID
		want string
	}{
		{"nothing", nil, ""},
		{"zero is no UID", [][2]UID{{0, 0}}, ""},
		{"a range from zero", [][2]UID{{0, 3}}, "1:3"},
		{"backwards", [][2]UID{{7, 5}}, "5:7"},
		{"touching behind", [][2]UID{{1, 2}, {3, 4}}, "1:4"},
		{"touching in front", [][2]UID{{3, 4}, {1, 2}}, "1:4"},
		{"a gap of one", [][2]UID{{1, 1}, {3, 3}}, "1,3"},
		{"closing a gap", [][2]UID{{1, 1}, {3, 3}, {2, 2}}, "1:3"},
		{"swallowing many", [][2]UID{{1, 1}, {5, 6}, {9, 9}, {20, 30}, {3, 19}}, "1,3:30"},
		{"inside", [][2]UID{{1, 100}, {50, 60}}, "1:100"},
		{"the greatest", [][2]UID{{top, top}, {top - 1, top - 1}}, "4294967294:4294967295"},
		{"everything", [][2]UID{{5, 5}, {top, top}, {1, top}}, "1:4294967295"},
	} {
		var s UIDSet
		for _, r := range c.add {
			s.AddRange(r[0], r[1])
		}
		if got := s.String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestUIDSetBounds(t *testing.T) {
	var none UIDSet
	if none.Min() != 0 || none.Max() != 0 || none.Len() != 0 || none.Contains(1) || none.String() != "" {
		t.Errorf("the empty set: %d %d %d", none.Min(), none.Max(), none.Len())
	}
	if n := AllUIDs().Len(); n != 1<<32-1 {
		t.Errorf("1:* has %d UIDs", n)
	}
	s := UIDSet{{1<<32 - 2, 1<<32 - 1}}
	if got := slices.Collect(s.All()); len(got) != 2 {
		t.Errorf("All at the upper end yields %v", got)
	}
	if got := AllUIDs().Minus(UIDs(1, 7, 1<<32-1)).String(); got != "2:6,8:4294967294" {
		t.Errorf("1:* without three = %s", got)
	}
	c := s.Clone()
	c.Add(5)
	if s.Contains(5) {
		t.Error("a clone shares with its source")
	}
}

// FuzzUIDSet reads its input as operations on two sets and holds them against
// plain maps.
func FuzzUIDSet(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte{0, 10, 20, 1, 15, 30, 0, 31, 31, 1, 1, 255})
	f.Fuzz(func(t *testing.T, in []byte) {
		var s, u UIDSet
		ms, mu := map[UID]bool{}, map[UID]bool{}
		for ; len(in) >= 3; in = in[3:] {
			set, m := &s, ms
			if in[0]&1 == 1 {
				set, m = &u, mu
			}
			first, last := UID(in[1]), UID(in[2])
			if in[0]&2 != 0 {
				last = first + last%4
			}
			set.AddRange(first, last)
			for x := max(1, min(first, last)); x <= max(first, last); x++ {
				m[x] = true
			}
		}
		check(t, "s", s, func(x UID) bool { return ms[x] })
		check(t, "u", u, func(x UID) bool { return mu[x] })
		check(t, "s and u", s.Intersect(u), func(x UID) bool { return ms[x] && mu[x] })
		check(t, "s without u", s.Minus(u), func(x UID) bool { return ms[x] && !mu[x] })
		both := s.Clone()
		both.AddSet(u)
		check(t, "s or u", both, func(x UID) bool { return ms[x] || mu[x] })
		check(t, "s after the operations", s, func(x UID) bool { return ms[x] })
	})
}

// check holds a set of UIDs below 300 against what it should contain, and its
// form against the rules of UIDSet.
func check(t *testing.T, name string, s UIDSet, in func(UID) bool) {
	t.Helper()
	for i, r := range s {
		if r.First < 1 || r.First > r.Last || i > 0 && r.First <= s[i-1].Last+1 {
			t.Fatalf("%s = %v: ranges are not ascending with gaps", name, s)
		}
	}
	var want []UID
	for x := UID(0); x < 300; x++ {
		if s.Contains(x) != in(x) {
			t.Fatalf("%s = %v: Contains(%d) = %v", name, s, x, !in(x))
		}
		if in(x) {
			want = append(want, x)
		}
	}
	if got := slices.Collect(s.All()); !slices.Equal(got, want) || s.Len() != int64(len(want)) {
		t.Fatalf("%s: All = %v, Len = %d; want %v", name, got, s.Len(), want)
	}
}

func BenchmarkUIDSetAddAscending(b *testing.B) {
	b.ReportAllocs()
	s := make(UIDSet, 0, 1)
	for i := range b.N {
		if s.Add(UID(i) + 1); i%1000 == 999 {
			s = s[:0]
		}
	}
}

// TestIntersectSkips compares Intersect of sets of very different sizes with a
// look at each UID.
func TestIntersectSkips(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	for range 500 {
		var large, small UIDSet
		for uid := UID(1); uid < 400; uid += UID(1 + rnd.IntN(4)) {
			large.AddRange(uid, uid+UID(rnd.IntN(2)))
		}
		for range rnd.IntN(5) {
			first := UID(1 + rnd.IntN(420))
			small.AddRange(first, first+UID(rnd.IntN(9)))
		}
		var want UIDSet
		for uid := UID(1); uid < 450; uid++ {
			if large.Contains(uid) && small.Contains(uid) {
				want.Add(uid)
			}
		}
		got := merged(large.Intersect(small))
		if back := merged(small.Intersect(large)); !slices.Equal(got, want) || !slices.Equal(back, want) {
			t.Fatalf("%v and %v: %v and %v, want %v", large, small, got, back, want)
		}
	}
}

// merged joins ranges that touch.
func merged(s UIDSet) (out UIDSet) {
	out.AddSet(s)
	return out
}
