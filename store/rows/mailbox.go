package rows

import (
	"time"

	"github.com/mailstead/mailstead/store"
)

// importJump is how far the counters move when an import ends: numbers that
// were given out after the copy was made are not given out again.
const importJump = 1 << 20

// NextValidity is the UIDVALIDITY after last, the greatest that the account, or
// an earlier one of its id, ever had: want, or where that is zero the seconds
// since 1970, or last+1. The greater of both is the next last. An importer
// answers for what it wants; else it must be greater than last
// (store.ErrConflict). store.ErrLimit: there is none left.
func NextValidity(last, want store.UIDValidity, importing bool) (store.UIDValidity, error) {
	switch {
	case want != 0 && want <= last && !importing:
		return 0, store.ErrConflict
	case want != 0:
		return want, nil
	case last == 1<<32-1:
		return 0, store.ErrLimit
	}
	return max(last+1, store.UIDValidity(time.Now().Unix())), nil
}

// putMailbox writes the rows that the contract's rules come to.
func (r *run) putMailbox(op store.PutMailbox, out *store.OpResult) error {
	live, err := r.live(op)
	if err != nil {
		return err
	}
	importing := r.a.Info.State == store.AccountImporting
	plan, err := op.On(live, importing)
	if err != nil {
		return err
	}
	if !plan.MoveFrom.IsZero() { // INBOX was renamed
		if err := r.mayMove(plan.MoveFrom); err != nil {
			return err
		}
	}
	for _, m := range plan.Rows {
		if err := r.putRow(m, importing); err != nil {
			return err
		}
	}
	r.a.ModSeq = max(r.a.ModSeq, op.HighestModSeq)
	if !plan.MoveFrom.IsZero() {
		return r.copy(store.Copy{Source: plan.MoveFrom, UIDs: store.AllUIDs(), Dest: plan.Box, Move: true}, out)
	}
	out.Mailbox, out.UIDValidity = plan.Box, r.rows[plan.Box].UIDValidity
	return nil
}

// live returns the rows of what is there, as this Change has them by now.
func (r *run) live(op store.PutMailbox) ([]store.Mailbox, error) {
	all, err := r.Mailboxes()
	if err != nil {
		return nil, err
	}
	live := all[:0]
	for _, m := range all {
		b := r.rows[m.ID]
		if b == nil {
			b = &row{Mailbox: m}
			r.rows[m.ID] = b
		}
		if op.Create && m.ID == op.ID {
			return nil, store.ErrExists // also that of a tombstone
		}
		if !b.Gone {
			live = append(live, b.Mailbox)
		}
	}
	return live, nil
}

// putRow writes a row of a plan.
func (r *run) putRow(m store.Mailbox, importing bool) (err error) {
	b := r.rows[m.ID]
	if b == nil {
		b = &row{}
		r.rows[m.ID] = b
		r.usage.Mailboxes++
	}
	newBox := m.UIDValidity == 0 && !m.NoSelect
	if !m.Gone && (newBox || m.UIDValidity != b.UIDValidity) {
		if m.UIDValidity, err = r.Validity(m.UIDValidity, importing); err != nil {
			return err
		}
	}
	if m.Gone {
		if err := r.empty(b); err != nil {
			return err
		}
		r.usage.Mailboxes--
	}
	if m.ModSeq = r.take(); !m.Gone {
		m.HighestModSeq = max(m.HighestModSeq, m.ModSeq)
	}
	*b = row{Mailbox: m}
	return r.PutMailbox(m)
}

// empty removes what a mailbox that is deleted holds.
func (r *run) empty(b *row) error {
	list, err := r.Messages(b.ID, store.AllUIDs())
	if err == nil {
		err = r.mayDelete(b.ID, list)
	}
	if err != nil {
		return err
	}
	for _, m := range list {
		if err := r.remove(b, m); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) putAccount(op store.PutAccount) error {
	if op.Limits != nil {
		r.a.Info.Limits = *op.Limits
	}
	if op.State == nil {
		return nil
	}
	ends := r.a.Info.State == store.AccountImporting && *op.State != store.AccountImporting
	if r.a.Info.State = *op.State; ends {
		return r.jump()
	}
	return nil
}

// jump moves UIDNEXT of every mailbox and the ModSeq counter ahead, and the
// purge mark with it: what was given out before is in no log (I8).
func (r *run) jump() error {
	live, err := r.live(store.PutMailbox{})
	if err != nil {
		return err
	}
	r.at = max(r.at, r.a.ModSeq) + importJump
	r.a.Purged = r.at
	for _, m := range live {
		if !m.NoSelect {
			b := r.rows[m.ID]
			b.touch(r.take())
			b.UIDNext = min(b.UIDNext, maxUID-importJump) + importJump
		}
	}
	return nil
}

func (r *run) drop() error {
	if err := r.mayDrop(); err != nil {
		return err
	}
	return r.Drop()
}
