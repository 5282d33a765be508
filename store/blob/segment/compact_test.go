package segment_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
)

// keeper holds blobs that have to stay readable.
type keeper struct {
	mu   sync.Mutex
	kept map[blob.Ref]string
}

func (k *keeper) add(ref blob.Ref, body string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept[ref] = body
}

// check reads and lists what is held.
func (k *keeper) check(s *segment.Store) error {
	k.mu.Lock()
	refs := maps.Clone(k.kept)
	k.mu.Unlock()
	for ref, body := range refs {
		if got, err := read(s, ref); err != nil || got != body {
			return fmt.Errorf("%s: %d octets, %w", ref, len(got), err)
		}
	}
	seen := 0
	for info, err := range s.List(context.Background(), "") {
		if err != nil {
			return err
		}
		if _, ok := refs[info.Ref]; ok {
			seen++
		}
	}
	if seen != len(refs) {
		return fmt.Errorf("List yields %d of %d", seen, len(refs))
	}
	return nil
}

// TestCompactUnderReaders reads, lists and writes while segments are being
// rewritten and removed.
func TestCompactUnderReaders(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	s := open(t, testTempDir(t), segment.Options{SegmentSize: 64 << 10, MaxShared: 16 << 10, MaxOpenFiles: 3})
	k := &keeper{kept: map[blob.Ref]string{}}
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if err := k.check(s); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	var total segment.CompactStats
	for round := range rounds {
		var gone []blob.Ref
		for i := range 60 {
			body := strings.Repeat(fmt.Sprint(round, " ", i, " "), 1+i*20%1500)
			ref, err := commit(s, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if i%8 == 0 {
				k.add(ref, body)
			} else {
				gone = append(gone, ref)
			}
		}
		if err := s.Delete(ctx, gone...); err != nil {
			t.Fatal(err)
		}
		st, err := s.Compact(ctx)
		if err != nil {
			t.Fatal(err)
		}
		total.Rewritten += st.Rewritten
		total.Freed += st.Freed
	}
	stop()
	readers.Wait()
	if total.Rewritten < rounds || total.Freed == 0 {
		t.Errorf("hardly compacted: %+v", total)
	}
	if _, err := s.Verify(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestCreatedIsKept(t *testing.T) {
	mem := newDisk()
	s := open(t, "/data", tiny(mem))
	h := newHistory()
	for range 6 {
		if err := h.commit(s, 290, -1); err != nil {
			t.Fatal(err)
		}
	}
	created := func(s *segment.Store) map[blob.Ref]time.Time {
		m := map[blob.Ref]time.Time{}
		for info := range s.List(context.Background(), "") {
			m[info.Ref] = info.Created
		}
		return m
	}
	before := created(s)
	if err := s.Delete(context.Background(), h.order[0], h.order[1]); err != nil {
		t.Fatal(err)
	}
	if st, err := s.Compact(context.Background()); err != nil || st.Rewritten != 1 {
		t.Fatalf("Compact: %+v, %v", st, err)
	}
	s.Close()
	for ref, at := range created(open(t, "/data", tiny(mem))) {
		if !before[ref].Equal(at) {
			t.Errorf("%s was created at %v, after a compaction at %v", ref, before[ref], at)
		}
	}
}

// TestNumbersAreNotReused deletes everything, in segments of both kinds, and
// opens again: the same octets must get another Ref (I1, S4).
func TestNumbersAreNotReused(t *testing.T) {
	for _, size := range []int{390, 2000} {
		mem, seen := newDisk(), map[blob.Ref]bool{}
		for round := range 5 {
			s := open(t, "/data", tiny(mem))
			for range 3 {
				ref, err := commit(s, bytes.Repeat([]byte("x"), size))
				if err != nil {
					t.Fatal(err)
				}
				if seen[ref] {
					t.Fatalf("round %d: %s was given twice", round, ref)
				}
				seen[ref] = true
				if err := s.Delete(context.Background(), ref); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Compact(context.Background()); err != nil {
				t.Fatal(err)
			}
			if n := s.Stats().Segments; n > 2 {
				t.Errorf("round %d: %d segments hold nothing", round, n)
			}
			s.Close()
		}
	}
}
