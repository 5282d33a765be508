package deliver

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Who cannot be served in time takes no turn: others are not kept from theirs.
func TestHostLimitsTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &HostLimits{Interval: 10 * time.Second, Wait: 15 * time.Second, PerHost: -1}
		start, served, busy := time.Now(), 0, 0
		for range 10 { // 20 workers come at once, and again when all of them are done
			var all sync.WaitGroup
			var mu sync.Mutex
			for range 20 {
				all.Go(func() {
					release, err := h.acquire(t.Context(), "mx.test", Source{})
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						busy++
						return
					}
					served++
					release()
				})
			}
			all.Wait()
		}
		if want := int(time.Since(start)/h.Interval) + 1; served != want || served < 10 || busy+served != 200 {
			t.Errorf("%d had their turn in %v, want %d; %d were busy", served, time.Since(start), want, busy)
		}
	})
}

// What one source is refused says nothing about another.
func TestHostLimitsSilentPerSource(t *testing.T) {
	var h HostLimits
	to := netip.MustParseAddr("192.0.2.1")
	one, other := Source{Addr: netip.MustParseAddr("198.51.100.1")}, Source{Addr: netip.MustParseAddr("198.51.100.2")}
	h.failedNow(way{to, one}, errors.New("554 listed"))
	if h.silent(way{to, one}) == nil || h.silent(way{to, other}) != nil {
		t.Errorf("%v, %v", h.silent(way{to, one}), h.silent(way{to, other}))
	}
	h.answered(way{to, one})
	if err := h.silent(way{to, one}); err != nil {
		t.Error(err)
	}
}

// An attempt that ends while it waits gives back what it holds.
func TestHostLimitsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &HostLimits{PerHost: 1, Wait: time.Minute}
		release, err := h.acquire(t.Context(), "mx.test", Source{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { _, err := h.acquire(ctx, "mx.test", Source{}); done <- err }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		release()
		if len(h.hosts) != 0 {
			t.Errorf("%d are remembered", len(h.hosts))
		}
	})
}
