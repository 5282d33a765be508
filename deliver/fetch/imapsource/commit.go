package imapsource

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// Delete implements fetch.Session.
func (s *session) Delete(_ context.Context, items []fetch.Item) error {
	for i := range items {
		set := s.marked[items[i].Folder]
		set.Add(imap.UID(items[i].Handle)) //nolint:gosec // from List
		s.marked[items[i].Folder] = set
	}
	return nil
}

// Commit implements fetch.Session. The session goes on.
func (s *session) Commit(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(s.marked)) {
		if err := s.commit(ctx, name, s.marked[name]); err != nil {
			return fmt.Errorf("mailbox %.200q: %w", name, err)
		}
		delete(s.marked, name)
	}
	return nil
}

func (s *session) commit(ctx context.Context, name string, uids imap.UIDSet) error {
	if err := s.enter(ctx, name); err != nil {
		return err
	}
	if s.c.Mailbox().ReadOnly {
		return errors.New("imapsource: the mailbox is read-only")
	}
	if s.s.MoveTo != "" {
		if s.c.Has(imap.CapMove) {
			_, err := s.c.Move(ctx, uids, s.s.MoveTo)
			return err
		}
		if _, err := s.c.Copy(ctx, uids, s.s.MoveTo); err != nil {
			return err
		}
	}
	return s.expunge(ctx, uids)
}

// mark sets \Deleted, or takes it away.
func (s *session) mark(ctx context.Context, uids imap.UIDSet, mode imap.StoreMode) error {
	o := imap.StoreOptions{Mode: mode, Flags: store.Deleted, Silent: true}
	_, err := s.c.Store(ctx, uids, o)
	return err
}

// expunge removes messages, and no others.
func (s *session) expunge(ctx context.Context, uids imap.UIDSet) error {
	if err := s.mark(ctx, uids, imap.StoreAdd); err != nil {
		return err
	}
	if s.c.Has(imap.CapUIDPlus) {
		return s.c.UIDExpunge(ctx, uids)
	}
	marked := imap.Criteria{Flags: store.Deleted}
	found, err := s.c.Search(ctx, marked, imap.SearchOptions{})
	if err != nil {
		return err
	}
	others := found.UIDs.Minus(uids)
	if len(others) == 0 {
		return s.c.Expunge(ctx)
	}
	if err := s.mark(ctx, others, imap.StoreRemove); err != nil {
		return err
	}
	return errors.Join(s.c.Expunge(ctx), s.mark(ctx, others, imap.StoreAdd))
}
