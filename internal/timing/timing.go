// Package timing compares, for tests, how long a server takes to refuse
// different users. It reports and does not judge: a busy machine would make it
// fail.
package timing

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

// Kind is one kind of refusal: what it is called, and the user name that meets it.
type Kind struct{ Name, User string }

// Report runs the kinds by turns, so that all meet the same load, and compares
// each with the first: 2000 times each with MAILSTEAD_FULL=1, which is what the
// figures need, and 50 times otherwise, to see that each is refused.
func Report(t *testing.T, kinds []Kind, refuse func(user string)) {
	t.Helper()
	times := make([][]time.Duration, len(kinds))
	rounds := 50
	if os.Getenv("MAILSTEAD_FULL") == "1" {
		rounds = 2000
	}
	for range rounds {
		for _, i := range rand.Perm(len(kinds)) {
			start := time.Now()
			refuse(kinds[i].User)
			times[i] = append(times[i], time.Since(start))
		}
	}
	for i, kind := range kinds {
		slices.Sort(times[i])
		n := len(times[i])
		t.Logf("%-9s p10 %v, median %v, p90 %v; against %s: KS %.4f (p = 0.05 at %.4f)", kind.Name,
			times[i][n/10], times[i][n/2], times[i][9*n/10], kinds[0].Name,
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
