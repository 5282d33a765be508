package smtppolicy

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A question that ends by its own time has no answer for all who wait; only one
// whose asker went away is asked again.
func TestCacheWaiters(t *testing.T) {
	for _, test := range []struct {
		name  string
		asker time.Duration // of the first who asks; 0 = no end
		asked int
	}{
		{"own time", 0, 1},
		{"asker gone", time.Second, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCache[string, int](10)
				var mu sync.Mutex
				asked := 0
				ask := func(ctx context.Context) (int, time.Duration, error) {
					mu.Lock()
					asked++
					mu.Unlock()
					ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
					defer cancel()
					<-ctx.Done()
					return 0, 0, ctx.Err()
				}
				first := t.Context()
				if test.asker > 0 {
					var cancel context.CancelFunc
					first, cancel = context.WithTimeout(first, test.asker)
					defer cancel()
				}
				var wg sync.WaitGroup
				wg.Go(func() { _, _ = c.get(first, "k", ask) })
				synctest.Wait()
				for range 10 {
					wg.Go(func() { _, _ = c.get(t.Context(), "k", ask) })
				}
				wg.Wait()
				if asked != test.asked {
					t.Errorf("asked %d times, want %d", asked, test.asked)
				}
			})
		})
	}
}
