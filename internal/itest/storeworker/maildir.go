package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/maildir"
)

// maildirSystem is store/maildir. Bodies are in memory before they are in the
// tree, so that nothing but the tree can bring them back.
type maildirSystem struct{ *maildir.Store }

func openMaildir(_ context.Context, dir string, control bool) (system, error) {
	s, err := maildir.Open(dir, memblob.New(), maildir.Options{
		Logger: slog.New(slog.DiscardHandler), UnsafeNoDirSync: control,
	})
	if err != nil {
		return nil, err
	}
	return maildirSystem{s}, nil
}

// Background has nothing to do: the index is compacted by whom it is long for.
func (maildirSystem) Background(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Whole holds the counters against the messages and reads every message.
func (s maildirSystem) Whole(ctx context.Context) error {
	for info, err := range s.Accounts(ctx, "") {
		if err != nil {
			return err
		}
		a, err := s.Open(ctx, info.ID)
		if err != nil {
			return err
		}
		boxes, _, err := a.Mailboxes(ctx, 0)
		if err != nil {
			return err
		}
		for _, b := range boxes {
			if err := wholeMailbox(ctx, a, b); err != nil {
				return fmt.Errorf("account %s mailbox %s: %w", info.ID, b.Name, err)
			}
		}
	}
	return nil
}

func wholeMailbox(ctx context.Context, a store.Account, b store.Mailbox) error {
	var n, size int64
	for m, err := range a.Messages(ctx, b.ID, store.Query{}) {
		if err != nil {
			return err
		}
		c, err := a.Content(ctx, b.ID, m.UID)
		if err != nil {
			return err
		}
		if got := c.Size(); got != m.Size {
			return fmt.Errorf("UID %d has %d octets, want %d", m.UID, got, m.Size)
		}
		if err := c.Close(); err != nil {
			return err
		}
		n, size = n+1, size+m.Size
	}
	if n != b.Messages || size != b.Bytes {
		return fmt.Errorf("counts %d messages of %d octets, has %d of %d", b.Messages, b.Bytes, n, size)
	}
	return nil
}
