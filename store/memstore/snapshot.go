package memstore

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/mailstead/mailstead/store"
)

// snapshot is a copy of the account's tables; the messages in them are
// immutable and shared.
type snapshot struct {
	frozen account
	closed atomic.Bool
}

var _ store.Snapshotter = (*account)(nil)

// Snapshot implements store.Snapshotter.
func (a *account) Snapshot(ctx context.Context) (store.Snapshot, error) {
	if err := a.enter(ctx); err != nil {
		return nil, a.fail("snapshot", err)
	}
	defer a.mu.Unlock()
	s := &snapshot{frozen: account{
		store: a.store, id: a.id, counters: a.counters,
		boxes: make(map[store.MailboxID]*mailbox, len(a.boxes)), entries: maps.Clone(a.entries),
	}}
	for id, m := range a.boxes {
		s.frozen.boxes[id] = &mailbox{Mailbox: m.Mailbox, msgs: slices.Clone(m.msgs)}
	}
	return s, nil
}

// ModSeq implements store.Snapshot.
func (s *snapshot) ModSeq() store.ModSeq { return s.frozen.modSeq }

// Close implements store.Snapshot.
func (s *snapshot) Close() error {
	s.closed.Store(true)
	return nil
}

// Mailboxes implements store.Snapshot.
func (s *snapshot) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, error) {
	if s.closed.Load() {
		return nil, s.frozen.fail("mailboxes", store.ErrClosed)
	}
	boxes, _, err := s.frozen.Mailboxes(ctx, since)
	return boxes, err
}

// Messages implements store.Snapshot.
func (s *snapshot) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	if s.closed.Load() {
		return func(yield func(*store.Message, error) bool) { yield(nil, s.frozen.fail("messages", store.ErrClosed)) }
	}
	return s.frozen.Messages(ctx, id, q)
}

// Entries implements store.Snapshot.
func (s *snapshot) Entries(ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
	if s.closed.Load() {
		return func(yield func(store.Entry, error) bool) {
			yield(store.Entry{}, s.frozen.fail("entries", store.ErrClosed))
		}
	}
	return s.frozen.Entries(ctx, q)
}
