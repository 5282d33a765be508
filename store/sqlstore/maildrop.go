package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

var _ store.MaildropLocker = (*handle)(nil)

// lease is the row of a locked maildrop.
type lease struct {
	holder string
	until  time.Time
}

func scanLease(r *sql.Rows) (l lease, err error) {
	var holder sql.RawBytes
	var until int64
	err = r.Scan(&holder, &until)
	l.holder, l.until = string(holder), time.UnixMicro(until)
	return l, err
}

// LockMaildrop implements store.MaildropLocker by a row that names the holder
// and when its lease ends, by the database's clock. Whoever comes after that takes the row over, so a
// lock of a process that crashed ends with its lease, or with the next start
// where one process owns the database.
func (h *handle) LockMaildrop(ctx context.Context, holder string, d time.Duration) error {
	err := h.commit(ctx, func(tx *sqldb.Tx, a *account) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		l, locked, err := readLease(tx, a.num)
		if err != nil {
			return err
		}
		if locked && l.holder != holder && now.Before(l.until) {
			return store.ErrLocked
		}
		_, err = tx.Exec(`INSERT INTO maildrop (account, holder, until) VALUES (?, ?, ?)
			ON CONFLICT (account) DO UPDATE SET holder = excluded.holder, until = excluded.until`,
			a.num, []byte(holder), now.Add(d).UnixMicro())
		return err
	})
	if err != nil {
		return fail("lock maildrop", h.id, err)
	}
	return nil
}

// UnlockMaildrop implements store.MaildropLocker.
func (h *handle) UnlockMaildrop(ctx context.Context, holder string) error {
	err := h.commit(ctx, func(tx *sqldb.Tx, a *account) error {
		l, locked, err := readLease(tx, a.num)
		if err != nil || !locked || l.holder != holder {
			return err
		}
		_, err = tx.Exec(`DELETE FROM maildrop WHERE account = ?`, a.num)
		return err
	})
	if err != nil {
		return fail("unlock maildrop", h.id, err)
	}
	return nil
}

func readLease(tx *sqldb.Tx, account int64) (l lease, locked bool, err error) {
	return sqldb.One(tx.Context(), tx, scanLease, `SELECT holder, until FROM maildrop WHERE account = ?`, account)
}

// freeMaildrops unlocks what an earlier owner of the database left locked.
func freeMaildrops(ctx context.Context, db *sqldb.DB) error {
	return db.Commit(ctx, sqldb.Work{Key: "maildrops", Do: func(tx *sqldb.Tx) error {
		_, err := tx.Exec(`DELETE FROM maildrop`)
		return err
	}})
}
