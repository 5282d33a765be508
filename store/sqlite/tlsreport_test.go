package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/mailstead/mailstead/auth/mtasts"
	"github.com/mailstead/mailstead/auth/mtasts/mtaststest"
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
	mtaststest.Judge(t, s)
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
