package sqlentry

import (
	"context"
	"database/sql"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/sqldb"
)

// The sizes of pages.
const (
	pageRows = 128
	pageKeys = 32 // that one query asks for
)

// Entries is that of queue.Storage.
func (t *Table) Entries(ctx context.Context, f queue.EntryFilter) iter.Seq2[*queue.Entry, error] {
	pages := t.pages(ctx, &f)
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

// pages are the entries that f may select, in order.
func (t *Table) pages(ctx context.Context, f *queue.EntryFilter) iter.Seq2[*queue.Entry, error] {
	from := f.Prefix
	if f.After >= from {
		from = next(f.After)
	}
	args := []any{[]byte(f.Kind), t.Now().UnixNano(), []byte(from)}
	if f.Keys != nil {
		return t.keyed(ctx, f.Keys, args)
	}
	query := selectRow
	if end := behind(f.Prefix); end != "" {
		query, args = query+` AND key < ?`, append(args, []byte(end))
	}
	query += ` ORDER BY key LIMIT CAST(? AS {int})`
	size := pageRows
	if f.Limit > 0 {
		size = min(size, f.Limit)
	}
	return sqldb.Pages(func(last **queue.Entry) ([]*queue.Entry, error) {
		page := append(slices.Clone(args), size)
		if last != nil {
			page[2] = []byte(next((*last).Key))
		}
		return sqldb.Collect(ctx, t.DB, scan, query, page...)
	})
}

// keyed are the entries of keys, in order.
func (t *Table) keyed(ctx context.Context, keys []string, args []any) iter.Seq2[*queue.Entry, error] {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	keys = slices.Compact(keys)
	query := selectRow + ` AND key IN (?` + strings.Repeat(`, ?`, pageKeys-1) + `) ORDER BY key`
	return sqldb.Pages(func(**queue.Entry) (rows []*queue.Entry, err error) {
		for len(keys) > 0 && len(rows) == 0 && err == nil {
			page := slices.Clone(args)
			for i := range pageKeys {
				page = append(page, []byte(keys[min(i, len(keys)-1)]))
			}
			keys = keys[min(pageKeys, len(keys)):]
			rows, err = sqldb.Collect(ctx, t.DB, scan, query, page...)
		}
		return rows, err
	})
}

// next is the first key behind key.
func next(key string) string { return key + "\x00" }

// behind is the first string behind all that begin with prefix; "" = there is
// none.
func behind(prefix string) string {
	b := []byte(prefix)
	for n := len(b); n > 0; n-- {
		if b[n-1] < 0xff {
			b[n-1]++
			return string(b[:n])
		}
	}
	return ""
}

func scan(r *sql.Rows) (*queue.Entry, error) {
	var key []byte
	var expires int64
	e := &queue.Entry{}
	err := r.Scan(&key, &e.Value, &e.Count, &expires)
	if e.Key = string(key); expires != never {
		e.Expires = time.Unix(0, expires).UTC()
	}
	return e, err
}
