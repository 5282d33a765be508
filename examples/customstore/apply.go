package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/rows"
)

func (a *account) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	if err := c.Check(); err != nil { // the faults that all backends refuse alike
		return store.Result{}, err
	}
	st, err := a.look(ctx, 0)
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
	if st, err = a.lookLocked(0); err != nil {
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
	next.boxes, next.msgs = maps.Clone(st.boxes), maps.Clone(st.msgs)
	next.entries, next.once = maps.Clone(st.entries), maps.Clone(st.once)
	t := &tx{state: &next, s: s, edited: make(map[store.MailboxID]bool)}
	r, err := rows.Run(t, &next.Account, c)
	if err != nil {
		return store.Result{}, err
	}
	if c.Once != "" {
		next.once[c.Once] = r.Clone()
	}
	if s.accounts[next.Info.ID] = t.state; t.dropped {
		delete(s.accounts, next.Info.ID)
	}
	s.wakeLocked()
	return r, nil
}

// tx is what package rows carries a Change out on; the lock is held.
type tx struct {
	*state  // the next one
	s       *mapStore
	dropped bool
	edited  map[store.MailboxID]bool
}

func (t *tx) Usage() (store.Usage, error) {
	return rows.Usage(maps.Values(t.boxes), t.Info.Limits), nil
}

func (t *tx) Mailbox(id store.MailboxID) (store.Mailbox, error) { return t.boxes[id], nil }

func (t *tx) Mailboxes() ([]store.Mailbox, error) { return slices.Collect(maps.Values(t.boxes)), nil }

func (t *tx) PutMailbox(m store.Mailbox) error {
	if t.boxes[m.ID] = m; t.msgs[m.ID] == nil {
		t.msgs[m.ID] = make(map[store.UID]message)
	}
	if m.Gone {
		maps.DeleteFunc(t.entries, func(k entryKey, _ store.Entry) bool { return k.box == m.ID })
	}
	return nil
}

// edit returns the messages of a mailbox for changing: a copy, made once.
func (t *tx) edit(id store.MailboxID) map[store.UID]message {
	if !t.edited[id] {
		t.msgs[id], t.edited[id] = maps.Clone(t.msgs[id]), true
	}
	return t.msgs[id]
}

func (t *tx) Messages(id store.MailboxID, set store.UIDSet) (list []*store.Message, err error) {
	for uid, m := range t.msgs[id] {
		if !m.Gone && set.Contains(uid) {
			list = append(list, &m.Message)
		}
	}
	slices.SortFunc(list, func(x, y *store.Message) int { return cmp.Compare(x.UID, y.UID) })
	return list, nil
}

func (t *tx) Add(id store.MailboxID, m *store.Message, from rows.Source) error {
	if _, there := t.msgs[id][m.UID]; there {
		return store.ErrExists
	}
	t.arrived++
	next := message{Message: *m, ref: m.Blob, prefix: m.Prefix, arrived: t.arrived}
	switch {
	case from.Append != nil:
		next.keys, next.subject = from.Append.ThreadKeys, from.Append.SubjectHash
	case from.Message != nil:
		old := t.msgs[from.Mailbox][from.Message.UID]
		next.keys, next.subject = old.keys, old.subject
	}
	t.edit(id)[m.UID] = next
	return nil
}

func (t *tx) Update(id store.MailboxID, m *store.Message) error {
	next := t.edit(id)[m.UID]
	next.Message = *m
	t.msgs[id][m.UID] = next
	return nil
}

func (t *tx) Remove(id store.MailboxID, old *store.Message, at store.ModSeq) error {
	gone := t.edit(id)[old.UID]
	gone.Message, gone.gone = store.Message{UID: old.UID, ModSeq: at, Gone: true}, time.Now()
	t.msgs[id][old.UID] = gone
	return nil
}

func (t *tx) Entry(id store.MailboxID, key string) (store.Entry, error) {
	return t.entries[entryKey{id, key}], nil
}

func (t *tx) PutEntry(e store.Entry) error {
	t.entries[entryKey{e.Mailbox, e.Key}] = e
	return nil
}

// Thread looks at all messages; a backend for more of them has an index.
func (t *tx) Thread(keys []uint64, subject uint64) (id store.ThreadID, err error) {
	newest := 0
	for _, box := range t.msgs {
		for _, m := range box {
			common := slices.ContainsFunc(keys, func(k uint64) bool { return slices.Contains(m.keys, k) })
			if common && !m.Gone && m.subject == subject && m.arrived > newest {
				newest, id = m.arrived, m.ThreadID
			}
		}
	}
	return id, nil
}

func (t *tx) Validity(want store.UIDValidity, importing bool) (store.UIDValidity, error) {
	v, err := rows.NextValidity(t.s.validity, want, importing)
	t.s.validity = max(t.s.validity, v) // v is 0 with an error
	return v, err
}

func (t *tx) Drop() error {
	for _, box := range t.msgs {
		for _, m := range box {
			t.s.released[m.ref] = time.Now()
		}
	}
	t.dropped = true
	return nil
}
