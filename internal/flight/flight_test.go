package flight

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slow answers after some time, or when its context ends.
type slow struct {
	asked, ended atomic.Int64
	takes        time.Duration
}

func (s *slow) ask(ctx context.Context) (int, error) {
	n := s.asked.Add(1)
	defer s.ended.Add(1)
	select {
	case <-time.After(s.takes):
		return int(n), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Many who wait are one question, and each leaves at its own time (F1, F2). What
// ends with its asker is asked again by the one whose time ends last, and not by
// each in turn (F3).
func TestWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string, int]
		s := &slow{takes: 10 * time.Second}
		began := time.Now()
		var all sync.WaitGroup
		caller := func(own time.Duration, want int) {
			ctx, cancel := context.WithTimeout(t.Context(), own)
			defer cancel()
			v, _, err := g.Do(ctx, "k", s.ask)
			took := time.Since(began)
			if want > 0 && (v != want || err != nil) || want == 0 && (!errors.Is(err, context.DeadlineExceeded) || took != own) {
				t.Errorf("%v: %d, %v after %v", own, v, err, took)
			}
		}
		all.Go(func() { caller(2*time.Second, 0) })
		synctest.Wait()
		for i := range 9 {
			all.Go(func() { caller(time.Duration(3+i)*time.Second, 0) })
		}
		for range 10 {
			all.Go(func() { caller(20*time.Second, 2) })
		}
		all.Wait()
		if s.asked.Load() != 2 || time.Since(began) != 12*time.Second || len(g.calls) != 0 {
			t.Errorf("asked %d times in %v, %d are left", s.asked.Load(), time.Since(began), len(g.calls))
		}
	})
}

// Who has no deadline asks before all who have one.
func TestNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string, int]
		s := &slow{takes: time.Hour}
		first, cancel := context.WithCancel(t.Context())
		long, cancelLong := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancelLong()
		var all sync.WaitGroup
		all.Go(func() { _, _, _ = g.Do(first, "k", s.ask) })
		synctest.Wait()
		for i, ctx := range []context.Context{long, t.Context(), long} {
			all.Go(func() {
				if v, asked, err := g.Do(ctx, "k", s.ask); v != 2 || asked != (i == 1) || err != nil {
					t.Error(i, v, asked, err)
				}
			})
			synctest.Wait()
		}
		cancel()
		all.Wait()
	})
}

// A question that ends by its own time has no answer for all who wait.
func TestOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string, int]
		s := &slow{takes: time.Hour}
		began := time.Now()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				_, _, err := g.Do(t.Context(), "k", func(ctx context.Context) (int, error) {
					ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
					defer cancel()
					return s.ask(ctx)
				})
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if s.asked.Load() != 1 || time.Since(began) != 5*time.Second {
			t.Errorf("asked %d times in %v", s.asked.Load(), time.Since(began))
		}
	})
}

// An answer that comes as the time of who asked has ended is everybody's.
func TestLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string, int]
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			v, asked, err := g.Do(ctx, "k", func(ctx context.Context) (int, error) { time.Sleep(time.Second); cancel(); return 7, nil })
			if v != 7 || !asked || err != nil {
				t.Error(v, asked, err)
			}
		})
		synctest.Wait()
		if v, asked, err := g.Do(t.Context(), "k", nil); v != 7 || asked || err != nil {
			t.Error(v, asked, err)
		}
		all.Wait()
	})
}

// All leave at the same time, in all orders: nobody waits for ever, and the next
// one asks anew.
func TestAllLeave(t *testing.T) {
	var g Group[string, int]
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if _, _, err := g.Do(ctx, "k", (&slow{takes: time.Hour}).ask); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		runtime.Gosched()
		cancel()
		all.Wait()
		if len(g.calls) != 0 {
			t.Fatalf("%d are left", len(g.calls))
		}
	}
}

// A panic is that of who asked; the others get an error, and the next asks anew (F4).
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string, int]
		var all sync.WaitGroup
		all.Go(func() {
			defer func() {
				if p := recover(); p != "oh no" {
					t.Errorf("recovered %v", p)
				}
			}()
			_, _, _ = g.Do(t.Context(), "k", func(context.Context) (int, error) { time.Sleep(time.Second); panic("oh no") })
		})
		synctest.Wait()
		for range 3 {
			all.Go(func() {
				if _, _, err := g.Do(t.Context(), "k", nil); !errors.Is(err, ErrLost) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if v, _, err := g.Do(t.Context(), "k", (&slow{}).ask); v != 1 || err != nil {
			t.Error(v, err)
		}
	})
}

func TestCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Cache[string, int]{Max: 100}
		asked := 0
		get := func(keep time.Duration, err error) (Answer[int], error) {
			return c.Get(t.Context(), "k", func(context.Context) (int, time.Duration, error) { asked++; return asked, keep, err })
		}
		fails := errors.New("fails")
		for i, step := range []struct {
			keep  time.Duration
			err   error
			sleep time.Duration
			want  Answer[int]
		}{
			{keep: time.Minute, err: fails, want: Answer[int]{Value: 1, Asked: true}},
			{want: Answer[int]{Value: 2, Asked: true}},
			{keep: time.Minute, want: Answer[int]{Value: 3, Asked: true}, sleep: 20 * time.Second},
			{keep: time.Minute, want: Answer[int]{Value: 3, Left: 40 * time.Second}, sleep: 40 * time.Second},
			{keep: time.Minute, want: Answer[int]{Value: 4, Asked: true}},
		} {
			got, err := get(step.keep, step.err)
			if got != step.want || !errors.Is(err, step.err) {
				t.Errorf("%d: %+v, %v; want %+v", i, got, err, step.want)
			}
			time.Sleep(step.sleep)
		}
	})
}

// Memory is bounded by what answers cost; what is used stays.
func TestCacheBound(t *testing.T) {
	c := Cache[string, int]{Max: 100, Cost: func(_ string, v int) int64 { return int64(v) }}
	get := func(key string, cost int) (asked bool) {
		got, err := c.Get(t.Context(), key, func(context.Context) (int, time.Duration, error) { return cost, time.Hour, nil })
		if err != nil || got.Value != cost {
			t.Error(key, got, err)
		}
		return got.Asked
	}
	get("used", 10)
	for i := range 100 {
		get(fmt.Sprint(i), 30)
		if get("used", 10) {
			t.Fatal("what is used went first")
		}
	}
	if n, cost := c.Size(); n != 4 || cost != 100 {
		t.Errorf("%d answers cost %d", n, cost)
	}
	if get("huge", 101); !get("huge", 101) {
		t.Error("an answer beyond Max is kept")
	}
}

// Under load no question is asked twice while its answer is kept, and none is lost.
func TestCacheConcurrent(t *testing.T) {
	c := Cache[int, int]{Max: 1000}
	var asked atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := range 2000 {
				got, err := c.Get(t.Context(), i%50, func(context.Context) (int, time.Duration, error) { asked.Add(1); return i % 50, time.Hour, nil })
				if got.Value != i%50 || err != nil {
					t.Error(got, err)
				}
			}
		})
	}
	all.Wait()
	if asked.Load() != 50 {
		t.Errorf("asked %d times for 50 keys", asked.Load())
	}
}
