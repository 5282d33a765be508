package view

import (
	"context"

	"github.com/mailstead/mailstead/store"
)

// ClaimRecent claims the messages up to the UID last that no session was told
// \Recent of (RFC 3501 §2.3.2), and returns which they are. However many
// sessions ask, the store is asked once for each new message.
func (a *Account) ClaimRecent(ctx context.Context, id store.MailboxID, last store.UID) (store.UIDSet, error) {
	if a.RecentFrom(id) > last {
		return nil, nil
	}
	if err := a.lock(ctx); err != nil {
		return nil, err
	}
	defer a.unlock()
	if a.RecentFrom(id) > last {
		return nil, nil
	}
	res, err := a.store.Apply(ctx, store.Change{Ops: []store.Op{store.ClaimRecent{Mailbox: id}}})
	if err != nil {
		return nil, err
	}
	if len(res.Ops) == 0 {
		return nil, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.claimed == nil {
		a.claimed = make(map[store.MailboxID]store.UID)
	}
	a.claimed[id] = max(last, res.Ops[0].Changed.Max()) + 1
	return res.Ops[0].Changed, nil
}

// RecentFrom is the first UID that no session was told \Recent of, as far as
// it is known here.
func (a *Account) RecentFrom(id store.MailboxID) store.UID {
	a.mu.Lock()
	defer a.mu.Unlock()
	from := a.claimed[id]
	if a.state != nil {
		if m := a.state.Mailbox(id); m != nil {
			from = max(from, m.RecentFrom)
		}
	}
	return from
}
