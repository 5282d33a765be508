package maildir

import (
	"maps"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
)

const (
	maxUID     = 1<<32 - 1 // never given out
	importJump = 1 << 20   // see store.PutAccount
)

func cloneMap[K comparable, V any](m map[K]V) map[K]V { return maps.Clone(m) }

// do runs one Op. free: the quota does not count.
func (t *tx) do(op store.Op) (r store.OpResult, free bool, err error) {
	switch op := op.(type) {
	case store.Append:
		free, err = op.IgnoreQuota, t.append(op, &r)
	case store.Import:
		free, err = op.IgnoreQuota, t.importMessage(op, &r)
	case store.SetFlags:
		err = t.setFlags(op, &r)
	case store.Expunge:
		err = t.expunge(op, &r)
	case store.Copy:
		free, err = op.IgnoreQuota, t.copy(op, &r)
	case store.ClaimRecent:
		err = t.claimRecent(op, &r)
	case store.PutMailbox:
		err = t.putMailbox(op, &r)
	case store.PutEntry:
		r.Mailbox, err = op.Mailbox, t.putEntry(op)
	case store.PutAccount:
		t.putAccount(op)
	case store.DropAccount:
		t.drop = true
	default:
		err = store.ErrInvalid
	}
	return r, free, err
}

// open returns a mailbox that can hold messages, ready to be changed.
func (t *tx) open(id store.MailboxID, r *store.OpResult) (*box, error) {
	b, err := t.box(id)
	if err != nil || b.NoSelect {
		return nil, store.ErrNoMailbox
	}
	r.Mailbox, r.UIDValidity = id, b.UIDValidity
	return t.edit(id), nil
}

// pick returns the messages of set that are there, by UID.
func (b *box) pick(set store.UIDSet, r *store.OpResult) (list []*message) {
	var there store.UIDSet
	for _, uid := range slices.Sorted(maps.Keys(b.msgs)) {
		if m := b.msgs[uid]; !m.Gone && set.Contains(uid) {
			list = append(list, m)
			there.Add(uid)
		}
	}
	r.Missing = set.Minus(there)
	return list
}

// add gives m the next UID (I2).
func (t *tx) add(b *box, m *message) error {
	if b.UIDNext == maxUID {
		return store.ErrLimit
	}
	t.arrived++
	m.UID, m.ModSeq, m.arrival = b.UIDNext, t.take(), t.arrived
	b.UIDNext++
	t.put(b, m)
	return nil
}

// remove leaves a tombstone; the file goes after the commit.
func (t *tx) remove(b *box, m *message) {
	t.put(b, &message{
		Message: store.Message{UID: m.UID, ModSeq: t.take(), Gone: true},
		ref:     m.ref, prefix: m.prefix, goneAt: time.Now(), base: m.base, letters: m.letters, inNew: m.inNew,
	})
	t.gone[m] = b
}

func (t *tx) append(op store.Append, r *store.OpResult) error {
	switch t.info.State {
	case store.AccountImporting:
		return store.ErrImporting
	case store.AccountClosed:
		return store.ErrClosedAcct
	}
	b, err := t.open(op.Mailbox, r)
	if err != nil {
		return err
	}
	m, err := t.message(op, store.ThreadID{})
	if err != nil {
		return err
	}
	if err := t.add(b, m); err != nil {
		return err
	}
	r.Dest, r.EmailID, r.ThreadID = store.UIDs(m.UID), m.EmailID, m.ThreadID
	return nil
}

// importMessage keeps the numbers that it is given.
func (t *tx) importMessage(op store.Import, r *store.OpResult) error {
	if t.info.State != store.AccountImporting {
		return store.ErrNotImporting
	}
	b, err := t.open(op.Mailbox, r)
	switch {
	case err != nil:
		return err
	case op.UID == maxUID:
		return store.ErrLimit
	case b.msgs[op.UID] != nil:
		return store.ErrExists
	}
	m := &message{Message: store.Message{Gone: true}}
	if !op.Gone {
		if m, err = t.message(op.Append, op.ThreadID); err != nil {
			return err
		}
		if !op.Saved.IsZero() {
			m.Saved = op.Saved.Truncate(time.Second)
		}
	}
	m.UID, m.ModSeq = op.UID, op.ModSeq
	if m.ModSeq == 0 {
		m.ModSeq = t.take()
	}
	t.modSeq = max(t.modSeq, op.ModSeq)
	t.put(b, m)
	b.UIDNext = max(b.UIDNext, m.UID+1)
	r.Dest, r.EmailID, r.ThreadID = store.UIDs(m.UID), m.EmailID, m.ThreadID
	return nil
}

// message makes all of a message but its numbers. Its file lies in tmp/.
func (t *tx) message(op store.Append, thread store.ThreadID) (*message, error) {
	keywords, err := store.CleanKeywords(op.Keywords)
	if err != nil {
		return nil, err
	}
	if op.EmailID == (store.EmailID{}) {
		op.EmailID = store.NewEmailID()
	}
	if op.Received.IsZero() {
		op.Received = t.now
	}
	if thread == (store.ThreadID{}) {
		thread = t.thread(op.EmailID, op.ThreadKeys, op.SubjectHash)
	}
	t.arrived++
	file := t.files[0]
	t.files = t.files[1:]
	file.used = true
	m := &message{
		base: file.base, inNew: true, prefix: slices.Clone(op.Prefix), arrival: t.arrived,
		keys: slices.Clone(op.ThreadKeys), subject: op.SubjectHash,
		Message: store.Message{
			Flags: op.Flags, Keywords: keywords, Size: op.Size + int64(len(op.Prefix)),
			Received: op.Received.Truncate(time.Second), Saved: t.now, EmailID: op.EmailID, ThreadID: thread,
			Key: slices.Clone(op.Key), Meta: slices.Clone(op.Meta),
		},
	}
	if t.a.s.opts.KeepBlobs {
		m.ref = op.Blob
		m.Blob = op.Blob
	}
	m.Prefix = m.prefix
	m.staged = true
	return m, nil
}

// thread is that of the newest message with a common key and the same subject.
func (t *tx) thread(own store.EmailID, keys []uint64, subject uint64) store.ThreadID {
	newest := &message{Message: store.Message{ThreadID: store.ThreadID(own)}}
	if len(keys) == 0 {
		return newest.ThreadID
	}
	for _, b := range t.boxes {
		for _, m := range b.msgs {
			common := func(key uint64) bool { return slices.Contains(m.keys, key) }
			if !m.Gone && m.arrival > newest.arrival && m.subject == subject && slices.ContainsFunc(keys, common) {
				newest = m
			}
		}
	}
	return newest.ThreadID
}

// name is open and pick for SetFlags and Expunge.
func (t *tx) name(id store.MailboxID, set store.UIDSet, r *store.OpResult) (*box, []*message, error) {
	b, err := t.open(id, r)
	if err != nil {
		return nil, nil, err
	}
	list := b.pick(set, r)
	if t.named += len(list); t.named > store.MaxChange {
		return nil, nil, store.ErrTooLarge
	}
	return b, list, nil
}

func (t *tx) setFlags(op store.SetFlags, r *store.OpResult) error {
	b, list, err := t.name(op.Mailbox, op.UIDs, r)
	for _, m := range list {
		if op.UnchangedSince != nil && m.ModSeq > *op.UnchangedSince {
			r.Modified.Add(m.UID)
			continue
		}
		now, changed, err := op.On(store.Flagging{Flags: m.Flags, Keywords: m.Keywords})
		if err != nil {
			return err
		}
		if changed {
			next := *m
			next.Flags, next.Keywords, next.ModSeq = now.Flags, now.Keywords, t.take()
			t.put(b, &next)
			r.Changed.Add(m.UID)
		}
	}
	return err
}

func (t *tx) expunge(op store.Expunge, r *store.OpResult) error {
	b, list, err := t.name(op.Mailbox, op.UIDs, r)
	for _, m := range list {
		if !op.OnlyDeleted || m.Flags&store.Deleted != 0 {
			t.remove(b, m)
			r.Changed.Add(m.UID)
		}
	}
	return err
}

func (t *tx) copy(op store.Copy, r *store.OpResult) error {
	src, err := t.open(op.Source, r)
	if err != nil {
		return err
	}
	dst, err := t.open(op.Dest, r)
	if err != nil {
		return err
	}
	list := src.pick(op.UIDs, r)
	if t.made += len(list); t.made > store.MaxWhole {
		return store.ErrTooLarge
	}
	for _, m := range list {
		c := *m
		if c.base, err = t.link(src, m); err != nil {
			return err
		}
		c.letters, c.inNew, c.staged, c.Saved = "", true, true, t.now
		if err := t.add(dst, &c); err != nil {
			return err
		}
		r.Source.Add(m.UID)
		r.Dest.Add(c.UID)
		if op.Move {
			t.remove(src, m)
			r.Changed.Add(m.UID)
		}
	}
	return nil
}

// claimRecent takes no ModSeq and is not made durable (store.ClaimRecent).
func (t *tx) claimRecent(op store.ClaimRecent, r *store.OpResult) error {
	b, err := t.open(op.Mailbox, r)
	if err != nil {
		return err
	}
	for uid, m := range b.msgs {
		if uid >= b.RecentFrom && !m.Gone {
			r.Changed.Add(uid)
		}
	}
	b.RecentFrom = b.UIDNext
	return nil
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
		t.d.Entries = append(t.d.Entries, entryRec{Box: op.Mailbox[:], Entry: e})
	}
	return err
}

func (t *tx) putAccount(op store.PutAccount) {
	if op.Limits != nil {
		t.info.Limits = *op.Limits
	}
	if op.State != nil {
		if t.info.State == store.AccountImporting && *op.State != store.AccountImporting {
			t.at = max(t.at, t.modSeq) + importJump
			for id, b := range t.boxes {
				if !b.Gone && !b.NoSelect {
					b = t.edit(id)
					b.HighestModSeq, b.UIDNext = t.take(), min(b.UIDNext, maxUID-importJump)+importJump
				}
			}
		}
		t.info.State = *op.State
	}
	info := t.info
	t.d.Info, t.dirty = &info, true
}

// putMailbox writes the rows that the contract's rules come to.
func (t *tx) putMailbox(op store.PutMailbox, r *store.OpResult) error {
	if op.Create && t.boxes[op.ID] != nil {
		return store.ErrExists
	}
	importing := t.info.State == store.AccountImporting
	plan, err := op.On(t.rows(), importing)
	if err != nil {
		return err
	}
	for _, row := range plan.Rows {
		if err := t.putRow(row, importing); err != nil {
			return err
		}
	}
	t.modSeq = max(t.modSeq, op.HighestModSeq)
	if !plan.MoveFrom.IsZero() { // INBOX was renamed
		return t.copy(store.Copy{Source: plan.MoveFrom, UIDs: store.AllUIDs(), Dest: plan.Box, Move: true}, r)
	}
	r.Mailbox, r.UIDValidity = plan.Box, t.boxes[plan.Box].UIDValidity
	return nil
}

func (t *tx) putRow(row store.Mailbox, importing bool) (err error) {
	if t.boxes[row.ID] == nil {
		t.boxes[row.ID] = &box{msgs: make(map[store.UID]*message)}
	}
	b := t.edit(row.ID)
	if row.UIDValidity != b.UIDValidity || b.UIDValidity == 0 && !row.NoSelect && !row.Gone {
		if !row.Gone {
			if row.UIDValidity, err = t.a.s.validity(row.UIDValidity, importing); err != nil {
				return err
			}
		}
	}
	if row.ModSeq = t.take(); row.Gone {
		for _, m := range b.msgs {
			if !m.Gone {
				t.remove(b, m)
			}
		}
		for key, e := range t.entries {
			if key.box == row.ID {
				delete(t.entries, key)
				t.d.Entries = append(t.d.Entries, entryRec{Box: key.box[:], Entry: e, Forgo: true})
			}
		}
	} else {
		row.HighestModSeq = max(row.HighestModSeq, row.ModSeq)
	}
	b.Mailbox = row
	return nil
}
