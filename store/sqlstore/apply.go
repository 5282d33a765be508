package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// handle is one account as callers hold it.
type handle struct {
	store *Store
	id    store.AccountID
	num   int64

	q      sqldb.Querier            // where reads go: the store's db, or a snapshot
	frozen func() (*account, error) // the account of a snapshot; nil = as it is now
}

var _ store.Account = (*handle)(nil)

// account returns what readers see. ErrNoAccount: it was dropped, also when
// another one has its name now.
func (h *handle) account(ctx context.Context) (*account, error) {
	if h.frozen != nil {
		return h.frozen()
	}
	a, err := h.cached(ctx)
	if err == nil {
		a, err = h.store.refresh(ctx, a)
	}
	if err == nil && a.num != h.num {
		err = store.ErrNoAccount
	}
	return a, err
}

// cached is account, but may be older than what other nodes committed.
func (h *handle) cached(ctx context.Context) (*account, error) {
	if h.frozen != nil {
		return h.frozen()
	}
	a, err := h.store.account(ctx, h.id)
	if err == nil && a.num != h.num {
		err = store.ErrNoAccount
	}
	return a, err
}

// Apply implements store.Account.
func (h *handle) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	r, err := h.apply(ctx, c)
	if err != nil {
		return store.Result{}, fail("apply", h.id, err)
	}
	return r, nil
}

func (h *handle) apply(ctx context.Context, c store.Change) (r store.Result, err error) {
	if err := c.Check(); err != nil {
		return r, err
	}
	s := h.store
	if s.wake.closed() {
		return r, store.ErrClosed
	}
	if c.Once == "" && onlyClaims(c.Ops) {
		if r, done, err := h.claim(ctx, c.Ops); done || err != nil {
			return r, err
		}
	}
	// A Change that was done before is answered before its blobs are looked
	// at: they may be collected.
	if bad := s.checkBlobs(ctx, c.Ops); bad != nil {
		if r, ok, err := s.readOnce(ctx, s.db, h.num, c.Once); ok || err != nil {
			return r, err
		}
		return r, bad
	}
	w := s.work(h.id, cost(c.Ops), func(tx *sqldb.Tx) (err error) {
		r, err = s.do(tx, h, &c)
		return err
	})
	err = s.db.Commit(ctx, w)
	if errors.Is(err, sqldb.ErrUnknown) && c.Once != "" {
		err = s.resolve(ctx, w, err)
	}
	return r, err
}

// cost is about how many messages a Change touches.
func cost(ops []store.Op) int {
	n := int64(0)
	for _, op := range ops {
		switch op := op.(type) {
		case store.SetFlags:
			n += op.UIDs.Len()
		case store.Expunge:
			n += op.UIDs.Len()
		case store.Copy:
			n += op.UIDs.Len()
		case store.PutMailbox:
			n += 10
		default:
			n++
		}
	}
	return int(min(n, store.MaxWhole))
}

// checkBlobs looks for every blob that the ops refer to, without reading it.
func (s *Store) checkBlobs(ctx context.Context, ops []store.Op) error {
	for _, op := range ops {
		var err error
		switch op := op.(type) {
		case store.Append:
			err = s.checkBlob(ctx, &op)
		case store.Import:
			if !op.Gone {
				err = s.checkBlob(ctx, &op.Append)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) checkBlob(ctx context.Context, op *store.Append) error {
	have, err := blob.StatKeyed(ctx, s.blobs, op.Blob, op.Key)
	if err == nil && have >= 0 && have != op.Size {
		err = store.ErrInvalid
	}
	return err
}

// change is a Change on its way. It lives while its Do runs.
type change struct {
	s      *Store
	tx     *sqldb.Tx
	a      *account
	ops    []store.Op
	now    time.Time    // to the second
	modSeq store.ModSeq // what this Change writes; 0 until its first effect
	marks  []marks

	named, whole int64 // messages counted against MaxChange and MaxWhole
	buf          []byte
}

// do runs a Change inside the batch.
func (s *Store) do(tx *sqldb.Tx, h *handle, in *store.Change) (r store.Result, err error) {
	a, err := s.load(tx, h.id)
	if err != nil {
		return r, err
	}
	if a.num != h.num {
		return r, store.ErrNoAccount
	}
	r, ok, err := s.readOnce(tx.Context(), tx, a.num, in.Once)
	if ok || err != nil {
		return r, err
	}
	c := &change{s: s, tx: tx, a: a, ops: in.Ops, now: time.Unix(time.Now().Unix(), 0)}
	if err := c.precheck(); err != nil {
		return r, err
	}
	for _, op := range in.Ops {
		o, err := c.do(op)
		if err != nil {
			return store.Result{}, err
		}
		r.Ops = append(r.Ops, o)
	}
	if err := c.writeLog(); err != nil {
		return store.Result{}, err
	}
	r.ModSeq = a.modSeq
	return r, c.writeOnce(in.Once, r)
}

func (c *change) do(op store.Op) (store.OpResult, error) {
	switch op := op.(type) {
	case store.Append:
		return c.append(&op)
	case store.Import:
		return c.importMessage(&op)
	case store.SetFlags:
		return c.setFlags(&op)
	case store.Expunge:
		return c.expunge(&op)
	case store.Copy:
		return c.copy(&op)
	case store.PutMailbox:
		return c.putMailbox(&op)
	case store.PutEntry:
		return c.putEntry(&op)
	case store.PutAccount:
		return c.putAccount(&op)
	case store.ClaimRecent:
		return c.claimRecent(&op)
	case store.DropAccount:
		return c.dropAccount()
	}
	return store.OpResult{}, store.ErrInvalid
}

// take returns the ModSeq of this Change, and makes the account ready to be
// changed. Every Op calls it after its checks and before its first effect.
func (c *change) take() store.ModSeq {
	c.s.touch(c.tx, c.a)
	if c.modSeq == 0 {
		c.a.modSeq++
		c.modSeq = c.a.modSeq
	}
	return c.modSeq
}

// edit makes a mailbox ready to be changed, with this Change's ModSeq as its
// highest.
func (c *change) edit(b *box) {
	b.HighestModSeq = max(b.HighestModSeq, c.take())
	c.a.mark(b)
}

// count adds a message to the counters, or takes it away with by = -1.
func (c *change) count(b *box, r *row, by int64) {
	b.Messages += by
	b.Bytes += by * r.size
	if r.flags&store.Seen == 0 {
		b.Unseen += by
	}
	if r.flags&store.Deleted != 0 {
		b.Deleted += by
	}
	c.a.usage.Messages += by
	c.a.usage.Bytes += by * r.size
}

// here is the result that names a mailbox.
func here(b *box) store.OpResult {
	return store.OpResult{Mailbox: b.ID, UIDValidity: b.UIDValidity}
}

// allow counts what an Op names or makes. ErrTooLarge.
func (c *change) allow(named, whole int64) error {
	c.named += named
	c.whole += whole
	if c.named > store.MaxChange || c.whole > store.MaxWhole {
		return store.ErrTooLarge
	}
	return nil
}
