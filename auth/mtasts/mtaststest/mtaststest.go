// Package mtaststest judges implementations of mtasts.Store.
//
//	func TestStore(t *testing.T) { mtaststest.Judge(t, &myStore{}) }
package mtaststest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/mtasts"
)

// Judge judges an empty store. It leaves the policy of example.org in it, in mode
// Enforce.
func Judge(t *testing.T, s mtasts.Store) {
	t.Helper()
	noon := time.Date(2026, 4, 1, 12, 0, 0, 5e8, time.UTC)
	if e, err := s.Load(t.Context(), "example.org"); e != nil || err != nil {
		t.Fatal(e, err)
	}
	save := func(domain, id string, mode mtasts.Mode, age time.Duration, at time.Time) {
		t.Helper()
		e := &mtasts.Entry{Domain: domain, ID: id, Policy: mtasts.Policy{Mode: mode, MaxAge: age, MX: []string{"*.example.org"}}, Fetched: at}
		if err := s.Save(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	save("example.org", "1", mtasts.Testing, time.Hour, noon.Add(-time.Hour))
	save("example.org", "2", mtasts.Enforce, 48*time.Hour, noon)
	save("example.org", "3", mtasts.None, time.Hour, noon.Add(-time.Minute)) // another node was slow
	save("old.example", "1", mtasts.Enforce, 96*time.Hour, noon.Add(-48*time.Hour))
	save("dead.example", "1", mtasts.Enforce, time.Hour, noon.Add(-48*time.Hour))
	e, err := s.Load(t.Context(), "example.org")
	if err != nil || e == nil || e.ID != "2" || e.Domain != "example.org" || e.Policy.Mode != mtasts.Enforce || e.Policy.MaxAge != 48*time.Hour ||
		!slices.Equal(e.Policy.MX, []string{"*.example.org"}) || !e.Fetched.Equal(noon) {
		t.Errorf("%+v, %v", e, err)
	}
	for limit, want := range map[int]string{9: "old.example example.org", 1: "old.example"} {
		if got, err := s.Due(t.Context(), noon, noon.Add(time.Minute), limit); err != nil || strings.Join(got, " ") != want {
			t.Error(got, err)
		}
	}
	save("new.example", "1", mtasts.Enforce, time.Hour, noon.Add(60*24*time.Hour))
	if e, err := s.Load(t.Context(), "dead.example"); e != nil || err != nil {
		t.Error("nobody needs it any more:", e, err)
	}
	save("example.org", "2", mtasts.Enforce, 48*time.Hour, noon)
}
