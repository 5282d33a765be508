package sqldb

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Dialect is what differs between database engines. The zero value is usable
// with a database that takes `?` parameters and the types of the SQL standard.
type Dialect struct {
	// Name is for logs: "sqlite", "postgres".
	Name string

	// Path is the file of the database, beside which those who keep data in it
	// may put a small file of their own; "" = it is none of this machine.
	Path string

	// Numbered: parameters are $1, $2 instead of ?.
	Numbered bool

	// Types replaces names in braces in statements: {int} (64 bits, signed),
	// {blob}, {text} (compared by octets), {clustered} (table option that
	// stores rows in the order of the primary key), {share} (end of a SELECT
	// that keeps others from changing its rows until the transaction ends),
	// {skip} (end of a SELECT that locks its rows for a change, and leaves out
	// those that another transaction has locked). A name that is missing
	// stands for itself, {clustered}, {share} and {skip} for nothing: with one
	// writer nothing has to be locked.
	Types map[string]string

	// Begin and Commit are the statements around a batch; "" = BEGIN, COMMIT.
	Begin, Commit string

	// BeginSnapshot begins a transaction that reads, and sees the database as
	// it is at its first statement; "" = BEGIN.
	BeginSnapshot string

	// LockSchema is run first in the transaction of a migration where Begin
	// does not exclude other writers; "" = nothing.
	LockSchema string

	// Uninterrupted: statements are short and local. They run without the
	// caller's cancellation, which costs some drivers a goroutine each.
	Uninterrupted bool

	// Now is an expression for the database's clock in microseconds since
	// 1970, {int}; "" = the clock of the process, where the database has no
	// other.
	Now string

	// Reconnects: the database is elsewhere and outlives a connection. What a
	// COMMIT did whose answer was lost is then found out by reading, so the DB
	// goes on with a new connection. Else it is poisoned: see I5.
	Reconnects bool

	// Retry reports that a transaction failed only because of another one
	// (SQLSTATE 40001) and runs well when it is tried again. nil = never.
	Retry func(error) bool

	// Lost reports that the connection is gone, and with it a transaction whose
	// COMMIT was not sent: it runs again on a new connection. nil = never.
	Lost func(error) bool

	// Aborted reports that a statement failed and that the connection's
	// transaction can only be rolled back. nil = a statement that fails leaves
	// the transaction as it was.
	Aborted func(*sql.Conn) bool

	// Systemic reports an error of the database as a whole (disk full, I/O
	// error, lost connection), for which no single Work can be blamed.
	// nil = never.
	Systemic func(error) bool

	// Corrupt reports an error that says that the database is damaged.
	// nil = never.
	Corrupt func(error) bool

	// NotCommitted reports that an error of COMMIT means for certain that
	// nothing was committed, now or after a crash. nil = never certain.
	NotCommitted func(error) bool
}

// SQL is the statement in the dialect's own form.
func (d *Dialect) SQL(query string) string {
	var b strings.Builder
	n, quoted := 0, false
	for i := 0; i < len(query); i++ {
		c := query[i]
		switch {
		case c == '\'':
			quoted = !quoted
			b.WriteByte(c)
		case c == '?' && !quoted && d.Numbered:
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		case c == '{' && !quoted && strings.IndexByte(query[i:], '}') > 0:
			end := i + strings.IndexByte(query[i:], '}')
			b.WriteString(d.typeName(query[i+1 : end]))
			i = end
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (d *Dialect) typeName(name string) string {
	if t, ok := d.Types[name]; ok {
		return t
	}
	switch name {
	case "int":
		return "BIGINT"
	case "clustered", "share", "skip":
		return ""
	}
	return strings.ToUpper(name)
}

// explain adds the sentinels of this package to errors of the driver.
func (d *Dialect) explain(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrUnknown):
		return err
	case is(d.Corrupt, err):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case d.whole(err):
		return fmt.Errorf("%w: %w", ErrSystemic, err)
	}
	return err
}

// whole reports an error for which no single Work can be blamed.
func (d *Dialect) whole(err error) bool {
	return is(d.Systemic, err) || is(d.Lost, err) || is(d.Retry, err)
}

func is(f func(error) bool, err error) bool { return f != nil && f(err) }
