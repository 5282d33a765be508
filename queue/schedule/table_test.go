package schedule

import (
	"fmt"
	"math"
	"testing"
	"time"
)

var start = time.Unix(1_000_000, 0)

// table is one without jitter.
func table(limit func(string) Limit) *Table {
	return New(Config{Limit: limit, Rand: func() float64 { return 0.5 }})
}

// turn takes the next turn and leases what it allows.
func (t *Table) turn(tt *testing.T, now time.Time, free int, cost int64) (string, int) {
	tt.Helper()
	d, n, ok := t.Next(free, now)
	if !ok {
		return "", 0
	}
	t.Leased(d, n, n, cost*int64(n), now)
	return d, n
}

// TestWindow: the window grows by 1/N for each success to the cap, and shrinks
// by 1/N for each failure, but for the first cohort.
func TestWindow(t *testing.T) {
	tb := table(nil)
	running := 0
	tb.Found("d", start)
	fill := func() {
		for {
			_, n := tb.turn(t, start, 100, 1)
			if n == 0 {
				return
			}
			running += n
		}
	}
	fill()
	if running != 5 {
		t.Fatalf("%d attempts at first, want 5", running)
	}
	peak := 0
	for range 500 {
		tb.Done("d", Reached, start)
		running--
		fill()
		peak = max(peak, running)
	}
	if peak != 20 || running != 20 {
		t.Errorf("%d attempts, %d at most; want 20", running, peak)
	}
	before := tb.known["d"].window
	tb.Done("d", Missed, start)
	if w := tb.known["d"].window; math.Abs(before-w-1/before) > 1e-9 {
		t.Errorf("window %v after a failure at %v", w, before)
	}
}

// TestDown: a cohort that fails ends all attempts for a while, which doubles;
// one attempt looks whether it is over, and a success opens it again.
func TestDown(t *testing.T) {
	tb := table(nil)
	now := start
	tb.Found("d", now)
	for range 5 {
		tb.turn(t, now, 1, 1)
	}
	for i := range 5 {
		if died := tb.Done("d", Missed, now); died != (i == 4) {
			t.Fatalf("failure %d: dead %v", i+1, died)
		}
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if !tb.Dead("d") || tb.Down() != 1 || !tb.Except()["d"] {
			t.Fatalf("want a dead destination: %+v", tb.known["d"])
		}
		next := tb.Wake(now)
		if wait := next.Sub(now); wait != want*time.Minute {
			t.Errorf("left alone for %v, want %d min", wait, want)
		}
		if _, n := tb.turn(t, next.Add(-1), 10, 1); n != 0 {
			t.Error("an attempt before the time is over")
		}
		now = next
		tb.Wake(now)
		if _, n := tb.turn(t, now, 10, 1); n != 1 {
			t.Fatalf("%d attempts to see whether it is over, want 1", n)
		}
		if _, n := tb.turn(t, now, 10, 1); n != 0 {
			t.Error("a second attempt beside the first")
		}
		tb.Done("d", Missed, now)
	}
	now = tb.Wake(now)
	tb.Wake(now)
	tb.turn(t, now, 10, 1)
	tb.Done("d", Reached, now)
	if _, n := tb.turn(t, now, 100, 1); n < 4 || tb.Down() != 0 {
		t.Errorf("%d attempts after a success, %d down", n, tb.Down())
	}
}

func TestDownJitter(t *testing.T) {
	seen := make(map[time.Duration]bool)
	for _, r := range []float64{0, 0.999} {
		tb := New(Config{Limit: func(string) Limit { return Limit{Start: 1} }, Rand: func() float64 { return r }})
		tb.Found("d", start)
		tb.turn(t, start, 1, 1)
		tb.Done("d", Missed, start)
		seen[tb.Wake(start).Sub(start).Round(time.Second)] = true
	}
	if !seen[48*time.Second] || !seen[72*time.Second] {
		t.Errorf("left alone for %v, want 48s and 72s", seen)
	}
}

// TestTurns: each destination gets the same share, by cost, whatever it has.
func TestTurns(t *testing.T) {
	tb := table(func(d string) Limit {
		l := Limit{Max: -1}
		if d == "heavy" {
			l.Weight = 2
		}
		return l
	})
	costs := map[string]int64{"small": 1, "large": 16, "middle": 4, "heavy": 1}
	for d := range costs {
		tb.Found(d, start)
	}
	spent := make(map[string]int64)
	for range 4000 {
		d, n, ok := tb.Next(8, start)
		if !ok {
			t.Fatal("nobody is next")
		}
		tb.Leased(d, n, n, costs[d]*int64(n), start)
		for range n {
			tb.Done(d, Reached, start)
		}
		spent[d] += costs[d] * int64(n)
	}
	for _, d := range []string{"large", "middle"} {
		if r := float64(spent[d]) / float64(spent["small"]); r < 0.9 || r > 1.1 {
			t.Errorf("%s got %.2f of the share of small: %v", d, r, spent)
		}
	}
	if r := float64(spent["heavy"]) / float64(spent["small"]); r < 1.8 || r > 2.2 {
		t.Errorf("heavy got %.2f of the share of small, want 2: %v", r, spent)
	}
}

// TestRate: no more attempts than the rate allows, and the destination waits
// for the next.
func TestRate(t *testing.T) {
	tb := table(func(string) Limit { return Limit{Rate: 2, Burst: 3} })
	tb.Found("d", start)
	begun := 0
	for now := start; now.Before(start.Add(10 * time.Second)); now = now.Add(10 * time.Millisecond) {
		tb.Wake(now)
		for {
			_, n := tb.turn(t, now, 10, 1)
			if n == 0 {
				break
			}
			begun += n
			for range n {
				tb.Done("d", Reached, now)
			}
		}
	}
	if begun < 20 || begun > 23 {
		t.Errorf("%d attempts in 10 s, want 3 and 2 a second", begun)
	}
}

// TestForgets: what is idle is forgotten; what has a rate, once that is full.
func TestForgets(t *testing.T) {
	tb := table(func(d string) Limit {
		if d[0] == 'r' {
			return Limit{Rate: 1}
		}
		return Limit{}
	})
	for i := range 1000 {
		for _, kind := range "pr" {
			d := fmt.Sprint(string(kind), i)
			tb.Found(d, start)
			_, n, _ := tb.Next(1, start)
			tb.Leased(d, n, 1, 1, start)
			tb.Done(d, Reached, start)
			tb.Wake(start.Add(time.Millisecond))
			if tb.Next(1, start.Add(2*time.Second)); tb.known[d] != nil && tb.known[d].running > 0 {
				tb.Leased(d, 1, 0, 0, start) // it has nothing more
			}
		}
	}
	tb.Wake(start.Add(time.Second + time.Millisecond))
	for {
		d, n, ok := tb.Next(1, start.Add(2*time.Second))
		if !ok {
			break
		}
		tb.Leased(d, n, 0, 0, start.Add(2*time.Second))
	}
	tb.Wake(start.Add(5 * time.Minute))
	if tb.Known() != 0 || len(tb.Except()) != 0 || tb.Waiting() != 0 {
		t.Errorf("%d destinations known, %d excepted, %d waiting; want none", tb.Known(), len(tb.Except()), tb.Waiting())
	}
}

func TestPause(t *testing.T) {
	tb := table(nil)
	tb.Pause("d", start)
	tb.Found("d", start)
	if _, n := tb.turn(t, start, 10, 1); n != 0 || !tb.Except()["d"] {
		t.Error("a paused destination got a turn")
	}
	tb.Resume("d", start)
	if _, n := tb.turn(t, start, 10, 1); n == 0 {
		t.Error("no turn after the pause")
	}
}

// TestTurnsCost: a turn costs the same beside any number of destinations that
// wait, or are left alone.
func TestTurnsCost(t *testing.T) {
	tb := table(func(string) Limit { return Limit{Start: 1} })
	for i := range 20_000 {
		d := fmt.Sprint("dead", i)
		tb.Found(d, start)
		tb.turn(t, start, 1, 1)
		tb.Done(d, Missed, start)
	}
	if tb.Down() != 20_000 {
		t.Fatalf("%d are left alone", tb.Down())
	}
	tb.Found("healthy", start)
	if n := testing.AllocsPerRun(1000, func() {
		tb.Wake(start)
		if d, _ := tb.turn(t, start, 1, 1); d != "healthy" {
			t.Fatalf("turn of %q", d)
		}
		tb.Done("healthy", Reached, start)
	}); n > 1 {
		t.Errorf("%v allocations a turn", n)
	}
}
