package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/mailstead/mailstead/store/sqldb"
)

// maxBatch bounds the Changes of one transaction, and so how long it holds its
// locks.
const maxBatch = 64

// Time limits of connections.
const (
	connectTimeout = 10 * time.Second
	// idleTimeout ends the transaction of a node that hangs, so that its locks
	// do not stop the others.
	idleTimeout = time.Minute
)

// parse reads a DSN.
func parse(dsn string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err // its text has no password
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "mailstead"
	}
	return config, nil
}

// openDB makes the pools; it does not connect.
func openDB(config *pgx.ConnConfig, o *Options) (*sqldb.DB, error) {
	read := config.Copy()
	// A read that its caller gives up is cancelled at the server; without an
	// answer to that its connection is closed.
	read.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 2 * time.Second}
	}
	set := read.RuntimeParams
	// Every statement of ours has an index, which is right for tables of any
	// size. What the planner knows of them is old after a bulk load, and then
	// it would read whole tables or mailboxes.
	for _, name := range [...]string{"enable_seqscan", "enable_bitmapscan", "jit"} {
		set[name] = "off"
	}
	set["plan_cache_mode"] = "force_generic_plan"

	write := read.Copy()
	write.RuntimeParams["lock_timeout"] = milliseconds(o.LockTimeout)
	write.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds(idleTimeout)
	w, r := stdlib.OpenDB(*write), stdlib.OpenDB(*read)
	w.SetMaxOpenConns(o.Committers)
	w.SetMaxIdleConns(o.Committers)
	r.SetMaxOpenConns(o.Readers)
	r.SetMaxIdleConns(o.Readers)
	return sqldb.New(sqldb.Options{
		Dialect: Dialect(), Write: w, Read: r, Logger: o.Logger,
		MaxBatch: maxBatch, OneKey: o.OneAccount, Committers: o.Committers,
	})
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// ErrNotDurable: the server acknowledges what a crash may take away again.
var ErrNotDurable = errors.New("postgres: server does not keep what it acknowledges")

// check asks for the settings that mail rests on.
func check(ctx context.Context, db *sqldb.DB, o *Options) error {
	for _, s := range [...]struct{ name, bad, why string }{
		{"synchronous_commit", "off", "set it to on; also look at the role's and the database's own setting"},
		{"fsync", "off", "set it to on in postgresql.conf"},
	} {
		have, err := setting(ctx, db, s.name)
		if err != nil {
			return err
		}
		if have == s.bad && !o.Unsafe {
			return fmt.Errorf("%w: %s is %s; %s", ErrNotDurable, s.name, have, s.why)
		}
	}
	encoding, err := setting(ctx, db, "server_encoding")
	if err == nil && encoding != "UTF8" {
		err = fmt.Errorf("the database's encoding is %s; make one with ENCODING UTF8", encoding)
	}
	return err
}

func setting(ctx context.Context, db *sqldb.DB, name string) (string, error) {
	s, _, err := sqldb.One(ctx, db, func(r *sql.Rows) (s string, err error) {
		err = r.Scan(&s)
		return s, err
	}, `SHOW `+name)
	return s, err
}
