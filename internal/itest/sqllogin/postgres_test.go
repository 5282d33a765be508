package sqllogin

import (
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/mailstead/mailstead/auth/login/sqllogin"
	"github.com/mailstead/mailstead/auth/login/sqllogin/sqllogintest"
	"github.com/mailstead/mailstead/store/postgres/pgtest"
)

func TestPostgreSQL(t *testing.T) {
	sqllogintest.Run(t, func(t testing.TB) *sqllogin.Backend {
		db, err := sql.Open("pgx", pgtest.Database(t, pg.Server(t)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return &sqllogin.Backend{DB: db, Dialect: sqllogin.PostgreSQL}
	})
}
