package pgtest_test

import (
	"database/sql"
	"os"
	"testing"

	"github.com/mailstead/mailstead/store/postgres/pgtest"
)

var pg pgtest.Shared

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

func one(t *testing.T, dsn, query string) (s string) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query).Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDatabase: databases are apart, and reached both ways.
func TestDatabase(t *testing.T) {
	s := pg.Server(t)
	first, second := pgtest.Name(t, s), pgtest.Name(t, s)
	if got := one(t, s.DSN(first), `SELECT current_database()`); got != first || first == second {
		t.Errorf("database %q, want %q, not %q", got, first, second)
	}
	if got := one(t, s.TCP(second), `SELECT current_database()`); got != second {
		t.Errorf("database %q, want %q", got, second)
	}
}

// TestEnds: however a server ends, what it committed is there after the next
// start.
func TestEnds(t *testing.T) {
	s := pgtest.Start(t)
	dsn := pgtest.Database(t, s)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE kept (n INT)`); err != nil {
		t.Fatal(err)
	}
	for i, end := range []func(){
		func() { s.Restart(t) },
		func() { s.Stop(t, pgtest.Immediate); s.Start(t) },
		func() { s.Kill(t); s.Start(t) },
	} {
		if _, err := db.Exec(`INSERT INTO kept VALUES (1)`); err != nil {
			t.Fatal(err)
		}
		end()
		want := string(rune('1' + i))
		if got := one(t, dsn, `SELECT count(*) FROM kept`); got != want {
			t.Errorf("after end %d: %s rows, want %s", i, got, want)
		}
	}
}
