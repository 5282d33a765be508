package sqlite_test

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/smtp/smtppolicy/greytest"
	"github.com/mailstead/mailstead/smtp/smtppolicy/sqlgrey"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlite"
)

func greyDB(t *testing.T, path string) *sqldb.DB {
	t.Helper()
	db, err := sqlite.OpenDB(t.Context(), path, sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func openGrey(t *testing.T, db *sqldb.DB, o sqlgrey.Options) *sqlgrey.Store {
	t.Helper()
	s, err := sqlgrey.New(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGreylistStore(t *testing.T) {
	greytest.Run(t, func(t *testing.T) smtppolicy.GreyStore {
		return openGrey(t, greyDB(t, filepath.Join(t.TempDir(), "grey.db")), sqlgrey.Options{})
	})
}

// What is known outlives a restart; a table that a newer version made is
// refused.
func TestGreylistReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grey.db")
	now := time.Unix(1_800_000_000, 0)
	db := greyDB(t, path)
	s := openGrey(t, db, sqlgrey.Options{})
	if err := s.Pass(t.Context(), []smtppolicy.GreyKey{{1}}, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = greyDB(t, path)
	s = openGrey(t, db, sqlgrey.Options{})
	if e, err := s.Lookup(t.Context(), smtppolicy.GreyKey{1}, now); err != nil || e.Passed != 1 {
		t.Errorf("%+v, %v", e, err)
	}
	if err := db.Migrate(t.Context(), "greylist", make([]sqldb.Migration, 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlgrey.New(t.Context(), db, sqlgrey.Options{}); !errors.Is(err, sqldb.ErrVersion) {
		t.Errorf("a newer table: %v", err)
	}
}

// The table is bounded: what has expired goes, then what expires first, and that
// is not what has passed.
func TestGreylistBounded(t *testing.T) {
	db := greyDB(t, filepath.Join(t.TempDir(), "grey.db"))
	s := openGrey(t, db, sqlgrey.Options{MaxEntries: 1000})
	now := time.Unix(1_800_000_000, 0)
	known := smtppolicy.GreyKey{15: 1}
	if err := s.Pass(t.Context(), []smtppolicy.GreyKey{known}, now, now.Add(30*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	keys := make([]smtppolicy.GreyKey, 100)
	for i := range 50 {
		for j := range keys {
			binary.BigEndian.PutUint32(keys[j][:], uint32(i*100+j+1))
		}
		if _, err := s.Attempt(t.Context(), keys, now, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int64 {
		n, _, err := sqldb.One(t.Context(), db, sqldb.Int64, `SELECT COUNT(*) FROM greylist`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n > 1200 {
		t.Errorf("%d rows", n)
	}
	if e, err := s.Lookup(t.Context(), known, now); err != nil || e.Passed != 1 {
		t.Errorf("what has passed: %+v, %v", e, err)
	}
	later := now.Add(2 * time.Hour)
	for range 2 {
		for j := range keys {
			keys[j][4]++
		}
		if _, err := s.Attempt(t.Context(), keys, later, later.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(); n > 300 {
		t.Errorf("%d rows, most of them expired", n)
	}
}
