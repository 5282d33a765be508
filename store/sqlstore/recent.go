package sqlstore

import (
	"context"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Claims of \Recent (RFC 3501 §2.3.2) are made in memory and written with the
// next change of the mailbox or at Close: a crash may lose them, and opening a
// mailbox costs no sync. Where nodes share the data a claim is a Change like
// others, if there is something to claim.

func onlyClaims(ops []store.Op) bool {
	for _, op := range ops {
		if _, ok := op.(store.ClaimRecent); !ok {
			return false
		}
	}
	return true
}

// claim carries out a Change that does nothing but claim; done is false where
// the committer has to.
func (h *handle) claim(ctx context.Context, ops []store.Op) (r store.Result, done bool, err error) {
	a, err := h.account(ctx)
	if err != nil {
		return r, false, err
	}
	if h.store.shared() && a.hasUnclaimed(ops) {
		return r, false, nil
	}
	for _, op := range ops {
		o, err := h.claimOne(ctx, a, op.(store.ClaimRecent).Mailbox)
		if err != nil {
			return store.Result{}, false, err
		}
		r.Ops = append(r.Ops, o)
	}
	a.mu.RLock()
	r.ModSeq = a.pub.modSeq
	a.mu.RUnlock()
	return r, true, nil
}

// hasUnclaimed reports whether one of the claims would be made.
func (a *account) hasUnclaimed(ops []store.Op) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, op := range ops {
		b := a.pub.boxes[op.(store.ClaimRecent).Mailbox]
		if b != nil && b.RecentFrom < b.UIDNext {
			return true
		}
	}
	return false
}

func (h *handle) claimOne(ctx context.Context, a *account, id store.MailboxID) (store.OpResult, error) {
	a.mu.Lock()
	b := a.pub.boxes[id]
	if b == nil || b.Gone || b.NoSelect {
		a.mu.Unlock()
		return store.OpResult{}, store.ErrNoMailbox
	}
	num, from, to := b.num, b.RecentFrom, b.UIDNext
	r := store.OpResult{Mailbox: b.ID, UIDValidity: b.UIDValidity}
	if from < to && !h.store.shared() {
		b.RecentFrom, b.claims = to, true
	}
	a.mu.Unlock()
	if from >= to || h.store.shared() { // there it came since the look at all
		return r, nil
	}
	want := store.UIDSet{{First: from, Last: to - 1}}
	reader := &blockReader{q: h.store.db, account: a.num, box: num, want: want}
	err := collectClaims(ctx, reader, &r)
	return r, err
}

// collectClaims adds the messages that the reader finds to what was claimed.
func collectClaims(ctx context.Context, reader *blockReader, r *store.OpResult) error {
	for {
		blocks, err := reader.next(ctx)
		if err != nil || len(blocks) == 0 {
			return err
		}
		for _, bl := range blocks {
			for i := range bl.rows {
				if reader.want.Contains(bl.rows[i].uid) {
					r.Changed.Add(bl.rows[i].uid)
				}
			}
		}
	}
}

// claimRecent carries out a ClaimRecent among other Ops.
func (c *change) claimRecent(op *store.ClaimRecent) (store.OpResult, error) {
	b, err := c.a.holds(op.Mailbox)
	if err != nil {
		return store.OpResult{}, err
	}
	r := here(b)
	from := max(b.RecentFrom, c.a.claimed(b.ID))
	if from >= b.UIDNext {
		return r, nil
	}
	reader, err := c.blocks(b, store.UIDSet{{First: from, Last: b.UIDNext - 1}})
	if err != nil {
		return r, err
	}
	if err := collectClaims(c.tx.Context(), reader, &r); err != nil {
		return r, err
	}
	c.s.touch(c.tx, c.a)
	c.a.mark(b)
	b.RecentFrom = b.UIDNext
	return r, nil
}

// claimed is RecentFrom as readers see it.
func (a *account) claimed(id store.MailboxID) store.UID {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if b := a.pub.boxes[id]; b != nil {
		return b.RecentFrom
	}
	return 0
}

// hasClaims reports whether a claim was not written yet.
func (a *account) hasClaims() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, b := range a.pub.boxes {
		if b.claims {
			return true
		}
	}
	return false
}

// flushRecent writes the claims of all accounts.
func (s *Store) flushRecent(tx *sqldb.Tx) error {
	s.mu.RLock()
	var list []*account
	for _, a := range s.accounts {
		list = append(list, a)
	}
	s.mu.RUnlock()
	for _, a := range list {
		for id, b := range a.boxes {
			if a.claimed(id) > b.RecentFrom && !b.Gone {
				s.touch(tx, a)
				a.mark(b)
			}
		}
	}
	return nil
}
