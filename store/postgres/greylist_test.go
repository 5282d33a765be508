package postgres_test

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/smtp/smtppolicy/greytest"
	"github.com/mailstead/mailstead/smtp/smtppolicy/sqlgrey"
)

func TestGreylistStore(t *testing.T) {
	greytest.Run(t, func(t *testing.T) smtppolicy.GreyStore {
		s, err := sqlgrey.New(t.Context(), fresh(t).engine.DB(), sqlgrey.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// Two nodes that note the same keys at once, in different order, see the same
// entries, and neither waits for the other for ever.
func TestGreylistNodes(t *testing.T) {
	first := fresh(t)
	second := open(t, first.dsn, first.blobs)
	var nodes []*sqlgrey.Store
	for _, o := range []*opened{first, second} {
		s, err := sqlgrey.New(t.Context(), o.engine.DB(), sqlgrey.Options{})
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, s)
	}
	start := time.Unix(1_800_000_000, 0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for round := range uint32(20) {
		keys := make([]smtppolicy.GreyKey, 20)
		for i := range keys {
			binary.BigEndian.PutUint32(keys[i][:], round*100+uint32(i))
		}
		var got [2][]smtppolicy.GreyEntry
		var wg sync.WaitGroup
		for n, s := range nodes {
			wg.Go(func() {
				mine := make([]smtppolicy.GreyKey, len(keys))
				for i, k := range keys {
					mine[(i*(n*6+1))%len(keys)] = k // 1 and 7 have no factor in common with 20
				}
				now := start.Add(time.Duration(n) * time.Second)
				entries, err := s.Attempt(ctx, mine, now, start.Add(time.Hour))
				if err != nil {
					t.Error(err)
					return
				}
				got[n] = make([]smtppolicy.GreyEntry, len(keys))
				for i := range keys {
					got[n][i] = entries[(i*(n*6+1))%len(keys)]
				}
				if err := s.Pass(ctx, mine, now, start.Add(time.Hour)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for i := range keys {
			if !got[0][i].First.Equal(got[1][i].First) {
				t.Errorf("round %d, key %d: %+v and %+v", round, i, got[0][i], got[1][i])
			}
			if e, err := nodes[0].Lookup(ctx, keys[i], start); err != nil || e.Passed != 2 {
				t.Errorf("round %d, key %d: %+v, %v", round, i, e, err)
			}
		}
	}
}
