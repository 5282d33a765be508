package segment_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
)

const firstSegment = "/data/0000000001.00000000.seg"

// patch changes octets of a file behind the store's back.
func patch(t *testing.T, mem *vfs.Mem, name string, off int64, octets string) {
	t.Helper()
	f, err := mem.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(octets), off); err != nil {
		t.Fatal(err)
	}
}

func quarantined(mem *vfs.Mem) (n int) {
	entries, _ := mem.ReadDir("/data/quarantine")
	return len(entries)
}

// threeRecords are at 64, 208 and 352, each of 144 octets, in the first
// segment, which stays the active one.
func threeRecords(t *testing.T) (*vfs.Mem, *history) {
	t.Helper()
	mem, h := newDisk(), newHistory()
	s := open(t, "/data", tiny(mem))
	for range 3 {
		if err := h.commit(s, 99, -1); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	return mem, h
}

// TestDamagedLastSegment damages the segment that Open checks: what is whole
// stays, what is not is set aside or cut, never listed, and reported once.
func TestDamagedLastSegment(t *testing.T) {
	tests := []struct {
		name   string
		off    int64
		octets string
		lost   []int // of the three records
		aside  int
		torn   int64
	}{
		{"body of the first", 64 + 50, "\x00", []int{0}, 1, 0},
		{"header of the first", 64 + 20, "\xff", []int{0}, 1, 0},
		{"magic of the second", 208, "\x00\x00", []int{1}, 1, 0},
		{"headers of two", 64, strings.Repeat("\x00", 150), []int{0, 1}, 1, 0},
		{"body of the last", 352 + 60, "\x00", []int{2}, 1, 144},
		{"header of the last: looks like a torn end", 352 + 4, "\x01", []int{2}, 1, 144},
		{"size of the last", 352 + 8, "\xff\xff", []int{2}, 1, 144},
		{"zeros behind the end", 496, strings.Repeat("\x00", 100), nil, 0, 100},
		{"half a record behind the end", 496, "MSR1\x00\x00\x00\x00", nil, 1, 8},
		{"a body that poses as a record", 496, "MSR1" + strings.Repeat("\x00", 36), nil, 1, 40},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mem, h := threeRecords(t)
			patch(t, mem, firstSegment, tt.off, tt.octets)
			for round := range 3 {
				s := open(t, "/data", tiny(mem))
				rep := s.Recovery()
				wantAside, wantTorn := tt.aside, tt.torn
				if round > 0 {
					wantAside, wantTorn = 0, 0
				}
				if len(rep.SetAside) != wantAside || rep.TornBytes != wantTorn || quarantined(mem) != tt.aside {
					t.Errorf("round %d: %+v with %d files set aside; want %d, torn %d", round, rep, quarantined(mem), wantAside, wantTorn)
				}
				h.checkLost(t, s, tt.lost)
				if err := h.commit(s, 10, -1); err != nil {
					t.Error(err)
				}
				s.Close()
			}
		})
	}
}

// checkLost asks for all records. Those of the first ones that are in lost are
// not listed; their bodies, found by the Ref alone, are right or an error.
func (h *history) checkLost(t *testing.T, s *segment.Store, lost []int) {
	t.Helper()
	gone := map[blob.Ref]bool{}
	for _, i := range lost {
		gone[h.order[i]] = true
	}
	for ref, body := range h.acked {
		got, err := read(s, ref)
		switch {
		case gone[ref] && err == nil && got == body: // its header is damaged, not its body
		case gone[ref] && !errors.Is(err, blob.ErrCorrupt) && !errors.Is(err, blob.ErrNoBlob):
			t.Errorf("damaged %s: %q, %v", ref, got, err)
		case !gone[ref] && (err != nil || got != body):
			t.Errorf("whole %s: %q, %v", ref, got, err)
		}
	}
	listed := 0
	for info, err := range s.List(context.Background(), "") {
		if err != nil || gone[info.Ref] {
			t.Errorf("List yields %s, %v", info.Ref, err)
		}
		listed++
	}
	if want := len(h.acked) - len(lost); listed != want {
		t.Errorf("%d blobs are listed, want %d", listed, want)
	}
}

// TestRot damages segments that Open does not read: reading, Verify and
// Compact notice, and nothing is taken away.
func TestRot(t *testing.T) {
	ctx := context.Background()
	mem, h := newDisk(), newHistory()
	s := open(t, "/data", tiny(mem))
	for _, n := range []int{290, 290, 290, 2000, 290, 290} { // 1: 0..2, 2: 3, 3: 4..5
		if err := h.commit(s, n, -1); err != nil {
			t.Fatal(err)
		}
	}
	patch(t, mem, firstSegment, 64+40+100, "?")
	patch(t, mem, "/data/0000000002.00000000.one", 64+40+1900, "?")
	for _, i := range []int{0, 3} {
		if _, err := read(s, h.order[i]); !errors.Is(err, blob.ErrCorrupt) {
			t.Errorf("Open of damaged blob %d: %v, want ErrCorrupt", i, err)
		}
	}
	rep, err := s.Verify(ctx)
	if !errors.Is(err, blob.ErrCorrupt) || len(rep.Damaged) != 2 || rep.Blobs != 4 {
		t.Errorf("Verify: %+v, %v", rep, err)
	}
	for i, d := range rep.Damaged {
		if want := h.order[3*i]; d.Ref != want {
			t.Errorf("Verify names %q, want %q", d.Ref, want)
		}
	}
	if err := s.Delete(ctx, h.order[1], h.order[2]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Compact(ctx); !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("Compact over damage: %v, want ErrCorrupt", err)
	}
	if _, err := mem.Stat(firstSegment); err != nil {
		t.Errorf("a damaged segment is gone: %v", err)
	}
}

// TestLostHeader destroys the header of a segment file: bodies of generation 0
// are still found by their Refs.
func TestLostHeader(t *testing.T) {
	mem, h := threeRecords(t)
	patch(t, mem, firstSegment, 30, "????")
	s := open(t, "/data", tiny(mem))
	for ref, body := range h.acked {
		if got, err := read(s, ref); err != nil || got != body {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
	var listErr error
	for _, err := range s.List(context.Background(), "") {
		listErr = errors.Join(listErr, err)
	}
	if !errors.Is(listErr, blob.ErrCorrupt) {
		t.Errorf("List: %v, want ErrCorrupt", listErr)
	}
	if err := h.commit(s, 50, -1); err != nil { // into a new segment
		t.Error(err)
	}
}

// TestNewerVersion refuses what a later version of the package wrote.
func TestNewerVersion(t *testing.T) {
	mem, _ := threeRecords(t)
	patch(t, mem, firstSegment, 8, "\x02\x00")
	if s, err := segment.Open(context.Background(), "/data", tiny(mem)); !errors.Is(err, blob.ErrVersion) {
		if err == nil {
			s.Close()
		}
		t.Errorf("Open: %v, want ErrVersion", err)
	}
	mem2 := mem.AfterKill()
	patch(t, mem2, firstSegment, 8, "\x01\x00")
	open(t, "/data", tiny(mem2)) // untouched and unlocked
}

// TestForeignFiles leaves alone what is not ours.
func TestForeignFiles(t *testing.T) {
	mem, h := threeRecords(t)
	for _, name := range []string{"README", "0000000001.seg", "0000000001.0000000g.seg", "core.123"} {
		f, err := mem.OpenFile("/data/"+name, os.O_RDWR|os.O_CREATE, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	s := open(t, "/data", tiny(mem))
	if rep := s.Recovery(); len(rep.Unknown) != 4 || len(rep.Removed) != 0 {
		t.Errorf("%+v", rep)
	}
	h.checkLost(t, s, nil)
}

// FuzzOpen gives the engine any octets as its last segment: it must not panic,
// must list only what it can read, and must go on to work.
func FuzzOpen(f *testing.F) {
	mem, h := newDisk(), newHistory()
	s, err := segment.Open(context.Background(), "/data", tiny(mem))
	if err != nil {
		f.Fatal(err)
	}
	for range 3 {
		if err := h.commit(s, 99, -1); err != nil {
			f.Fatal(err)
		}
	}
	s.Close()
	file, err := mem.OpenFile(firstSegment, os.O_RDONLY, 0)
	if err != nil {
		f.Fatal(err)
	}
	seed := make([]byte, 496)
	if _, err := file.ReadAt(seed, 0); err != nil {
		f.Fatal(err)
	}
	f.Add(seed, []byte{}, false)
	f.Add(seed[:300], seed[:100], true)
	f.Add(seed[:64], seed, false)
	f.Fuzz(func(t *testing.T, seg, tombs []byte, single bool) {
		disk := newDisk()
		name := firstSegment
		if single {
			name = strings.TrimSuffix(name, "seg") + "one"
		}
		for name, data := range map[string][]byte{name: seg, "/data/0000000001.00000000.del": tombs} {
			f, err := disk.OpenFile(name, os.O_RDWR|os.O_CREATE, 0)
			if err != nil {
				t.Fatal(err)
			}
			f.WriteAt(data, 0)
			f.Close()
		}
		s, err := segment.Open(context.Background(), "/data", tiny(disk))
		if errors.Is(err, blob.ErrVersion) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for info, err := range s.List(context.Background(), "") {
			if err != nil {
				break
			}
			if _, err := read(s, info.Ref); err != nil && !single {
				t.Errorf("%s is listed; Open: %v", info.Ref, err)
			}
		}
		s.Verify(context.Background())
		s.Compact(context.Background())
		h := newHistory()
		if err := h.commit(s, 100, -1); err != nil {
			t.Fatal(err)
		}
		for ref, body := range h.acked {
			if got, err := read(s, ref); err != nil || got != body {
				t.Errorf("%s: %q, %v", ref, got, err)
			}
		}
	})
}
