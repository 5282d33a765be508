package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
)

func (a *account) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	if err := c.Check(); err != nil { // the faults that all backends refuse alike
		return store.Result{}, err
	}
	st, err := a.look(ctx)
	if err != nil {
		return store.Result{}, err
	}
	if _, done := st.once[c.Once]; !done { // the blobs of what is done may be collected
		if err := c.CheckBlobs(ctx, a.s.blobs); err != nil {
			return store.Result{}, err
		}
	}
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	if st, err = a.lookLocked(); err != nil {
		return store.Result{}, err
	}
	return a.s.commitLocked(st, c)
}

// commitLocked works on a copy of the state, which becomes the state once
// every Op was accepted: a refused Change needs no undoing (I5).
func (s *mapStore) commitLocked(st *state, c store.Change) (store.Result, error) {
	if first, done := st.once[c.Once]; done {
		first.Repeated = true
		return first.Clone(), nil
	}
	next := *st
	next.boxes, next.entries, next.once = maps.Clone(st.boxes), maps.Clone(st.entries), maps.Clone(st.once)
	t := &tx{state: &next, s: s, at: st.modSeq + 1, edited: make(map[store.MailboxID]bool)}
	var r store.Result
	for _, op := range c.Ops {
		before := t.usage()
		o, err := t.do(op)
		if err == nil && !o.free {
			err = t.usage().Check(before) // I10
		}
		if err != nil {
			return store.Result{}, err
		}
		r.Ops = append(r.Ops, o.OpResult)
	}
	if t.took {
		t.modSeq = t.at
	}
	if r.ModSeq = t.modSeq; c.Once != "" {
		t.once[c.Once] = r.Clone()
	}
	if s.accounts[t.info.ID] = t.state; t.drop {
		delete(s.accounts, t.info.ID)
	}
	s.wakeLocked()
	return r, nil
}

// tx is a Change on its way; the lock is held all the time.
type tx struct {
	*state // the next one
	s      *mapStore
	at     store.ModSeq // of all that this Change changes
	took   bool         // at was used
	drop   bool         // the account goes
	edited map[store.MailboxID]bool
	named  int // messages, against store.MaxChange
	copied int // messages, against store.MaxWhole
}

// result of an Op; free of the quota on demand.
type result struct {
	store.OpResult
	free bool
}

// take is the ModSeq of what changes. A Change that takes none leaves the
// counter as it is (I4).
func (t *tx) take() store.ModSeq {
	t.took = true
	return t.at
}

func (t *tx) do(op store.Op) (r result, err error) {
	switch op := op.(type) {
	case store.Append:
		r.free = op.IgnoreQuota
		err = t.append(op, &r.OpResult)
	case store.SetFlags:
		err = t.setFlags(op, &r.OpResult)
	case store.Expunge:
		err = t.expunge(op, &r.OpResult)
	case store.Copy:
		r.free = op.IgnoreQuota
		err = t.copy(op, &r.OpResult)
	case store.ClaimRecent:
		err = t.claimRecent(op, &r.OpResult)
	case store.PutMailbox:
		err = t.putMailbox(op, &r.OpResult)
	case store.PutEntry:
		r.Mailbox = op.Mailbox
		err = t.putEntry(op)
	case store.PutAccount:
		t.putAccount(op)
	case store.DropAccount:
		t.dropAccount()
	case store.Import: // left out; see storetest.Imports
		err = store.ErrNotImporting
	}
	return r, err
}

func (t *tx) putEntry(op store.PutEntry) error {
	if _, err := t.box(op.Mailbox); err != nil && !op.Mailbox.IsZero() {
		return err
	}
	key := entryKey{op.Mailbox, op.Key}
	e, changed, err := op.On(t.entries[key], time.Now())
	if changed {
		e.ModSeq = t.take()
		t.entries[key] = e
	}
	return err
}

func (t *tx) putAccount(op store.PutAccount) {
	if op.Limits != nil {
		t.info.Limits = *op.Limits
	}
	if op.State != nil {
		t.info.State = *op.State
	}
}

func (t *tx) dropAccount() {
	t.drop = true
	for _, b := range t.boxes {
		for _, m := range b.msgs {
			t.s.dropped[m.ref] = time.Now()
		}
	}
}

// putMailbox writes the rows that the contract's own rules come to.
func (t *tx) putMailbox(op store.PutMailbox, r *store.OpResult) error {
	if op.Create && t.boxes[op.ID] != nil {
		return store.ErrExists
	}
	live := slices.DeleteFunc(t.rows(), func(m store.Mailbox) bool { return m.Gone })
	plan, err := op.On(live, false)
	if err != nil {
		return err
	}
	for _, row := range plan.Rows {
		if err := t.putRow(row); err != nil {
			return err
		}
	}
	if !plan.MoveFrom.IsZero() { // INBOX was renamed
		return t.copy(store.Copy{Source: plan.MoveFrom, UIDs: store.AllUIDs(), Dest: plan.Box, Move: true}, r)
	}
	r.Mailbox, r.UIDValidity = plan.Box, t.boxes[plan.Box].UIDValidity
	return nil
}

func (t *tx) putRow(row store.Mailbox) error {
	if t.boxes[row.ID] == nil {
		t.boxes[row.ID] = &box{msgs: make(map[store.UID]message)}
	}
	b := t.edit(row.ID)
	if b.UIDValidity == 0 && !row.NoSelect && !row.Gone { // a new one
		if row.UIDValidity == 0 {
			row.UIDValidity = max(t.s.validity+1, store.UIDValidity(time.Now().Unix()))
		}
		if row.UIDValidity <= t.s.validity {
			return store.ErrConflict
		}
		t.s.validity = row.UIDValidity
	}
	if row.ModSeq = t.take(); !row.Gone {
		row.HighestModSeq = row.ModSeq
	} else {
		for uid := range b.msgs {
			t.remove(b, uid)
		}
		maps.DeleteFunc(t.entries, func(k entryKey, _ store.Entry) bool { return k.box == row.ID })
	}
	b.Mailbox = row
	return nil
}
