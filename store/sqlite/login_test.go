package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/mailstead/mailstead/auth/login/sqllogin"
	"github.com/mailstead/mailstead/auth/login/sqllogin/sqllogintest"
)

func TestLogin(t *testing.T) {
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
