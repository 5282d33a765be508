package sqlstore

import (
	"context"
	"errors"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// importJump is how far the counters move when an import ends: numbers that
// were given out after the copy was made are not given out again.
const importJump = 1 << 20

// putAccount carries out a PutAccount.
func (c *change) putAccount(op *store.PutAccount) (store.OpResult, error) {
	c.s.touch(c.tx, c.a)
	info := &c.a.info
	if op.Limits != nil {
		info.Limits = *op.Limits
	}
	if op.State != nil {
		if info.State == store.AccountImporting && *op.State != store.AccountImporting {
			c.jump()
		}
		info.State = *op.State
	}
	return store.OpResult{}, nil
}

// jump moves UIDNEXT of every mailbox and the ModSeq counter ahead, and the
// purge mark with it: what was given out before is in no log (I8).
func (c *change) jump() {
	c.a.modSeq += importJump
	if c.modSeq != 0 { // what this Change did before keeps its value
		c.a.modSeq++
	}
	c.a.purged = c.a.modSeq
	for _, b := range c.a.boxes {
		if b.Gone || b.NoSelect {
			continue
		}
		b.HighestModSeq = c.a.modSeq
		c.a.mark(b)
		if b.UIDNext < maxUID-importJump {
			b.UIDNext += importJump
		}
	}
}

// dropAccount carries out a DropAccount: one mark; the cleaner does the rest.
func (c *change) dropAccount() (store.OpResult, error) {
	if err := c.mayDrop(); err != nil {
		return store.OpResult{}, err
	}
	c.take()
	c.a.dropped = true
	if err := c.discard(0, nil); err != nil {
		return store.OpResult{}, err
	}
	return store.OpResult{}, c.s.flush(c.tx, c.a)
}

// Jump moves UIDNEXT of every mailbox and the ModSeq counter of every account
// 2^20 ahead. It is for a database that may have lost its last commits (a
// failover without synchronous replication, a restore of an older state): what
// was given out by a lost commit is not given out again for something else, and
// who asks for changes since before gets store.ErrResync. It runs before the
// nodes take up work again.
func (s *Store) Jump(ctx context.Context) error {
	for info, err := range s.Accounts(ctx, "") {
		if err != nil {
			return err
		}
		err := s.db.Commit(ctx, s.work(info.ID, 0, func(tx *sqldb.Tx) error {
			a, err := s.load(tx, info.ID)
			if err != nil {
				return err
			}
			s.touch(tx, a)
			(&change{s: s, tx: tx, a: a}).jump()
			return nil
		}))
		if err != nil && !errors.Is(err, store.ErrNoAccount) {
			return fail("jump", info.ID, err)
		}
	}
	return nil
}
