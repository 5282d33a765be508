package sqlstore

import "github.com/mailstead/mailstead/store"

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

// jump moves UIDNEXT of every mailbox and the ModSeq counter ahead.
func (c *change) jump() {
	c.a.modSeq += importJump
	if c.modSeq != 0 { // what this Change did before keeps its value
		c.a.modSeq++
	}
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
