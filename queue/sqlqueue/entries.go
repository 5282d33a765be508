package sqlqueue

import (
	"cmp"
	"context"
	"iter"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlentry"
	"github.com/mailstead/mailstead/store/sqldb"
)

func (s *Storage) entryTable() *sqlentry.Table { return &sqlentry.Table{DB: s.db, Now: s.now} }

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

// write notes entries that were checked, for the end of the batch.
func (b *batch) write(entries []queue.Entry) { b.entries.Note(b.tx, entries) }

func (b *batch) flushEntries() error { return b.entries.Flush(b.tx, b.s.entryTable()) }

// entryQueries write the entries of a job.
func (s *Storage) entryQueries(r *row) (out []question) {
	for _, q := range s.entryTable().Write(r.entries) {
		out = append(out, question{q.Query, q.Args})
	}
	return out
}

// Entries implements queue.Storage.
func (s *Storage) Entries(ctx context.Context, f queue.EntryFilter) iter.Seq2[*queue.Entry, error] {
	return s.entryTable().Entries(ctx, f)
}
