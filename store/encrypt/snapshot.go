package encrypt

import (
	"context"
	"iter"

	"github.com/mailstead/mailstead/store"
)

// Snapshot implements store.Snapshotter.
func (a *account) Snapshot(ctx context.Context) (store.Snapshot, error) {
	below, ok := store.As[store.Snapshotter](a.Account)
	if !ok {
		return nil, a.fail("snapshot", store.MailboxID{}, 0, store.ErrUnsupported)
	}
	s, err := below.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return &snapshot{s, a}, nil
}

// snapshot decrypts what a Snapshot shows.
type snapshot struct {
	store.Snapshot
	a *account
}

func (s *snapshot) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	return s.a.openMessages(ctx, id, q, s.Snapshot.Messages)
}

func (s *snapshot) Entries(ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
	return s.a.openEntries(ctx, s.Snapshot.Entries(ctx, q))
}
