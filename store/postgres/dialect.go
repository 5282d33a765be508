package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mailstead/mailstead/store/sqldb"
)

// Dialect is PostgreSQL's dialect for package sqldb. Text is compared by
// octets, whatever the locale of the database.
func Dialect() sqldb.Dialect {
	return sqldb.Dialect{
		Name:     "postgres",
		Numbered: true,
		Types: map[string]string{
			"int": "BIGINT", "text": `TEXT COLLATE "C"`, "blob": "BYTEA",
			"share": "FOR SHARE", "skip": "FOR UPDATE SKIP LOCKED",
		},
		BeginSnapshot: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		Retry:         retry,
		Systemic:      systemic,
		Corrupt:       corrupt,
		NotCommitted:  notCommitted,
	}
}

// state is the SQLSTATE of an error that the server sent; "" = none.
func state(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// retry: serialization_failure and deadlock_detected.
func retry(err error) bool {
	switch state(err) {
	case "40001", "40P01":
		return true
	}
	return false
}

// systemic: the connection, the server's resources, an operator's
// intervention, an I/O error of the server, a server that only reads.
func systemic(err error) bool {
	switch s := state(err); {
	case s == "":
		return lost(err)
	case strings.HasPrefix(s, "08"), strings.HasPrefix(s, "53"), strings.HasPrefix(s, "57P"), strings.HasPrefix(s, "58"):
		return true
	case s == "25006": // read_only_sql_transaction: a standby
		return true
	}
	return corrupt(err)
}

// lost reports a connection that failed or could not be made.
func lost(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &connect), errors.As(err, &network):
		return true
	}
	for _, e := range [...]error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// corrupt: data_corrupted and index_corrupted.
func corrupt(err error) bool {
	s := state(err)
	return s == "XX001" || s == "XX002"
}

// notCommitted: a server that answers COMMIT with an error has rolled back, but
// for a statement that it gave up after it had committed: a shutdown, a crash
// of another of its processes (class 57P), or a broken wait for a standby.
func notCommitted(err error) bool {
	s := state(err)
	return s != "" && !strings.HasPrefix(s, "08") && !strings.HasPrefix(s, "57P")
}
