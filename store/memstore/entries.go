package memstore

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store"
)

type entryKey struct {
	mailbox store.MailboxID
	key     string
}

// Entries implements store.Account. The list is made under the lock, the loop
// body runs without it.
func (a *account) Entries(ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		list, err := a.listEntries(ctx, q)
		if err != nil {
			yield(store.Entry{}, a.fail("entries", err))
			return
		}
		for _, e := range list {
			e.Value = slices.Clone(e.Value)
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (a *account) listEntries(ctx context.Context, q store.EntryQuery) ([]store.Entry, error) {
	if err := a.enter(ctx); err != nil {
		return nil, err
	}
	defer a.mu.Unlock()
	if m := a.boxes[q.Mailbox]; !q.All && !q.Mailbox.IsZero() && (m == nil || m.Gone) {
		return nil, store.ErrNoMailbox
	}
	if q.Since > 0 && q.Since < a.purged {
		return nil, store.ErrResync
	}
	now := time.Now()
	var list []store.Entry
	for _, e := range a.entries {
		if (q.All || e.Mailbox == q.Mailbox) && strings.HasPrefix(e.Key, q.Prefix) &&
			e.ModSeq > q.Since && (present(e, now) || e.Gone && q.Since > 0) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(x, y store.Entry) int {
		return cmp.Or(slices.Compare(x.Mailbox[:], y.Mailbox[:]), cmp.Compare(x.Key, y.Key))
	})
	return list, nil
}

// present reports whether e is there: not removed and not expired.
func present(e store.Entry, now time.Time) bool {
	return !e.Gone && (e.Expires.IsZero() || now.Before(e.Expires))
}
