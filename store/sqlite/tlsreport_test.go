package sqlite_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/mtasts"
	"github.com/mailstead/mailstead/auth/mtasts/sqlsts"
	"github.com/mailstead/mailstead/auth/tlsrpt"
	"github.com/mailstead/mailstead/auth/tlsrpt/sqltlsrpt"
	"github.com/mailstead/mailstead/auth/tlsrpt/tlsrpttest"
)

func openTLSReports(t *testing.T, path string, o sqltlsrpt.Options) *sqltlsrpt.Storage {
	t.Helper()
	s, err := sqltlsrpt.New(t.Context(), greyDB(t, path), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTLSReportStorage(t *testing.T) {
	tlsrpttest.Run(t, func(t *testing.T) tlsrpt.Storage {
		return openTLSReports(t, filepath.Join(t.TempDir(), "reports.db"), sqltlsrpt.Options{})
	})
}

// The table is bounded; what is known is counted on.
func TestTLSReportBounds(t *testing.T) {
	s := openTLSReports(t, filepath.Join(t.TempDir(), "reports.db"), sqltlsrpt.Options{MaxRows: 3, MaxKinds: 2})
	for _, c := range []struct {
		list    []tlsrpt.Counted
		dropped int64
	}{
		{[]tlsrpt.Counted{tlsrpttest.Counted("a.example", 7, "", 5), tlsrpttest.Counted("a.example", 7, "x", 5), tlsrpttest.Counted("a.example", 7, "y", 5)}, 5},
		{[]tlsrpt.Counted{tlsrpttest.Counted("b.example", 7, "", 1), tlsrpttest.Counted("c.example", 7, "", 2)}, 2},
		{[]tlsrpt.Counted{tlsrpttest.Counted("b.example", 7, "", 9)}, 0},
	} {
		if dropped, err := s.Add(t.Context(), c.list); err != nil || dropped != c.dropped {
			t.Errorf("%d dropped, want %d: %v", dropped, c.dropped, err)
		}
	}
}

// TestPolicyStore: what is saved is there after the database was closed.
func TestPolicyStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policies.db")
	db := greyDB(t, path)
	s, err := sqlsts.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	judgePolicies(t, s)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = sqlsts.New(t.Context(), greyDB(t, path)); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Load(t.Context(), "example.org"); err != nil || e == nil || e.Policy.Mode != mtasts.Enforce {
		t.Errorf("%+v, %v", e, err)
	}
}

// judgePolicies is what an mtasts.Store has to do.
func judgePolicies(t *testing.T, s mtasts.Store) {
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
