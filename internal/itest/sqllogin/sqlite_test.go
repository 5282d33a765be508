// Package sqllogin judges users in a database, on SQLite and on PostgreSQL.
package sqllogin

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/mailstead/mailstead/auth/login/sqllogin"
	"github.com/mailstead/mailstead/auth/login/sqllogin/sqllogintest"
	"github.com/mailstead/mailstead/store/postgres/pgtest"
)

var pg pgtest.Shared

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

func TestSQLite(t *testing.T) {
	sqllogintest.Run(t, func(t testing.TB) *sqllogin.Backend {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "users.db")+
			"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_txlock=immediate")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return &sqllogin.Backend{DB: db, Dialect: sqllogin.SQLite}
	})
}
