package imapserver

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// TestSeqMap compares a seqMap with a plain list through random histories.
func TestSeqMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var m seqMap
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
				m.add(set)
			} else {
				for range rnd.IntN(6) {
					set.Add(store.UID(rnd.IntN(int(next) + 2)))
				}
				m.remove(set)
				list = slices.DeleteFunc(list, set.Contains)
			}
			compareSeqMap(t, rnd, &m, list)
		}
	}
}

func compareSeqMap(t *testing.T, rnd *rand.Rand, m *seqMap, list []store.UID) {
	t.Helper()
	if int(m.len()) != len(list) {
		t.Fatalf("%d messages, want %d", m.len(), len(list))
	}
	for i, uid := range list {
		if seq := m.seq(uid); seq != uint32(i+1) {
			t.Fatalf("UID %d is %d, want %d", uid, seq, i+1)
		}
		if got := m.uid(uint32(i + 1)); got != uid {
			t.Fatalf("message %d is UID %d, want %d", i+1, got, uid)
		}
	}
	if len(list) == 0 {
		return
	}
	first, last := 1+rnd.IntN(len(list)), 1+rnd.IntN(len(list))
	uids, ok := m.resolve(imap.NumSet{{Start: uint32(first), Stop: uint32(last)}})
	if want := store.UIDs(list[min(first, last)-1 : max(first, last)]...); !ok || !slices.Equal(uids, want) {
		t.Fatalf("%d:%d is %v, want %v", first, last, uids, want)
	}
	if got := m.seqs(uids); got.Min() != store.UID(min(first, last)) || got.Max() != store.UID(max(first, last)) || len(got) != 1 {
		t.Fatalf("back: %v, want %d:%d", got, first, last)
	}
	if _, ok := m.resolve(imap.NumSet{{Start: 1, Stop: uint32(len(list) + 1)}}); ok {
		t.Fatal("a number without a message is taken")
	}
}

func TestBatches(t *testing.T) {
	set := store.UIDSet{{First: 1, Last: 25}, {First: 30, Last: 30}, {First: 40, Last: 49}}
	var got []string
	for part := range batches(set, 10) {
		if part.Len() > 10 {
			t.Errorf("a batch of %d", part.Len())
		}
		got = append(got, part.String())
	}
	if want := []string{"1:10", "11:20", "21:25,30,40:43", "44:49"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for range batches(store.UIDSet{{First: 1, Last: 1<<32 - 1}}, 1<<31) {
		got = got[:0]
	}
	if len(got) != 0 {
		t.Error("no batch of all UIDs")
	}
}
