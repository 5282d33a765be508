package sqlentry

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/sqldb"
)

const component = "queue_entries"

// schema is every version of the table. expires is in nanoseconds since 1970;
// never = not at all.
func schema() []sqldb.Migration {
	return []sqldb.Migration{{
		`CREATE TABLE queue_entry (
			kind {blob} NOT NULL, key {blob} NOT NULL,
			value {blob} NOT NULL, n {int} NOT NULL, expires {int} NOT NULL,
			PRIMARY KEY (kind, key)) {clustered}`,
		`CREATE INDEX queue_entry_end ON queue_entry (expires)`,
	}}
}

const never = math.MaxInt64

// Purge deletes a bounded part of what has expired by the time that it is given
// in nanoseconds.
const Purge = `DELETE FROM queue_entry WHERE (kind, key) IN
	(SELECT kind, key FROM queue_entry WHERE expires <= ? ORDER BY expires LIMIT 500 {skip})`

const (
	insertRow = `INSERT INTO queue_entry (kind, key, value, n, expires) VALUES (?, ?, ?, ?, ?)`
	furtherOf = `, (?, ?, ?, ?, ?)`
	addToRow  = ` ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, expires = excluded.expires,
		n = excluded.n + CASE WHEN queue_entry.expires > ? THEN queue_entry.n ELSE 0 END`
	deleteRow = `DELETE FROM queue_entry WHERE kind = ? AND key = ?`
	selectRow = `SELECT key, value, n, expires FROM queue_entry WHERE kind = ? AND expires > ? AND key >= ?`
)

// Table is the table in a database. Any number of goroutines may use it.
type Table struct {
	DB  *sqldb.DB
	Now func() time.Time // the clock by which entries expire
}

// Migrate makes the table where it is missing.
func (t *Table) Migrate(ctx context.Context) error { return t.DB.Migrate(ctx, component, schema()) }

// name is the key of a row.
type name struct{ kind, key string }

func (n name) compare(m name) int {
	return cmp.Or(cmp.Compare(n.kind, m.kind), cmp.Compare(n.key, m.key))
}

// expiry is the column of a time; one beyond its bounds is never, or over long ago.
func expiry(t time.Time) int64 {
	switch {
	case t.IsZero() || !t.Before(time.Unix(0, never)):
		return never
	case t.Before(time.Unix(0, 0)):
		return 0
	}
	return t.UnixNano()
}

// Statement is one that writes.
type Statement struct {
	Query string
	Args  []any
}

// Write are the statements that write entries, or remove them, in the order of
// kind and key: for a transaction that has no Batch.
func (t *Table) Write(entries []queue.Entry) (out []Statement) {
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b queue.Entry) int { return name{a.Kind, a.Key}.compare(name{b.Kind, b.Key}) })
	for i := range sorted {
		if e := &sorted[i]; e.Remove {
			out = append(out, Statement{deleteRow, []any{[]byte(e.Kind), []byte(e.Key)}})
		} else {
			out = append(out, t.put(e))
		}
	}
	return out
}
