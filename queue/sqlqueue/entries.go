package sqlqueue

import (
	"cmp"
	"context"
	"database/sql"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/sqldb"
)

// entriesComponent names the table of entries: one of its own, so that a node
// of the version before goes on beside it.
const entriesComponent = "queue_entries"

// entriesSchema is every version of the table. expires is in nanoseconds since
// 1970; never = not at all.
func entriesSchema() []sqldb.Migration {
	return []sqldb.Migration{{
		`CREATE TABLE queue_entry (
			kind {text} NOT NULL, key {blob} NOT NULL,
			value {blob} NOT NULL, n {int} NOT NULL, expires {int} NOT NULL,
			PRIMARY KEY (kind, key)) {clustered}`,
		`CREATE INDEX queue_entry_end ON queue_entry (expires)`,
	}}
}

const (
	writeEntry = `INSERT INTO queue_entry (kind, key, value, n, expires) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, expires = excluded.expires,
		n = excluded.n + CASE WHEN queue_entry.expires > ? THEN queue_entry.n ELSE 0 END`
	deleteEntry  = `DELETE FROM queue_entry WHERE kind = ? AND key = ?`
	selectEntry  = `SELECT key, value, n, expires FROM queue_entry WHERE kind = ? AND expires > ? AND key >= ?`
	purgeEntries = `DELETE FROM queue_entry WHERE (kind, key) IN
		(SELECT kind, key FROM queue_entry WHERE expires <= ? ORDER BY expires LIMIT 500 {skip})`
)

// entryName is the key of a row of queue_entry.
type entryName struct{ kind, key string }

func (n entryName) compare(m entryName) int {
	return cmp.Or(cmp.Compare(n.kind, m.kind), cmp.Compare(n.key, m.key))
}

// entryChange is what a batch does to one entry: reset removes what is there,
// then put is written, nil = nothing is.
type entryChange struct {
	reset bool
	put   *queue.Entry
}

// PutEntries implements queue.Storage.
func (s *Storage) PutEntries(ctx context.Context, entries ...queue.Entry) error {
	if err := cmp.Or(ctx.Err(), queue.CheckEntries(entries)); err != nil || len(entries) == 0 {
		return err
	}
	return s.commit(ctx, entries[0].Key, len(entries), func(tx *sqldb.Tx) error {
		s.batch(tx).write(entries)
		return nil
	})
}

// write notes entries that were checked, for the end of the batch: those of one
// name become one statement.
func (b *batch) write(entries []queue.Entry) {
	if len(entries) == 0 {
		return
	}
	if b.entries == nil {
		b.entries = make(map[entryName]*entryChange)
	}
	b.tx.Wrote()
	for i := range entries {
		e := entries[i]
		name := entryName{b.s.text(e.Kind), e.Key}
		c := b.entries[name]
		if c == nil {
			c = &entryChange{}
			b.entries[name] = c
		}
		if e.Remove {
			*c = entryChange{reset: true}
			continue
		}
		if c.put != nil {
			e.Count += c.put.Count
		}
		c.put = &e
	}
}

// flushEntries writes them in the order of names, as all nodes do.
func (b *batch) flushEntries() error {
	for _, name := range slices.SortedFunc(maps.Keys(b.entries), entryName.compare) {
		c := b.entries[name]
		if c.reset {
			if _, err := b.tx.Exec(deleteEntry, name.kind, []byte(name.key)); err != nil {
				return err
			}
		}
		if c.put == nil {
			continue
		}
		q := b.s.entryQuery(c.put)
		if _, err := b.tx.Exec(q.query, q.args...); err != nil {
			return err
		}
	}
	return nil
}

// entryQuery writes one entry.
func (s *Storage) entryQuery(e *queue.Entry) question {
	if e.Remove {
		return question{deleteEntry, []any{s.text(e.Kind), []byte(e.Key)}}
	}
	value := e.Value
	if value == nil {
		value = []byte{} // NOT NULL
	}
	return question{writeEntry, []any{s.text(e.Kind), []byte(e.Key), value, e.Count, expiry(e.Expires), s.now().UnixNano()}}
}

func expiry(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return t.UnixNano()
}

// The sizes of pages of entries.
const (
	entryPage = 128
	entryKeys = 32 // that one query asks for
)

// Entries implements queue.Storage.
func (s *Storage) Entries(ctx context.Context, f queue.EntryFilter) iter.Seq2[*queue.Entry, error] {
	pages := s.entryPages(ctx, &f)
	return func(yield func(*queue.Entry, error) bool) {
		n := 0
		for e, err := range pages {
			if err != nil {
				yield(nil, err)
				return
			}
			if e.Kind = f.Kind; !f.Match(e) {
				continue
			}
			if n++; !yield(e, nil) || n == f.Limit {
				return
			}
		}
	}
}

// entryPages are the entries that f may select, in order.
func (s *Storage) entryPages(ctx context.Context, f *queue.EntryFilter) iter.Seq2[*queue.Entry, error] {
	from := f.Prefix
	if f.After >= from {
		from = f.After + "\x00" // the next one
	}
	args := []any{s.text(f.Kind), s.now().UnixNano(), []byte(from)}
	if f.Keys != nil {
		keys := slices.Clone(f.Keys)
		slices.Sort(keys)
		keys = slices.Compact(keys)
		marks := ` AND key IN (?` + strings.Repeat(`, ?`, entryKeys-1) + `) ORDER BY key`
		return sqldb.Pages(func(**queue.Entry) (rows []*queue.Entry, err error) {
			for len(keys) > 0 && len(rows) == 0 && err == nil {
				page := slices.Clone(args)
				for i := range entryKeys {
					page = append(page, []byte(keys[min(i, len(keys)-1)]))
				}
				keys = keys[min(entryKeys, len(keys)):]
				rows, err = sqldb.Collect(ctx, s.db, scanEntry, selectEntry+marks, page...)
			}
			return rows, err
		})
	}
	query := selectEntry
	if end := behind(f.Prefix); end != "" {
		query, args = query+` AND key < ?`, append(args, []byte(end))
	}
	query += ` ORDER BY key LIMIT CAST(? AS {int})`
	size := entryPage
	if f.Limit > 0 {
		size = min(size, f.Limit)
	}
	return sqldb.Pages(func(last **queue.Entry) ([]*queue.Entry, error) {
		if last != nil {
			args[2] = []byte((*last).Key + "\x00")
		}
		return sqldb.Collect(ctx, s.db, scanEntry, query, append(slices.Clone(args), size)...)
	})
}

// behind is the first string behind all that begin with prefix; "" = there is
// none.
func behind(prefix string) string {
	b := []byte(prefix)
	for n := len(b); n > 0; n-- {
		if b[n-1] < math.MaxUint8 {
			b[n-1]++
			return string(b[:n])
		}
	}
	return ""
}

func scanEntry(r *sql.Rows) (*queue.Entry, error) {
	var key []byte
	var expires int64
	e := &queue.Entry{}
	err := r.Scan(&key, &e.Value, &e.Count, &expires)
	if e.Key = string(key); expires != never {
		e.Expires = instant(expires)
	}
	return e, err
}
