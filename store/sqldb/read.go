package sqldb

import (
	"context"
	"database/sql"
	"iter"
)

// Querier reads: a DB from its read pool, a Tx what its batch wrote so far.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Query runs a statement on the read pool. Until the rows are closed they hold
// a connection and a snapshot: callers use [Collect] or [Pages] instead where
// anything but decoding happens between the rows. Statements are prepared once
// and kept, so the number of distinct texts must be bounded.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if db.dialect.Uninterrupted {
		ctx = context.WithoutCancel(ctx)
	}
	rows, err := db.query(ctx, query, args)
	for lost := 0; is(db.dialect.Lost, err) && lost < maxLost && ctx.Err() == nil; lost++ {
		rows, err = db.query(ctx, query, args)
	}
	return rows, db.explain(ctx, err)
}

func (db *DB) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	st, err := db.readStmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

// explain is Dialect.explain for a read with this ctx.
func (db *DB) explain(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && !db.dialect.Uninterrupted {
		return ctx.Err()
	}
	return db.dialect.explain(err)
}

// explained adds the sentinels of this package to an error of rows of q; those
// of a Tx are Commit's to explain.
func explained(ctx context.Context, q Querier, err error) error {
	switch q := q.(type) {
	case *DB:
		return q.explain(ctx, err)
	case *Snapshot:
		return q.db.explain(ctx, err)
	}
	return err
}

func (db *DB) readStmt(ctx context.Context, query string) (*sql.Stmt, error) {
	db.mu.RLock()
	st, ok := db.stmts[query]
	closed := db.stmts == nil
	db.mu.RUnlock()
	if ok {
		return st, nil
	}
	if closed {
		return nil, ErrClosed
	}
	st, err := db.read.PrepareContext(ctx, db.text(query))
	if err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if old, ok := db.stmts[query]; ok || db.stmts == nil {
		st.Close()
		if !ok {
			return nil, ErrClosed
		}
		return old, nil
	}
	db.stmts[query] = st
	return st, nil
}

// Collect runs a query and returns all its rows. Nothing is held when it
// returns; scan copies what it keeps.
func Collect[T any](ctx context.Context, q Querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	defer inTurn(q)()
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		t, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, explained(ctx, q, rows.Err())
}

// Each runs a query and calls scan for every row. Until it returns it holds a
// connection and a snapshot, so scan does nothing but decode.
func Each(ctx context.Context, q Querier, scan func(*sql.Rows) error, query string, args ...any) error {
	defer inTurn(q)()
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return explained(ctx, q, rows.Err())
}

// One is Collect for the first row; ok is false when there is none.
func One[T any](ctx context.Context, q Querier, scan func(*sql.Rows) (T, error), query string, args ...any) (t T, ok bool, err error) {
	defer inTurn(q)()
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return t, false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return t, false, explained(ctx, q, rows.Err())
	}
	t, err = scan(rows)
	return t, err == nil, err
}

// Pages yields all rows that page returns, call after call: page gets the last
// row so far (nil at first) and returns the rows behind it; no rows end the
// sequence. No transaction, connection or lock is held while the loop body
// runs.
func Pages[T any](page func(last *T) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var last *T
		for {
			rows, err := page(last)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
			if len(rows) == 0 {
				return
			}
			last = &rows[len(rows)-1]
		}
	}
}

// Int64 scans a row of one integer.
func Int64(r *sql.Rows) (n int64, err error) {
	err = r.Scan(&n)
	return n, err
}
