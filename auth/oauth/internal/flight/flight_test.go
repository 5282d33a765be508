package flight

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestDoShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string, int]
		runs := 0
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				v, err := g.Do(t.Context(), "k", time.Minute, func(context.Context) (int, error) {
					runs++
					time.Sleep(time.Second)
					return 7, nil
				})
				if v != 7 || err != nil {
					t.Error(v, err)
				}
			})
		}
		synctest.Wait()
		if !g.Busy("k") || g.Busy("other") {
			t.Error("Busy is wrong")
		}
		wg.Wait()
		if runs != 1 || g.Busy("k") {
			t.Errorf("%d runs", runs)
		}
	})
}

func TestDoOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string, int]
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		v, err := g.Do(ctx, "k", time.Minute, func(ctx context.Context) (int, error) { return 7, ctx.Err() })
		if v != 7 || err != nil {
			t.Error(v, err)
		}
		_, err = g.Do(ctx, "k", time.Minute, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestPanicFreesThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string, int]
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic got lost")
				}
			}()
			_, _ = g.Do(t.Context(), "k", time.Minute, func(context.Context) (int, error) {
				time.Sleep(time.Second)
				panic("x")
			})
		})
		synctest.Wait()
		if _, err := g.Do(t.Context(), "k", time.Minute, nil); !errors.Is(err, errLost) {
			t.Error(err)
		}
		wg.Wait()
	})
}
