package maildir

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/internal/maildirfmt"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/rows"
)

// tx is a Change or scan on its way, on whose rows package rows carries out the
// Ops; account.mu is held all the time.
type tx struct {
	*state // the next one
	a      *account
	now    time.Time // to the second
	edited map[store.MailboxID]*edit
	order  []store.MailboxID // of edited
	d      delta
	drop   bool
	dirty  bool // something that is not listed has to be written

	files []*staged // of the Appends that are still to come, in their order
	taken []*staged // of messages of this change
	gone  []lost    // whose files go
}

var (
	_ rows.Tx     = (*tx)(nil)
	_ rows.Holder = (*tx)(nil)
)

// edit is what happened to one mailbox.
type edit struct {
	*box
	owned   bool // msgs is nobody else's
	touched map[store.UID]bool
	kw      *maildirfmt.Keywords // as they were read; nil = not yet
}

// lost is a file that goes.
type lost struct {
	box *box
	m   *message
}

func (a *account) begin() *tx {
	return &tx{
		state: a.now.clone(), a: a, now: time.Now().Truncate(time.Second), edited: make(map[store.MailboxID]*edit),
	}
}

// edit returns a mailbox that may be changed: a copy, made once, or a new one.
func (t *tx) edit(id store.MailboxID) *edit {
	e := t.edited[id]
	if e == nil {
		e = &edit{box: &box{}, touched: make(map[store.UID]bool)}
		if old := t.boxes[id]; old != nil {
			*e.box = *old
		}
		t.boxes[id], t.edited[id] = e.box, e
		t.order = append(t.order, id)
	}
	return e
}

// set puts a message or tombstone in.
func (e *edit) set(m *message) {
	e.touched[m.UID] = true
	n := len(e.msgs)
	if n == 0 || e.msgs[n-1].UID < m.UID {
		e.msgs = append(e.msgs, m) // behind the end of what others see
		return
	}
	if !e.owned {
		e.msgs, e.owned = slices.Clone(e.msgs), true
	}
	if i, there := e.find(m.UID); there {
		e.msgs[i] = m
	} else {
		e.msgs = slices.Insert(e.msgs, i, m)
	}
}

// Usage implements rows.Tx.
func (t *tx) Usage() (store.Usage, error) { return rows.Usage(t.rows(), t.Info.Limits), nil }

// Mailbox implements rows.Tx.
func (t *tx) Mailbox(id store.MailboxID) (store.Mailbox, error) {
	if b := t.boxes[id]; b != nil {
		return b.Mailbox, nil
	}
	return store.Mailbox{}, nil
}

// Mailboxes implements rows.Tx, in order of name, so that a Change does the same
// in the same order each time.
func (t *tx) Mailboxes() ([]store.Mailbox, error) {
	return slices.SortedFunc(t.rows(), func(x, y store.Mailbox) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), bytes.Compare(x.ID[:], y.ID[:]))
	}), nil
}

// PutMailbox implements rows.Tx.
func (t *tx) PutMailbox(m store.Mailbox) error {
	if t.edit(m.ID).Mailbox = m; !m.Gone {
		return nil
	}
	for key, e := range t.entries {
		if key.box == m.ID {
			t.putEntry(e, true)
		}
	}
	return nil
}

// Messages implements rows.Tx.
func (t *tx) Messages(id store.MailboxID, set store.UIDSet) (list []*store.Message, err error) {
	for m := range t.boxes[id].in(set) {
		if !m.Gone {
			list = append(list, &m.Message)
		}
	}
	return list, nil
}

// Add implements rows.Tx. The file of a new message lies in tmp/ already; that
// of a copy is linked there.
func (t *tx) Add(id store.MailboxID, m *store.Message, from rows.Source) error {
	e := t.edit(id)
	if e.get(m.UID) != nil {
		return store.ErrExists
	}
	t.arrived++
	next := &message{Message: *m}
	switch {
	case from.Append != nil:
		file := t.files[0]
		t.files, t.taken = t.files[1:], append(t.taken, file)
		next.base, next.prefix, next.keys, next.subject = file.base, m.Prefix, from.Append.ThreadKeys, from.Append.SubjectHash
		if next.ref = m.Blob; !t.a.s.opts.KeepBlobs {
			next.ref, next.Blob = "", ""
		}
	case from.Message != nil:
		src := t.boxes[from.Mailbox]
		old := src.get(from.Message.UID)
		base, err := t.link(src, old)
		if err != nil {
			return err
		}
		*next = *old
		next.Message, next.base = *m, base
	default:
		e.set(next)
		return nil
	}
	next.letters, next.inNew, next.staged, next.loose, next.arrival = "", true, true, false, t.arrived
	e.set(next)
	t.a.threads.add(id, next)
	return nil
}

// Update implements rows.Tx.
func (t *tx) Update(id store.MailboxID, m *store.Message) error {
	e := t.edit(id)
	next := *e.get(m.UID)
	next.Message = *m
	e.set(&next)
	return nil
}

// Remove implements rows.Tx. The file goes after the commit.
func (t *tx) Remove(id store.MailboxID, old *store.Message, at store.ModSeq) error {
	e := t.edit(id)
	m := e.get(old.UID)
	e.set(&message{
		Message: store.Message{UID: m.UID, ModSeq: at, Gone: true},
		ref:     m.ref, prefix: m.prefix, goneAt: time.Now(), base: m.base, letters: m.letters, inNew: m.inNew,
	})
	t.gone = append(t.gone, lost{e.box, m})
	return nil
}

// Entry implements rows.Tx.
func (t *tx) Entry(id store.MailboxID, key string) (store.Entry, error) {
	return t.entries[entryKey{id, key}], nil
}

// PutEntry implements rows.Tx.
func (t *tx) PutEntry(e store.Entry) error {
	t.putEntry(e, false)
	return nil
}

// putEntry writes an entry, or takes one out with its mailbox.
func (t *tx) putEntry(e store.Entry, forgo bool) {
	if len(t.d.Entries) == 0 {
		t.entries = maps.Clone(t.entries)
	}
	if key := (entryKey{e.Mailbox, e.Key}); forgo {
		delete(t.entries, key)
	} else {
		t.entries[key] = e
	}
	t.d.Entries = append(t.d.Entries, entryRec{Box: e.Mailbox[:], Entry: e, Forgo: forgo})
}

// Thread implements rows.Tx.
func (t *tx) Thread(keys []uint64, subject uint64) (store.ThreadID, error) {
	return t.a.threads.find(t.state, t.a.now, keys, subject), nil
}

// Validity implements rows.Tx.
func (t *tx) Validity(want store.UIDValidity, importing bool) (store.UIDValidity, error) {
	return t.a.s.validity(want, importing)
}

// Drop implements rows.Tx.
func (t *tx) Drop() error {
	t.drop = true
	return nil
}

// Holds implements rows.Holder.
func (t *tx) Holds() ([]store.Hold, error) { return slices.Collect(maps.Values(t.holds)), nil }
