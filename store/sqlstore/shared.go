package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"math/bits"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Several nodes may work on the same data, each with a Store. Who changes an
// account locks its row first and holds it until the commit, so the order of
// ModSeqs and UIDs is that of the commits at all nodes. The row has a version
// that every commit raises: working state in memory whose version is not that
// of the locked row was changed elsewhere, and is read again. Readers compare
// the version too, with one short read, and catch up in one statement.

// shared reports that other nodes may work on the data.
func (s *Store) shared() bool { return !s.opts.OneOwner }

const accountKey = "a:"

// work is a Work on one account, whose row is locked while it runs.
func (s *Store) work(id store.AccountID, cost int, do func(*sqldb.Tx) error) sqldb.Work {
	w := sqldb.Work{Key: accountKey + string(id), Cost: cost, Do: do}
	if s.shared() {
		w.Locker = locker{s}
	}
	return w
}

// locker locks the rows of accounts by the keys of their Work.
type locker struct{ s *Store }

// lockMax bounds the accounts of one statement; it is a power of two.
const lockMax = 64

// Lock implements sqldb.Locker. Accounts in memory that another node changed,
// made or dropped are forgotten.
func (l locker) Lock(tx *sqldb.Tx, keys []string) error {
	for part := range slices.Chunk(keys, lockMax) {
		args := make([]any, sizeOf(len(part)))
		for i := range args { // the last one fills up
			args[i] = part[min(i, len(part)-1)][len(accountKey):]
		}
		rows, err := sqldb.Collect(tx.Context(), tx, scanLocked, lockQuery(len(args)), args...)
		if err != nil {
			return err
		}
		l.check(part, rows)
	}
	return nil
}

// lockQuery locks n accounts in the order of their names.
func lockQuery(n int) string {
	return `SELECT name, id, version FROM account WHERE name IN (` + list("?", n) + `) AND dropped = 0
		ORDER BY name FOR UPDATE`
}

// sizeOf is the next power of two, so that there are few statements.
func sizeOf(n int) int { return 1 << bits.Len(uint(n-1)) }

// locked is the row of an account that is locked.
type locked struct {
	id           store.AccountID
	num, version int64
}

func scanLocked(r *sql.Rows) (l locked, err error) {
	err = r.Scan((*string)(&l.id), &l.num, &l.version)
	return l, err
}

// check compares what is in memory with the rows, which are in the order of the
// keys.
func (l locker) check(keys []string, rows []locked) {
	for _, key := range keys {
		id := store.AccountID(key[len(accountKey):])
		var row locked
		if len(rows) > 0 && rows[0].id == id {
			row, rows = rows[0], rows[1:]
		}
		l.s.mu.RLock()
		a := l.s.accounts[id]
		l.s.mu.RUnlock()
		if a != nil && (a.num != row.num || a.version != row.version) {
			l.s.forget(a)
		}
	}
}

// refresh has a show what is committed now, also by other nodes. It returns
// another account when the name has another one now, or ErrNoAccount.
func (s *Store) refresh(ctx context.Context, a *account) (*account, error) {
	if !s.shared() {
		return a, nil
	}
	version, there, err := sqldb.One(ctx, s.db, sqldb.Int64,
		`SELECT version FROM account WHERE id = ? AND dropped = 0`, a.num)
	if err != nil {
		return nil, err
	}
	if !there {
		s.forget(a)
		return s.account(ctx, a.id)
	}
	if a.shows() >= version {
		return a, nil
	}
	now, err := readAccount(ctx, s.db, a.id)
	switch {
	case err == nil && now.num == a.num:
		s.catchUp(a, now)
		return a, nil
	case err == nil, errors.Is(err, store.ErrNoAccount):
		s.forget(a)
		return s.account(ctx, a.id)
	}
	return nil, err
}

// shows is the version that readers see.
func (a *account) shows() int64 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.pub.version
}

// catchUp has readers of a see what was read, unless they see more already.
func (s *Store) catchUp(a, now *account) {
	now.show()
	a.mu.Lock()
	grown := false
	if now.pub.version > a.pub.version {
		grown = now.pub.modSeq > a.pub.modSeq
		a.pub = now.pub
	}
	a.mu.Unlock()
	if grown {
		s.wake.notify(a.num)
	}
}

// How long the outcome of a COMMIT is looked for whose answer was lost.
const (
	resolveFor   = 15 * time.Second
	resolvePause = 100 * time.Millisecond
)

// resolve finds out what became of a Change with a Once key whose COMMIT was
// not answered, by running it again: it is applied now, or was before. While
// the database does not answer that is tried again; unknown is the error when
// it never does.
func (s *Store) resolve(ctx context.Context, w sqldb.Work, unknown error) error {
	ctx, cancel := context.WithTimeout(ctx, resolveFor)
	defer cancel()
	for {
		err := s.db.Commit(ctx, w)
		if !errors.Is(err, sqldb.ErrUnknown) && !errors.Is(err, sqldb.ErrSystemic) && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return unknown
		case <-s.wake.done:
			return unknown
		case <-time.After(resolvePause):
		}
	}
}
