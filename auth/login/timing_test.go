package login

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
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
	kinds := []timed{{"wrong", "user50"}, {"unknown", "nobody"}, {"disabled", "dora"}, {"fast hash", "legacy"}}
	reportTimes(t, kinds, func(user string) {
		if _, err := s.Authenticate(t.Context(), attempt(user, "not it")); err != ErrRejected {
			t.Fatalf("%s: %v", user, err)
		}
	})
}

// TestTimingSCRAM is TestTiming for SCRAM: both answers of the server, the last
// of which refuses a proof.
func TestTimingSCRAM(t *testing.T) {
	if testing.Short() {
		t.Skip("a report, of 8000 logins")
	}
	s := allMechanisms(t)
	final := ",p=" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	reportTimes(t, []timed{
		{"wrong", "alice@example.org"}, {"unknown", "eve@example.org"}, {"disabled", "dora@example.org"}, {"app only", "only@example.org"},
	}, func(user string) {
		server, err := s.Server(t.Context(), "SCRAM-SHA-256", attempt("", ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		challenge, _, err := server.Next([]byte("n,,n=" + user + ",r=abc"))
		if err != nil {
			t.Fatal(err)
		}
		nonce, _, _ := strings.Cut(string(challenge), ",")
		if _, _, err := server.Next([]byte("c=biws," + nonce + final)); err != ErrRejected {
			t.Fatalf("%s: %v", user, err)
		}
	})
}

// timed is one kind of refusal.
type timed struct{ name, user string }

// reportTimes runs the kinds by turns, so that all meet the same load, and
// compares each with the first.
func reportTimes(t *testing.T, kinds []timed, refuse func(user string)) {
	times := make([][]time.Duration, len(kinds))
	for range 2000 {
		for _, i := range rand.Perm(len(kinds)) {
			start := time.Now()
			refuse(kinds[i].user)
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
