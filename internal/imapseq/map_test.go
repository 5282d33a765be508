package imapseq

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// TestMap compares a Map with a plain list through random histories.
func TestMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var m Map
		var list []store.UID
		next := store.UID(1)
		for range 30 {
			var set store.UIDSet
			if rnd.IntN(2) == 0 {
				for range rnd.IntN(10) {
					next += store.UID(1 + rnd.IntN(3)/2)
					set.Add(next)
					list = append(list, next)
				}
				m.Add(set)
			} else {
				for range rnd.IntN(6) {
					set.Add(store.UID(rnd.IntN(int(next) + 2)))
				}
				m.Remove(set)
				list = slices.DeleteFunc(list, set.Contains)
			}
			compare(t, rnd, &m, list)
		}
	}
}

func compare(t *testing.T, rnd *rand.Rand, m *Map, list []store.UID) {
	t.Helper()
	if int(m.Len()) != len(list) {
		t.Fatalf("%d messages, want %d", m.Len(), len(list))
	}
	for i, uid := range list {
		if seq := m.Seq(uid); seq != uint32(i+1) {
			t.Fatalf("UID %d is %d, want %d", uid, seq, i+1)
		}
		if got := m.UID(uint32(i + 1)); got != uid {
			t.Fatalf("message %d is UID %d, want %d", i+1, got, uid)
		}
	}
	if len(list) == 0 {
		return
	}
	first, last := 1+rnd.IntN(len(list)), 1+rnd.IntN(len(list))
	uids, ok := m.Resolve(imap.NumSet{{Start: uint32(first), Stop: uint32(last)}})
	if want := store.UIDs(list[min(first, last)-1 : max(first, last)]...); !ok || !slices.Equal(uids, want) {
		t.Fatalf("%d:%d is %v, want %v", first, last, uids, want)
	}
	if got := m.Seqs(uids); got.Min() != store.UID(min(first, last)) || got.Max() != store.UID(max(first, last)) || len(got) != 1 {
		t.Fatalf("back: %v, want %d:%d", got, first, last)
	}
	if got := m.Existing(imap.NumSet{{Start: uint32(first), Stop: uint32(last)}}); !slices.Equal(got, uids) {
		t.Fatalf("%d:%d are %v, want %v", first, last, got, uids)
	}
	past := uint32(len(list) + 1)
	if got := m.Existing(imap.NumSet{{Start: past, Stop: past + 3}}); len(got) != 0 {
		t.Fatalf("numbers without a message are %v", got)
	}
	if got, want := m.Existing(imap.NumSet{{Start: past - 1, Stop: past}}), store.UIDs(list[len(list)-1]); !slices.Equal(got, want) {
		t.Fatalf("numbers partly without a message are %v, want %v", got, want)
	}
	if _, ok := m.Resolve(imap.NumSet{{Start: 1, Stop: uint32(len(list) + 1)}}); ok {
		t.Fatal("a number without a message is taken")
	}
}

// TestAgreed compares Agreed with a walk through all pairs, for clients that
// knew the mailbox before some messages went.
func TestAgreed(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		var before []store.UID
		for uid := store.UID(1); uid < 60; uid += store.UID(1 + rnd.IntN(3)) {
			before = append(before, uid)
		}
		var m Map
		m.Add(store.UIDs(before...))
		for range rnd.IntN(3) {
			m.Remove(store.UIDs(before[rnd.IntN(len(before))]))
		}
		var seqs, uids imap.NumSet
		var want store.UID
		agreed := true
		for seq := 1; seq <= len(before); seq += 1 + rnd.IntN(4) {
			uid := before[seq-1]
			seqs, uids = addNum(seqs, uint32(seq)), addNum(uids, uint32(uid))
			if agreed = agreed && m.Seq(uid) == uint32(seq); agreed {
				want = uid
			}
		}
		if got := m.Agreed(seqs, uids); got != want {
			t.Fatalf("%s are %s: agreed up to %d, want %d; there are %v", seqs, uids, got, want, m.UIDs())
		}
	}
}

// addNum adds a number behind all others, to the last range where it fits.
func addNum(set imap.NumSet, n uint32) imap.NumSet {
	if i := len(set) - 1; i >= 0 && set[i].Stop+1 == n {
		set[i].Stop = n
		return set
	}
	return append(set, imap.NumRange{Start: n, Stop: n})
}

// TestAgreedCost: the whole range of numbers costs no more than a short one.
func TestAgreedCost(t *testing.T) {
	var m Map
	m.Add(store.UIDSet{{First: 1, Last: 1_000_000}})
	all := imap.NumSet{{Start: 1, Stop: 1<<32 - 1}}
	if got := m.Agreed(all, all); got != 1_000_000 {
		t.Fatal(got)
	}
}

func TestBatch(t *testing.T) {
	var m Map
	if r, ok := m.Batch(500, 1); ok {
		t.Fatalf("an empty mailbox has %v", r)
	}
	m.Add(store.UIDSet{{First: 10, Last: 1009}, {First: 2001, Last: 2600}}) // 1600 messages
	for _, tt := range []struct {
		size, n uint32
		want    store.UIDRange
		ok      bool
	}{
		{1000, 1, store.UIDRange{First: 610, Last: 2600}, true},
		{1000, 2, store.UIDRange{First: 1, Last: 609}, true},
		{1000, 3, store.UIDRange{}, false},
		{800, 2, store.UIDRange{First: 1, Last: 809}, true},
		{800, 3, store.UIDRange{}, false},
		{1600, 1, store.UIDRange{First: 1, Last: 2600}, true},
		{1<<32 - 1, 1, store.UIDRange{First: 1, Last: 2600}, true},
		{1<<32 - 1, 1<<32 - 1, store.UIDRange{}, false},
	} {
		if got, ok := m.Batch(tt.size, tt.n); got != tt.want || ok != tt.ok {
			t.Errorf("batch %d of %d: %v, %v, want %v", tt.n, tt.size, got, ok, tt.want)
		}
	}
	// The batches of a size part the messages: each is in one.
	for size := uint32(500); size < 1700; size += 77 {
		var all store.UIDSet
		for n := uint32(1); ; n++ {
			r, ok := m.Batch(size, n)
			if !ok {
				break
			}
			got := m.UIDs().Intersect(store.UIDSet{r})
			if len(all.Intersect(got)) > 0 || got.Len() > int64(size) {
				t.Fatalf("batch %d of %d: %v", n, size, r)
			}
			all.AddSet(got)
		}
		if !slices.Equal(all, m.UIDs()) {
			t.Fatalf("batches of %d hold %v", size, all)
		}
	}
}

// holes is a mailbox of n messages of which every second UID is gone.
func holes(n int) *Map {
	set := make(store.UIDSet, 0, n)
	for i := range n {
		uid := store.UID(2*i + 1)
		set = append(set, store.UIDRange{First: uid, Last: uid})
	}
	m := &Map{}
	m.Add(set)
	return m
}

// TestRemoveFew compares the removal of a few in place with that of many.
func TestRemoveFew(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		var m Map
		var set store.UIDSet
		for uid := store.UID(1); uid < 40; uid += store.UID(1 + rnd.IntN(3)/2) {
			set.Add(uid)
		}
		m.Add(set)
		first := store.UID(1 + rnd.IntN(45))
		r := store.UIDRange{First: first, Last: first + store.UID(rnd.IntN(6))}
		m.Remove(store.UIDSet{r})
		want := Map{}
		want.Add(set.Minus(store.UIDSet{r}))
		if !slices.Equal(m.uids, want.uids) || !slices.Equal(m.before, want.before) || m.n != want.n {
			t.Fatalf("%v without %v: %v, want %v", set, r, m, want)
		}
	}
}

func BenchmarkMap(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		m := holes(n)
		b.Run("Seq/"+strconv.Itoa(n), func(b *testing.B) {
			for i := range b.N {
				m.Seq(store.UID(2*(i*7919%n) + 1))
			}
		})
		b.Run("UID/"+strconv.Itoa(n), func(b *testing.B) {
			for i := range b.N {
				m.UID(uint32(i*7919%n) + 1)
			}
		})
		b.Run("Resolve/"+strconv.Itoa(n), func(b *testing.B) {
			for i := range b.N {
				k := uint32(i*7919%n) + 1
				m.Resolve(imap.NumSet{{Start: k, Stop: k}})
			}
		})
		b.Run("Remove/"+strconv.Itoa(n), func(b *testing.B) {
			for i := range b.N {
				uid := store.UID(2*(i*7919%n) + 1)
				m.Remove(store.UIDSet{{First: uid, Last: uid}})
			}
		})
	}
}
