package memstore

import "github.com/mailstead/mailstead/store"

// importJump is how far the counters move when an import ends: numbers that
// were given out after the copy was made are not given out again.
const importJump = 1 << 20

func (t *tx) putAccount(op store.PutAccount) (store.OpResult, error) {
	if op.Limits != nil {
		t.info.Limits = *op.Limits
	}
	if op.State != nil {
		if t.info.State == store.AccountImporting && *op.State != store.AccountImporting {
			t.jump()
		}
		t.info.State = *op.State
	}
	return store.OpResult{}, nil
}

// jump moves UIDNEXT of every mailbox and the ModSeq counter ahead, and the
// purge mark with it: what was given out before is in no log (I8).
func (t *tx) jump() {
	t.at = max(t.at, t.modSeq) + importJump
	t.purged = t.at
	for _, m := range t.boxes {
		if m.Gone || m.NoSelect {
			continue
		}
		t.edit(m)
		m.HighestModSeq = t.take()
		if m.UIDNext < maxUID-importJump {
			m.UIDNext += importJump
		}
	}
}

// dropAccount takes the account out of the store; it is the only Op of its
// Change, so but for a hold nothing can refuse it any more.
func (t *tx) dropAccount() (store.OpResult, error) {
	if err := t.mayDrop(); err != nil {
		return store.OpResult{}, err
	}
	for _, m := range t.boxes {
		for _, msg := range m.msgs {
			if !msg.Gone {
				t.released = append(t.released, msg.Blob)
			}
		}
	}
	t.dropped = true
	t.store.forget(t.id)
	return store.OpResult{}, nil
}
