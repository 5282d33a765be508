package mirror

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/imap"
)

// TestRuns compares what put and remove do with a map.
func TestRuns(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		s, want := &State{}, map[imap.UID]imap.Flags{}
		for range 30 {
			if rnd.IntN(3) > 0 {
				edits := map[imap.UID]imap.Flags{}
				for range rnd.IntN(8) {
					edits[imap.UID(1+rnd.IntN(30))] = imap.Flags(rnd.IntN(3))
				}
				var list []edit
				for _, uid := range slices.Sorted(maps.Keys(edits)) {
					list = append(list, edit{uid, s.sets.intern(Flags{System: edits[uid]})})
					want[uid] = edits[uid]
				}
				s.put(list)
			} else {
				var gone imap.UIDSet
				for range rnd.IntN(4) {
					first := imap.UID(1 + rnd.IntN(30))
					gone.AddRange(first, first+imap.UID(rnd.IntN(6)))
				}
				s.remove(gone)
				maps.DeleteFunc(want, func(uid imap.UID, _ imap.Flags) bool { return gone.Contains(uid) })
			}
			if rnd.IntN(5) == 0 {
				s.compact(0)
			}
			compare(t, s, want)
		}
	}
}

func compare(t *testing.T, s *State, want map[imap.UID]imap.Flags) {
	t.Helper()
	n := 0
	for uid, f := range s.All() {
		n++
		if w, ok := want[uid]; !ok || w != f.System || s.UIDAt(uint32(n)) != uid {
			t.Fatalf("UID %d has %v, want %v %v; number %d is %d", uid, f, w, ok, n, s.UIDAt(uint32(n)))
		}
	}
	if n != len(want) || s.Len() != int64(n) || s.UIDs().Len() != int64(n) {
		t.Fatalf("%d messages, Len %d, want %d", n, s.Len(), len(want))
	}
	for i := 1; i < len(s.runs); i++ {
		a, b := s.runs[i-1], s.runs[i]
		if a.last >= b.first || a.last+1 == b.first && a.flags == b.flags {
			t.Fatalf("runs %v", s.runs)
		}
	}
}

// TestHighUIDs: the greatest UID there is.
func TestHighUIDs(t *testing.T) {
	s := &State{}
	s.put([]edit{{1<<32 - 2, s.sets.intern(Flags{})}, {1<<32 - 1, 0}})
	n := 0
	for range s.All() {
		n++
	}
	if n != 2 || s.MaxUID() != 1<<32-1 {
		t.Error(n, s.MaxUID())
	}
	s.remove(imap.UIDSet{{First: 1<<32 - 1, Last: 1<<32 - 1}})
	if s.Len() != 1 {
		t.Error(s.Len())
	}
}

// FuzzState: any octets are a state that is written as it was read, or ErrState.
func FuzzState(f *testing.F) {
	s := &State{UIDValidity: 7, UIDNext: 9, ModSeq: 1 << 40}
	s.put([]edit{{3, s.sets.intern(Flags{System: 1, Keywords: []string{"a", "b"}})}, {4, s.sets.intern(Flags{})}, {5, 1}})
	seed, _ := s.MarshalBinary()
	f.Add(seed[:len(seed)-4])
	f.Fuzz(func(t *testing.T, data []byte) {
		data = binary.BigEndian.AppendUint32(data[:len(data):len(data)], crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
		read := &State{}
		if read.UnmarshalBinary(data) != nil {
			return
		}
		once, _ := read.MarshalBinary()
		again := &State{}
		if err := again.UnmarshalBinary(once); err != nil {
			t.Fatal(err)
		}
		if twice, _ := again.MarshalBinary(); !bytes.Equal(once, twice) {
			t.Fatalf("%x %x", once, twice)
		}
	})
}
