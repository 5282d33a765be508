package sqlstore

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

var _ store.Snapshotter = (*handle)(nil)

// snapshot is an account in a read transaction of the database. Its handle
// reads there, and from mailboxes that were read there.
type snapshot struct {
	handle *handle
	db     *sqldb.Snapshot
	at     store.ModSeq
	timer  *time.Timer // nil = without a limit
	closed atomic.Bool
}

// Snapshot implements store.Snapshotter by a read transaction. While it is open
// the database keeps what was overwritten since, so SQLite's WAL is not started
// anew and grows; it ends by itself after Options.SnapshotFor, and then fails
// with store.ErrClosed. It waits, as long as ctx does, while half of the
// connections for reading serve snapshots.
func (h *handle) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s, err := h.snapshot(ctx)
	if err != nil {
		return nil, fail("snapshot", h.id, err)
	}
	return s, nil
}

func (h *handle) snapshot(ctx context.Context) (*snapshot, error) {
	live, err := h.account(ctx)
	if err != nil {
		return nil, err
	}
	db, err := h.store.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	a, err := readAccount(ctx, db, h.id)
	if err == nil && a.num != h.num {
		err = store.ErrNoAccount
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	a.show()
	for id, b := range a.pub.boxes { // claims may be newer than the row
		b.RecentFrom = max(b.RecentFrom, min(live.claimed(id), b.UIDNext))
	}
	s := &snapshot{db: db, at: a.modSeq}
	s.handle = &handle{store: h.store, id: h.id, num: h.num, q: db, frozen: func() (*account, error) {
		if s.closed.Load() || h.store.wake.closed() {
			return nil, store.ErrClosed
		}
		return a, nil
	}}
	if d := h.store.opts.SnapshotFor; d > 0 {
		s.timer = time.AfterFunc(d, func() {
			if err := s.end(); err == nil {
				h.store.log.Warn("a snapshot was open for too long and is closed", "account", h.id, "after", d)
			}
		})
	}
	return s, nil
}

// ModSeq implements store.Snapshot.
func (s *snapshot) ModSeq() store.ModSeq { return s.at }

// Mailboxes implements store.Snapshot.
func (s *snapshot) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, error) {
	list, _, err := s.handle.Mailboxes(ctx, since)
	return list, err
}

// Messages implements store.Snapshot.
func (s *snapshot) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	return s.handle.Messages(ctx, id, q)
}

// Entries implements store.Snapshot.
func (s *snapshot) Entries(ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
	return s.handle.Entries(ctx, q)
}

// Close implements store.Snapshot.
func (s *snapshot) Close() error {
	if s.timer != nil {
		s.timer.Stop()
	}
	return known(s.end())
}

func (s *snapshot) end() error {
	s.closed.Store(true)
	return s.db.Close()
}
