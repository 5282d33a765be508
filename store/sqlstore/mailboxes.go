package sqlstore

import (
	"context"

	"github.com/mailstead/mailstead/store"
)

// Mailboxes implements store.Account, from memory where that is up to date.
func (h *handle) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	list, now, err := h.mailboxes(ctx, since)
	if err != nil {
		return nil, 0, fail("mailboxes", h.id, err)
	}
	return list, now, nil
}

func (h *handle) mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	a, err := h.account(ctx)
	if err != nil {
		return nil, 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.gone(); err != nil {
		return nil, 0, err
	}
	p := &a.pub
	if since > 0 && since < p.purged {
		return nil, 0, store.ErrResync
	}
	var out []store.Mailbox
	for _, b := range p.sortedLocked() {
		if max(b.ModSeq, b.HighestModSeq) > since && (since > 0 || !b.Gone) {
			out = append(out, b.Mailbox)
		}
	}
	return out, p.modSeq, nil
}

// Usage implements store.Account, from memory where that is up to date.
func (h *handle) Usage(ctx context.Context) (store.Usage, error) {
	a, err := h.account(ctx)
	if err != nil {
		return store.Usage{}, fail("usage", h.id, err)
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	if err := a.gone(); err != nil {
		return store.Usage{}, fail("usage", h.id, err)
	}
	return a.pub.usage, nil
}

// shown returns a mailbox as of the last commit, tombstones included, and the
// purge mark of the account.
func (h *handle) shown(ctx context.Context, id store.MailboxID) (shownBox, store.ModSeq, error) {
	a, err := h.account(ctx)
	if err != nil {
		return shownBox{}, 0, err
	}
	return a.find(id)
}

// glance is shown, but may be older than what other nodes committed.
func (h *handle) glance(ctx context.Context, id store.MailboxID) (shownBox, error) {
	a, err := h.cached(ctx)
	if err != nil {
		return shownBox{}, err
	}
	b, _, err := a.find(id)
	return b, err
}

func (a *account) find(id store.MailboxID) (shownBox, store.ModSeq, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	b := a.pub.boxes[id]
	if err := a.gone(); err != nil || b == nil {
		return shownBox{}, 0, first(err, store.ErrNoMailbox)
	}
	return *b, a.pub.purged, nil
}
