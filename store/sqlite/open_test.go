package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
)

func TestInUse(t *testing.T) {
	s := open(t, t.TempDir())
	_, err := sqlite.Open(t.Context(), s.dir, sqlite.Options{})
	if !errors.Is(err, store.ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("second Open: %v, want ErrInUse with the process id", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, s.dir)
}

// TestOpenRefuses: what cannot be opened is refused with a named error, and
// left as it was.
func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   error
	}{
		{"newer schema", newerSchema, store.ErrVersion},
		{"damaged database", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "mail.db"), strings.Repeat("no database ", 1000))
		}, store.ErrCorrupt},
		{"foreign database", foreign, store.ErrCorrupt},
		{"no database", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "mail.db")) }, store.ErrCorrupt},
		{"no bodies", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "blobs")) }, store.ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, t.TempDir())
			newWriter(t, s, "alice").deliver(t, body(100), 1)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			c.damage(t, s.dir)
			e, err := sqlite.Open(t.Context(), s.dir, sqlite.Options{})
			if err == nil {
				e.Close()
			}
			if !errors.Is(err, c.want) {
				t.Errorf("Open: %v, want %v", err, c.want)
			}
		})
	}
}

func newerSchema(t *testing.T, dir string) {
	shell(t, dir, `UPDATE schema_version SET version = 99 WHERE component = 'store'`)
}

func foreign(t *testing.T, dir string) {
	remove(t, filepath.Join(dir, "mail.db"))
	shell(t, dir, `CREATE TABLE other (x)`)
}

// shell runs a statement as another program would.
func shell(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "mail.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// TestPath: a directory may have any name.
func TestPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a?b#c%20d e", "new")
	s := open(t, dir)
	newWriter(t, s, "alice").deliver(t, body(100), 1)
	if _, err := os.Stat(filepath.Join(dir, "mail.db")); err != nil {
		t.Error(err)
	}
}

// TestRecentSurvivesClose: claims are made in memory, yet Close writes them.
func TestRecentSurvivesClose(t *testing.T) {
	ctx := context.Background()
	s := open(t, t.TempDir())
	w := newWriter(t, s, "alice")
	w.deliver(t, body(100), 1)
	r, err := w.a.Apply(ctx, store.Change{Ops: []store.Op{store.ClaimRecent{Mailbox: w.inbox}}})
	if err != nil || r.Ops[0].Changed.Len() != 1 {
		t.Fatal(r, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := open(t, s.dir).Open(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByID(ctx, a, w.inbox)
	if err != nil || m.RecentFrom != 2 {
		t.Errorf("RecentFrom %d, %v; want 2", m.RecentFrom, err)
	}
}
