package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

var _ store.Holder = (*handle)(nil)

// PutHold implements store.Holder.
func (h *handle) PutHold(ctx context.Context, x store.Hold) error {
	if err := x.Check(); err != nil {
		return fail("put hold", h.id, err)
	}
	x.UIDs = x.UIDs.Clone()
	err := h.commit(ctx, func(tx *sqldb.Tx, a *account) error {
		if !x.Mailbox.IsZero() {
			if _, err := a.holds(x.Mailbox); err != nil {
				return err
			}
		}
		h.store.touch(tx, a)
		a.setHold(x.Name, &x)
		return writeHold(tx, a.num, &x)
	})
	if err != nil {
		return fail("put hold", h.id, err)
	}
	return nil
}

// DropHold implements store.Holder.
func (h *handle) DropHold(ctx context.Context, name string) error {
	err := h.commit(ctx, func(tx *sqldb.Tx, a *account) error {
		if _, ok := slices.BinarySearchFunc(a.held, name, compareHold); !ok {
			return nil
		}
		h.store.touch(tx, a)
		a.setHold(name, nil)
		_, err := tx.Exec(`DELETE FROM hold WHERE account = ? AND name = ?`, a.num, []byte(name))
		return err
	})
	if err != nil {
		return fail("drop hold", h.id, err)
	}
	return nil
}

// ListHolds implements store.Holder.
func (h *handle) ListHolds(ctx context.Context) ([]store.Hold, error) {
	if _, err := h.account(ctx); err != nil {
		return nil, fail("list holds", h.id, err)
	}
	list, err := readHolds(ctx, h.store.db, h.num)
	if err != nil {
		return nil, fail("list holds", h.id, err)
	}
	return list, nil
}

// commit runs do on the working state of the account, which is that of the
// handle and not another of its name.
func (h *handle) commit(ctx context.Context, do func(tx *sqldb.Tx, a *account) error) error {
	if h.store.wake.closed() {
		return store.ErrClosed
	}
	return h.store.db.Commit(ctx, h.store.work(h.id, 0, func(tx *sqldb.Tx) error {
		a, err := h.store.load(tx, h.id)
		if err == nil && a.num != h.num {
			err = store.ErrNoAccount
		}
		if err != nil {
			return err
		}
		return do(tx, a)
	}))
}

// setHold replaces the hold of a name; nil takes it away.
func (a *account) setHold(name string, x *store.Hold) {
	i, ok := slices.BinarySearchFunc(a.held, name, compareHold)
	switch {
	case x == nil && ok:
		a.held = slices.Delete(a.held, i, i+1)
	case x != nil && ok:
		a.held[i] = *x
	case x != nil:
		a.held = slices.Insert(a.held, i, *x)
	}
}

func compareHold(h store.Hold, name string) int { return strings.Compare(h.Name, name) }

// writeHold writes the row. Until is seconds and nanoseconds, as it may lie
// centuries ahead; without one both are NULL.
func writeHold(tx *sqldb.Tx, account int64, x *store.Hold) error {
	var until, nanos any
	if !x.Until.IsZero() {
		until, nanos = x.Until.Unix(), int64(x.Until.Nanosecond())
	}
	_, err := tx.Exec(`INSERT INTO hold (account, name, reason, mailbox, uids, until, nanos, keep)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (account, name) DO UPDATE SET reason = excluded.reason, mailbox = excluded.mailbox,
		uids = excluded.uids, until = excluded.until, nanos = excluded.nanos, keep = excluded.keep`,
		account, []byte(x.Name), []byte(x.Reason), x.Mailbox[:], appendUIDs([]byte{}, x.UIDs), until, nanos, int64(x.Keep))
	return err
}

// readHolds returns the holds of an account in order of name.
func readHolds(ctx context.Context, q sqldb.Querier, account int64) ([]store.Hold, error) {
	return sqldb.Collect(ctx, q, scanHold, `SELECT name, reason, mailbox, uids, until, nanos, keep FROM hold
		WHERE account = ? ORDER BY name`, account)
}

func scanHold(r *sql.Rows) (x store.Hold, err error) {
	var name, reason, box, uids sql.RawBytes
	var until, nanos sql.NullInt64
	if err = r.Scan(&name, &reason, &box, &uids, &until, &nanos, (*int64)(&x.Keep)); err != nil {
		return x, err
	}
	if len(box) != len(x.Mailbox) {
		return x, fmt.Errorf("%w: hold on a mailbox id of %d octets", store.ErrCorrupt, len(box))
	}
	x.Name, x.Reason = string(name), string(reason)
	copy(x.Mailbox[:], box)
	if until.Valid {
		x.Until = time.Unix(until.Int64, nanos.Int64)
	}
	x.UIDs, err = consumeUIDs(uids)
	return x, err
}
