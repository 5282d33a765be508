package memstore

import (
	"context"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// Apply implements store.Account.
func (a *account) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	r, err := a.apply(ctx, c)
	if err != nil {
		return store.Result{}, a.fail("apply", err)
	}
	return r, nil
}

// apply asks for a repeated Change twice: before the blobs are looked at,
// since those of a Change long done may be collected, and under the lock that
// commits.
func (a *account) apply(ctx context.Context, c store.Change) (store.Result, error) {
	if err := c.Check(); err != nil {
		return store.Result{}, err
	}
	if err := a.enter(ctx); err != nil {
		return store.Result{}, err
	}
	r, done := a.once.get(c.Once)
	a.mu.Unlock()
	if done {
		return r, nil
	}
	if err := c.CheckBlobs(ctx, a.store.blobs); err != nil {
		return store.Result{}, err
	}
	if err := a.enter(ctx); err != nil {
		return store.Result{}, err
	}
	defer a.mu.Unlock()
	if r, done := a.once.get(c.Once); done {
		return r, nil
	}
	return a.commitLocked(c)
}

// commitLocked runs the ops; the first that is refused undoes all.
func (a *account) commitLocked(c store.Change) (store.Result, error) {
	t := &tx{account: a, before: a.counters, at: a.modSeq + 1, now: time.Now().Truncate(time.Second)}
	var r store.Result
	for _, op := range c.Ops {
		o, err := t.do(op)
		if err != nil {
			t.rollback()
			return store.Result{}, err
		}
		r.Ops = append(r.Ops, o)
	}
	r.ModSeq = t.commit()
	a.once.put(c.Once, r, time.Now())
	return r, nil
}

// tx is a Change on its way; all under account.mu.
type tx struct {
	*account
	before counters
	at     store.ModSeq // what this Change writes
	took   bool         // at was used
	now    time.Time    // to the second
	undo   []func()
	edited map[*mailbox]bool

	named, whole      int // messages counted against MaxChange and MaxWhole
	adopted, released []blob.Ref
}

func (t *tx) do(op store.Op) (store.OpResult, error) {
	switch op := op.(type) {
	case store.Append:
		return t.append(op)
	case store.Import:
		return t.importMessage(op)
	case store.SetFlags:
		return t.setFlags(op)
	case store.Expunge:
		return t.expunge(op)
	case store.Copy:
		return t.copy(op)
	case store.PutMailbox:
		return t.putMailbox(op)
	case store.PutEntry:
		return t.putEntry(op)
	case store.PutAccount:
		return t.putAccount(op)
	case store.ClaimRecent:
		return t.claimRecent(op)
	case store.DropAccount:
		return t.dropAccount()
	}
	return store.OpResult{}, store.ErrInvalid
}

// take is the ModSeq of whatever this Change changes.
func (t *tx) take() store.ModSeq {
	t.took = true
	return t.at
}

// edit makes m ready to be changed: its row and the list's header are put back
// by rollback. Elements of the list that exist are changed by replace alone.
func (t *tx) edit(m *mailbox) {
	if t.edited[m] {
		return
	}
	if t.edited == nil {
		t.edited = make(map[*mailbox]bool)
	}
	t.edited[m] = true
	old := *m
	t.undo = append(t.undo, func() { *m = old })
}

func (t *tx) rollback() {
	for i := len(t.undo) - 1; i >= 0; i-- {
		t.undo[i]()
	}
	t.counters = t.before
}

// commit makes the Change visible, with its ModSeq as the account's new one
// where one was taken.
func (t *tx) commit() store.ModSeq {
	if t.took {
		t.modSeq = max(t.modSeq, t.at)
	}
	t.store.moveHolds(t.adopted, t.released)
	if t.modSeq != t.before.modSeq || t.dropped {
		t.wakeLocked()
	}
	return t.modSeq
}

// box returns the mailbox that holds messages under id.
func (t *tx) box(id store.MailboxID) (*mailbox, error) {
	m := t.boxes[id]
	if m == nil || m.Gone || m.NoSelect {
		return nil, store.ErrNoMailbox
	}
	return m, nil
}

// here is the result that names m.
func here(m *mailbox) store.OpResult {
	return store.OpResult{Mailbox: m.ID, UIDValidity: m.UIDValidity}
}

// checkQuota refuses what has grown beyond the limits.
func (t *tx) checkQuota(ignore bool) error {
	l := t.info.Limits
	if !ignore && (over(t.usage.Bytes, l.Bytes) || over(t.usage.Messages, l.Messages)) {
		return store.ErrOverQuota
	}
	return nil
}

func over(used, limit int64) bool { return limit > 0 && used > limit }
