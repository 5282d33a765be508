package sqlstore

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// cleanBatch bounds the rows that one Work of the cleaner removes, so that it
// never holds up deliveries.
const cleanBatch = 500

// cleaner takes away in the background what deletions left behind: the rows of
// deleted accounts and mailboxes at once, facts when the hold on their blobs
// has ended, and what is older than its keeping time.
type cleaner struct {
	cancel context.CancelFunc
	kicks  chan struct{}
	wg     sync.WaitGroup
}

func (c *cleaner) start(s *Store) {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.kicks = cancel, make(chan struct{}, 1)
	if s.opts.CleanEvery < 0 {
		return
	}
	c.wg.Go(func() {
		tick := time.NewTicker(s.opts.CleanEvery)
		defer tick.Stop()
		for {
			var err error
			select {
			case <-ctx.Done():
				return
			case <-c.kicks:
				err = s.emptyTrash(ctx)
			case <-tick.C:
				err = s.Clean(ctx)
			}
			if err != nil && ctx.Err() == nil {
				s.log.Error("cleaning the store failed; it is tried again later", "error", err)
			}
		}
	})
}

func (c *cleaner) stop() {
	c.cancel()
	c.wg.Wait()
}

func (c *cleaner) kick() {
	select {
	case c.kicks <- struct{}{}:
	default:
	}
}

// Clean does now what the cleaner does from time to time. It may run beside
// everything else.
func (s *Store) Clean(ctx context.Context) error {
	if err := s.emptyTrash(ctx); err != nil {
		return err
	}
	if err := s.expire(ctx); err != nil || s.opts.KeepLog < 0 {
		return err
	}
	return s.shortenLogs(ctx)
}

// discard notes that messages lost their mailbox (uids), that a mailbox was
// deleted (none), or the account (mailbox 0).
func (c *change) discard(mailbox int64, uids store.UIDSet) error {
	if len(uids) == 0 {
		c.tx.AfterCommit(c.s.cleaner.kick)
	}
	_, err := c.tx.Exec(`INSERT INTO trash (account, mailbox, modseq, at, uids) VALUES (?, ?, ?, ?, ?)`,
		c.a.num, mailbox, int64(c.take()), c.now.Unix(), appendUIDs([]byte{}, uids))
	return err
}

// trash is a row of that table.
type trash struct {
	account, mailbox, modSeq, at int64
	uids                         store.UIDSet
}

func scanTrash(r *sql.Rows) (t trash, err error) {
	var b sql.RawBytes
	if err = r.Scan(&t.account, &t.mailbox, &t.modSeq, &t.at, &b); err != nil {
		return t, err
	}
	t.uids, err = consumeUIDs(b)
	return t, err
}

func (s *Store) emptyTrash(ctx context.Context) error {
	pages := sqldb.Pages(func(last *trash) ([]trash, error) {
		if last == nil {
			last = &trash{}
		}
		return sqldb.Collect(ctx, s.db, scanTrash, `SELECT account, mailbox, modseq, at, uids FROM trash
			WHERE (account, mailbox, modseq) > (?, ?, ?) ORDER BY account, mailbox, modseq LIMIT 100`,
			last.account, last.mailbox, last.modSeq)
	})
	w := sweep{s: s}
	for t, err := range pages {
		if err != nil {
			return err
		}
		due := time.Since(time.Unix(t.at, 0)) > holdFor
		switch {
		case len(t.uids) == 0:
			err = s.empty(ctx, &t, due)
		case due:
			err = w.add(ctx, &t)
		}
		if err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// empty takes away what is left of an account or a mailbox; facts when due.
func (s *Store) empty(ctx context.Context, t *trash, due bool) error {
	switch t.mailbox {
	case 0:
		for _, table := range [...]table{stateTable, logTable, entryTable, onceTable, threadTable, holdTable, leaseTable} {
			if err := s.remove(ctx, table, `account = ?`, t.account); err != nil {
				return err
			}
		}
	default:
		for _, table := range [...]table{stateTable, logTable, entryTable} {
			if err := s.remove(ctx, table, `account = ? AND mailbox = ?`, t.account, t.mailbox); err != nil {
				return err
			}
		}
	}
	if !due {
		return nil
	}
	if t.mailbox != 0 {
		if err := s.remove(ctx, factTable, `account = ? AND mailbox = ?`, t.account, t.mailbox); err != nil {
			return err
		}
		return s.drop(ctx, t)
	}
	for _, table := range [...]table{factTable, mailboxTable, accountTable, trashTable} {
		where := `account = ?`
		if table == accountTable {
			where = `id = ?`
		}
		if err := s.remove(ctx, table, where, t.account); err != nil {
			return err
		}
	}
	return nil
}

// sweep gathers deletions of single rows, so that one commit serves many.
type sweep struct {
	s    *Store
	todo []deletion
	cost int64
}

// deletion is a statement with its arguments.
type deletion struct {
	query string
	args  []any
}

// add takes away the facts of expunged messages, then the row of trash.
func (w *sweep) add(ctx context.Context, t *trash) error {
	for _, r := range t.uids {
		for from := int64(r.First); from <= int64(r.Last); from += cleanBatch {
			to := min(from+cleanBatch-1, int64(r.Last))
			err := w.put(ctx, to-from+1, `DELETE FROM fact WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ?`,
				t.account, t.mailbox, from, to)
			if err != nil {
				return err
			}
		}
	}
	return w.put(ctx, 1, `DELETE FROM trash WHERE account = ? AND mailbox = ? AND modseq = ?`, t.account, t.mailbox, t.modSeq)
}

func (w *sweep) put(ctx context.Context, cost int64, query string, args ...any) error {
	if w.cost+cost > cleanBatch {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	w.todo = append(w.todo, deletion{query, args})
	w.cost += cost
	return nil
}

// flush commits what was gathered.
func (w *sweep) flush(ctx context.Context) error {
	if len(w.todo) == 0 {
		return nil
	}
	err := w.s.db.Commit(ctx, sqldb.Work{Key: "clean", Cost: cleanBatch, Do: func(tx *sqldb.Tx) error {
		for _, d := range w.todo {
			if _, err := tx.Exec(d.query, d.args...); err != nil {
				return err
			}
		}
		return nil
	}})
	w.todo, w.cost = w.todo[:0], 0
	return err
}

// drop removes the row of trash itself.
func (s *Store) drop(ctx context.Context, t *trash) error {
	return s.remove(ctx, trashTable, `account = ? AND mailbox = ? AND modseq = ?`, t.account, t.mailbox, t.modSeq)
}

// table is a table with its primary key.
type table struct{ name, key string }

var (
	accountTable = table{"account", "id"}
	mailboxTable = table{"mailbox", "account, num"}
	stateTable   = table{"state", "account, mailbox, first"}
	factTable    = table{"fact", "account, mailbox, uid"}
	logTable     = table{"log", "account, mailbox, kind, modseq, seq"}
	threadTable  = table{"thread", "account, hash, subject, thread"}
	entryTable   = table{"entry", "account, mailbox, name"}
	onceTable    = table{"once", "account, name"}
	holdTable    = table{"hold", "account, name"}
	leaseTable   = table{"maildrop", "account"}
	trashTable   = table{"trash", "account, mailbox, modseq"}
)

// remove deletes rows in small batches, each of them a Work of its own.
func (s *Store) remove(ctx context.Context, t table, where string, args ...any) error {
	key := "(" + t.key + ")"
	any := `SELECT 1 FROM ` + t.name + ` WHERE ` + where + ` LIMIT 1`
	// The condition stands twice, as another node may change a row meanwhile.
	query := `DELETE FROM ` + t.name + ` WHERE ` + key + ` IN (SELECT ` + t.key + ` FROM ` + t.name + ` WHERE ` + where + ` LIMIT CAST(? AS {int})) AND ` + where
	limited := slices.Concat(args, []interface{}{int64(cleanBatch)}, args)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, more, err := sqldb.One(ctx, s.db, sqldb.Int64, any, args...); err != nil || !more {
			return err
		}
		err := s.db.Commit(ctx, sqldb.Work{Key: "clean", Cost: cleanBatch, Do: func(tx *sqldb.Tx) error {
			_, err := tx.Exec(query, limited...)
			return err
		}})
		if err != nil {
			return err
		}
	}
}
