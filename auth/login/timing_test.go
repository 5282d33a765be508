package login

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestTiming reports how long refusals take: of unknown users, of wrong
// passwords and of disabled users, 2000 each, and of one user whose stored hash
// is a fast one. It judges nothing, because a busy machine would make it fail;
// TestSameCost does, by counting. The hashes are cheap on purpose: the shorter
// they are, the more is seen of everything else.
func TestTiming(t *testing.T) {
	if testing.Short() {
		t.Skip("a report, of 8000 logins")
	}
	p := Params{MemoryKiB: 1024, Time: 1, Threads: 1}
	h, err := HashPassword(NewPassword("secret"), p)
	if err != nil {
		t.Fatal(err)
	}
	f := &File{Path: filepath.Join(t.TempDir(), "passwd"), Logger: quiet}
	for i := range 100 {
		if err := f.Set(t.Context(), fmt.Sprint("user", i), h); err != nil {
			t.Fatal(err)
		}
	}
	for user, hash := range map[string]string{"dora": h, "legacy": legacy} {
		if err := f.Set(t.Context(), user, hash); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Disable(t.Context(), "dora", true); err != nil {
		t.Fatal(err)
	}
	s := &Service{Backend: f, Params: p, Guard: Unguarded{}, Logger: quiet}
	kinds := []struct{ name, user string }{{"wrong", "user50"}, {"unknown", "nobody"}, {"disabled", "dora"}, {"fast hash", "legacy"}}
	times := make([][]time.Duration, len(kinds))
	for range 2000 {
		for _, i := range rand.Perm(len(kinds)) { // by turns, so that all meet the same load
			kind := kinds[i]
			start := time.Now()
			if _, err := s.Authenticate(t.Context(), attempt(kind.user, "not it")); err != ErrRejected {
				t.Fatalf("%s: %v", kind.name, err)
			}
			times[i] = append(times[i], time.Since(start))
		}
	}
	for i, kind := range kinds {
		slices.Sort(times[i])
		n := len(times[i])
		t.Logf("%-9s p10 %v, median %v, p90 %v; against %s: KS %.4f (p = 0.05 at %.4f)", kind.name,
			times[i][n/10], times[i][n/2], times[i][9*n/10], kinds[0].name,
			kolmogorovSmirnov(times[0], times[i]), 1.358*math.Sqrt(2/float64(n)))
	}
}

// kolmogorovSmirnov returns the largest distance of two distributions, whose
// samples are sorted.
func kolmogorovSmirnov(a, b []time.Duration) (most float64) {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		x := min(a[i], b[j])
		for i < len(a) && a[i] == x {
			i++
		}
		for j < len(b) && b[j] == x {
			j++
		}
		most = max(most, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	return most
}

func TestKolmogorovSmirnov(t *testing.T) {
	for _, tt := range []struct {
		a, b []time.Duration
		want float64
	}{
		{[]time.Duration{1, 2, 3}, []time.Duration{1, 2, 3}, 0},
		{[]time.Duration{1, 2}, []time.Duration{3, 4}, 1},
		{[]time.Duration{1, 2, 3, 4}, []time.Duration{3, 4, 5, 6}, 0.5},
	} {
		if got := kolmogorovSmirnov(tt.a, tt.b); got != tt.want {
			t.Errorf("%v, %v: %v", tt.a, tt.b, got)
		}
	}
}
