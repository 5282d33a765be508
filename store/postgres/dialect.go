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
	"github.com/jackc/pgx/v5/stdlib"

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
		// What a batch changes is locked by rows, so each statement may see
		// what others committed before it.
		Begin:         "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
		BeginSnapshot: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		LockSchema:    "LOCK TABLE schema_version IN EXCLUSIVE MODE",
		Now:           "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
		Reconnects:    true,
		Retry:         retry,
		Lost:          lost,
		Aborted:       aborted,
		Systemic:      systemic,
		Corrupt:       corrupt,
		NotCommitted:  notCommitted,
	}
}

// severity and state are those of an error that the server sent; "" = none.
func severity(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.SeverityUnlocalized
	}
	return ""
}

func state(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// retry: serialization_failure and deadlock_detected.
func retry(err error) bool {
	s := state(err)
	return s == "40001" || s == "40P01"
}

// lost: the server ended the connection, or it broke, or none could be made.
func lost(err error) bool {
	if s := severity(err); s != "" {
		return s == "FATAL" || s == "PANIC"
	}
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case errors.As(err, &connect), errors.As(err, &network):
		return true
	}
	for _, e := range [...]error{
		driver.ErrBadConn, sql.ErrConnDone, pgconn.ErrConnClosed, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// systemic: the connection, the server's resources, an intervention of its
// operator, an I/O error, a wait for a lock that took too long, a server that
// only reads (a standby).
func systemic(err error) bool {
	s := state(err)
	if s == "" {
		return lost(err)
	}
	for _, class := range [...]string{"08", "53", "57P", "58", "55P03", "25006", "25P03", "57014"} {
		if strings.HasPrefix(s, class) {
			return true
		}
	}
	return lost(err) || corrupt(err)
}

// corrupt: data_corrupted and index_corrupted.
func corrupt(err error) bool {
	s := state(err)
	return s == "XX001" || s == "XX002"
}

// aborted asks the connection, which knows without a round trip.
func aborted(c *sql.Conn) bool {
	failed := false
	err := c.Raw(func(driverConn any) error {
		pc, ok := driverConn.(*stdlib.Conn)
		failed = ok && pc.Conn().PgConn().TxStatus() == 'E'
		return nil
	})
	return failed || err != nil
}

// notCommitted: a server that answers COMMIT with an ERROR has rolled back. One
// that ends the connection may have committed before.
func notCommitted(err error) bool {
	return severity(err) == "ERROR" || pgconn.SafeToRetry(err) || errors.Is(err, driver.ErrBadConn)
}
