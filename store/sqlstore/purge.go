package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// expire removes idempotency keys and entries whose time is over.
func (s *Store) expire(ctx context.Context) error {
	now := time.Now()
	if err := s.expireEntries(ctx, now); err != nil {
		return err
	}
	return s.expireOnce(ctx, now)
}

// expireEntries looks again in the statement that removes: an entry may have
// been put anew.
func (s *Store) expireEntries(ctx context.Context, now time.Time) error {
	type entryRow struct {
		account, box int64
		name         []byte
	}
	pages := sqldb.Pages(func(last *entryRow) ([]entryRow, error) {
		if last == nil {
			last = &entryRow{}
		}
		return sqldb.Collect(ctx, s.db, func(r *sql.Rows) (e entryRow, err error) {
			err = r.Scan(&e.account, &e.box, &e.name)
			return e, err
		}, `SELECT account, mailbox, name FROM entry WHERE (account, mailbox, name) > (?, ?, ?)
			AND expires > 0 AND expires <= ? ORDER BY account, mailbox, name LIMIT 1000`,
			last.account, last.box, append([]byte{}, last.name...), now.UnixNano())
	})
	w := sweep{s: s}
	for e, err := range pages {
		if err != nil {
			return err
		}
		err = w.put(ctx, 1, `DELETE FROM entry WHERE account = ? AND mailbox = ? AND name = ? AND expires > 0 AND expires <= ?`,
			e.account, e.box, e.name, now.UnixNano())
		if err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

func (s *Store) expireOnce(ctx context.Context, now time.Time) error {
	type onceRow struct {
		account, at int64
		name        []byte
	}
	pages := sqldb.Pages(func(last *onceRow) ([]onceRow, error) {
		if last == nil {
			last = &onceRow{}
		}
		return sqldb.Collect(ctx, s.db, func(r *sql.Rows) (o onceRow, err error) {
			err = r.Scan(&o.account, &o.name, &o.at)
			return o, err
		}, `SELECT account, name, at FROM once WHERE (account, name) > (?, ?) ORDER BY account, name LIMIT 1000`,
			last.account, append([]byte{}, last.name...))
	})
	cutoff := now.Add(-s.opts.KeepOnce).Unix()
	w := sweep{s: s}
	for o, err := range pages {
		if err != nil {
			return err
		}
		if o.at >= cutoff {
			continue
		}
		if err := w.put(ctx, 1, `DELETE FROM once WHERE account = ? AND name = ?`, o.account, o.name); err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// shortenLogs purges what is older than KeepLog.
func (s *Store) shortenLogs(ctx context.Context) error {
	cutoff := time.Now().Add(-s.opts.KeepLog).Unix()
	for info, err := range s.Accounts(ctx, "") {
		if err != nil {
			return err
		}
		a, err := s.account(ctx, info.ID)
		if err != nil {
			return err
		}
		upTo, _, err := sqldb.One(ctx, s.db, sqldb.Int64,
			`SELECT COALESCE(MAX(modseq), 0) FROM log WHERE account = ? AND at < ?`, a.num, cutoff)
		if err != nil {
			return err
		}
		if upTo == 0 {
			continue
		}
		if err := s.Purge(ctx, info.ID, store.ModSeq(upTo)); err != nil {
			return err
		}
	}
	return nil
}

// Purge forgets the change log and the tombstones of an account up to a
// ModSeq: who asks for changes since an earlier one gets store.ErrResync.
func (s *Store) Purge(ctx context.Context, id store.AccountID, upTo store.ModSeq) error {
	var num int64
	err := s.db.Commit(ctx, s.work(id, 0, func(tx *sqldb.Tx) error {
		a, err := s.load(tx, id)
		if err != nil {
			return err
		}
		num = a.num
		upTo = min(upTo, a.modSeq)
		s.touch(tx, a)
		a.purged = max(a.purged, upTo)
		for id, b := range a.boxes {
			if b.Gone && b.ModSeq <= upTo {
				delete(a.boxes, id)
			}
		}
		return nil
	}))
	if err != nil {
		return fail("purge", id, err)
	}
	work := func(do func(*sqldb.Tx) error) sqldb.Work { return s.work(id, cleanBatch, do) }
	for _, p := range [...]struct {
		table
		where string
	}{
		{logTable, `account = ? AND modseq <= ?`},
		{entryTable, `account = ? AND gone = 1 AND modseq <= ?`},
		{mailboxTable, `account = ? AND gone = 1 AND modseq <= ?`},
	} {
		if err := s.removeBy(ctx, work, p.table, p.where, num, int64(upTo)); err != nil {
			return fail("purge", id, err)
		}
	}
	return nil
}
