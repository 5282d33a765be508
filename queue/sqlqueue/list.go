package sqlqueue

import (
	"context"
	"database/sql"
	"iter"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// listPage is how many rows List reads at a time.
const listPage = 256

// List implements queue.Storage. A job whose record is damaged is listed as
// held, with what is known of it.
func (s *Storage) List(ctx context.Context, f queue.Filter) iter.Seq2[*queue.Job, error] {
	rows := s.byID(ctx, f)
	return func(yield func(*queue.Job, error) bool) {
		n := 0
		for c, err := range rows {
			if err != nil {
				yield(nil, err)
				return
			}
			j, _ := c.job()
			if !f.Match(j) {
				continue
			}
			if n++; !yield(j, nil) || n == f.Limit {
				return
			}
		}
	}
}

// byID yields the rows that f may select, in order.
func (s *Storage) byID(ctx context.Context, f queue.Filter) iter.Seq2[columns, error] {
	if len(f.IDs) > 0 {
		ids := slices.Clone(f.IDs)
		slices.Sort(ids)
		ids = slices.Compact(ids)
		return sqldb.Pages(func(*columns) (rows []columns, err error) {
			for len(ids) > 0 && len(rows) == 0 && err == nil {
				rows, err = sqldb.Collect(ctx, s.db, scanColumns, `SELECT `+columnNames+` FROM queue_job WHERE id = ?`, ids[0])
				ids = ids[1:]
			}
			return rows, err
		})
	}
	where, args := conditions(&f)
	query := `SELECT ` + columnNames + ` FROM queue_job WHERE ` + where + ` ORDER BY id LIMIT CAST(? AS {int})`
	return sqldb.Pages(func(last *columns) ([]columns, error) {
		after := f.After
		if last != nil {
			after = last.id
		}
		return sqldb.Collect(ctx, s.db, scanColumns, query, append(slices.Clone(args), after, listPage)...)
	})
}

// conditions is the part of a filter that columns can answer; one of 48 texts.
func conditions(f *queue.Filter) (where string, args []any) {
	var parts []string
	add := func(part, value string) {
		if value != "" {
			parts, args = append(parts, part), append(args, value)
		}
	}
	add(`message = ?`, f.Message)
	add(`dest = ?`, f.Destination)
	add(`sender = ?`, queue.FoldPath(f.Sender))
	add(`identity = ?`, f.Identity)
	if f.Held != nil {
		if *f.Held {
			parts = append(parts, `next = ?`)
		} else {
			parts = append(parts, `next <> ?`)
		}
		args = append(args, int64(never))
	}
	return strings.Join(append(parts, `id > ?`), ` AND `), args
}

// Stats implements queue.Storage.
func (s *Storage) Stats(ctx context.Context) (queue.Stats, error) {
	st, _, err := sqldb.One(ctx, s.db, func(r *sql.Rows) (st queue.Stats, err error) {
		var oldest sql.NullInt64
		err = r.Scan(&st.Jobs, &st.Held, &st.Destinations, &oldest)
		if oldest.Valid {
			st.Oldest = instant(oldest.Int64)
		}
		return st, err
	}, `SELECT COALESCE((SELECT n FROM queue_count WHERE name = ?), 0),
		COALESCE((SELECT n FROM queue_count WHERE name = ?), 0),
		(SELECT COUNT(DISTINCT dest) FROM queue_lane),
		(SELECT MIN(created) FROM queue_job)`, countJobs, countHeld)
	st.Leased = s.leases.count()
	return st, err
}

// holdsPage is how many refs one query asks for.
const holdsPage = 64

// Holds implements queue.Storage. The jobs are asked first: one that ends
// between the two questions is found by the second.
func (s *Storage) Holds(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
	held := make(map[blob.Ref]bool)
	marks := `(?` + strings.Repeat(`, ?`, holdsPage-1) + `)`
	for page := range slices.Chunk(refs, holdsPage) {
		args := make([]any, holdsPage, holdsPage+1)
		for i := range args {
			args[i] = string(page[min(i, len(page)-1)])
		}
		for _, q := range []struct {
			query string
			args  []any
		}{
			{`SELECT blob FROM queue_job WHERE blob IN ` + marks, args},
			{
				`SELECT blob FROM queue_released WHERE period >= ? AND period <= ? AND blob IN ` + marks,
				append([]any{period(s.now()) - keepPeriods, period(s.now()) + 1}, args...),
			},
		} {
			found, err := sqldb.Collect(ctx, s.db, scanRef, q.query, q.args...)
			if err != nil {
				return nil, err
			}
			for _, r := range found {
				held[r] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(refs), func(r blob.Ref) bool { return !held[r] }), nil
}

func scanRef(r *sql.Rows) (ref blob.Ref, err error) {
	err = r.Scan((*string)(&ref))
	return ref, err
}
