package maildir

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/mailstead/mailstead/store"
)

// onceFor is how long a key is remembered.
const onceFor = 31 * 24 * time.Hour

// Apply implements store.Account. See "What a crash leaves" in the package
// comment for the order of its steps.
func (a *account) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	r, err := a.apply(ctx, c)
	if err != nil {
		return store.Result{}, a.fail("apply", err)
	}
	return r, nil
}

func (a *account) apply(ctx context.Context, c store.Change) (store.Result, error) {
	if err := c.Check(); err != nil {
		return store.Result{}, err
	}
	st, err := a.look(ctx)
	if err != nil {
		return store.Result{}, err
	}
	var files []*staged
	if _, done := st.once[c.Once]; !done {
		files, err = a.stage(ctx, c.Ops)
		defer func() { a.unstage(files) }()
		if err != nil {
			return store.Result{}, err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if st, err = a.freshLocked(); err != nil {
		return store.Result{}, err
	}
	if first, done := st.once[c.Once]; done {
		r := first.Result.Clone()
		r.Repeated = true
		return r, nil
	}
	return a.changeLocked(c, files)
}

// changeLocked runs the ops on a copy of the state; the first that is refused
// ends it, and nothing has happened but files in tmp/.
func (a *account) changeLocked(c store.Change, files []*staged) (store.Result, error) {
	t := a.begin()
	t.files = files
	var r store.Result
	for _, op := range c.Ops {
		before := t.usage()
		o, free, err := t.do(op)
		if err == nil && !free {
			err = t.usage().Check(before)
		}
		if err != nil {
			a.unstage(t.linked)
			return store.Result{}, err
		}
		r.Ops = append(r.Ops, o)
	}
	if t.took {
		t.modSeq = max(t.modSeq, t.at)
	}
	if r.ModSeq = t.modSeq; c.Once != "" {
		o := onceRec{Key: c.Once, At: t.now, Result: r.Clone()}
		t.once[c.Once] = o
		t.d.Once = append(t.d.Once, o)
	}
	if err := t.commit(); err != nil {
		return store.Result{}, err
	}
	return r, nil
}

// tx is a Change or scan on its way; account.mu is held all the time.
type tx struct {
	*state // the next one
	a      *account
	at     store.ModSeq // of all that it changes
	took   bool         // at was used
	now    time.Time    // to the second
	edited map[store.MailboxID]bool
	msgs   map[*message]*box // messages that are new or in a new state
	d      delta
	drop   bool
	named  int // messages, against store.MaxChange
	made   int // messages, against store.MaxWhole
	dirty  bool

	files  []*staged         // of the Appends, in their order
	linked []*staged         // of the copies
	gone   map[*message]*box // whose files go
}

func (a *account) begin() *tx {
	return &tx{
		state: a.now.clone(), a: a, at: a.now.modSeq + 1, now: time.Now().Truncate(time.Second),
		edited: make(map[store.MailboxID]bool), msgs: make(map[*message]*box), gone: make(map[*message]*box),
	}
}

// take is the ModSeq of what changes; a Change that takes none leaves the
// counter as it is (I4).
func (t *tx) take() store.ModSeq {
	t.took = true
	return t.at
}

// edit returns a mailbox that may be changed: a copy, made once.
func (t *tx) edit(id store.MailboxID) *box {
	if !t.edited[id] {
		b := *t.boxes[id]
		b.msgs = cloneMap(b.msgs)
		t.boxes[id], t.edited[id] = &b, true
	}
	return t.boxes[id]
}

// put sets a message in its next state.
func (t *tx) put(b *box, m *message) {
	if old := b.msgs[m.UID]; old != nil {
		delete(t.msgs, old)
	}
	b.set(m)
	t.msgs[m] = b
}

// commit makes the change durable and then visible. First the names in tmp/,
// then the index, which is the moment when it has happened, then the tree.
func (t *tx) commit() error {
	a := t.a
	if a.broken != nil {
		return fmt.Errorf("%w: an earlier write failed: %w", store.ErrTemporary, a.broken)
	}
	if t.drop {
		return t.commitDrop()
	}
	changed := t.took || len(t.d.Once) > 0 || t.dirty || len(t.msgs) > 0
	if changed {
		if t.usesTmp() {
			if err := a.s.fs.SyncDir(a.path("tmp")); err != nil {
				return err
			}
		}
		if err := a.journal.append(t.delta(), true); err != nil {
			a.broken = err
			return err
		}
	}
	if err := t.settle(); err != nil {
		a.behind = true // the next look at the tree does it
		a.s.log.Warn("maildir: the tree is behind the index", "account", a.id, "error", err)
	}
	t.publish()
	if a.journal.long() {
		a.compactLocked()
	}
	return nil
}

func (t *tx) publish() {
	wake := t.modSeq != t.a.now.modSeq
	t.a.now = t.state
	if wake {
		t.a.wakeLocked()
	}
}

// delta lists what this change touched.
func (t *tx) delta() *delta {
	t.d.ModSeq, t.d.Arrived = t.modSeq, t.arrived
	for id := range t.edited {
		t.d.Boxes = append(t.d.Boxes, recOfBox(t.boxes[id]))
	}
	for m, b := range t.msgs {
		t.d.Msgs = append(t.d.Msgs, recOfMessage(b.ID, m))
	}
	return &t.d
}

// commitDrop ends the account: it has happened when the directory's new name
// is durable. What is left of it is removed now or at the next Open.
func (t *tx) commitDrop() error {
	a, s := t.a, t.a.s
	gone := filepath.Join(s.root, gonePrefix+store.NewMailboxID().String())
	if err := s.fs.Rename(a.dir, gone); err != nil {
		return err
	}
	if err := s.fs.SyncDir(s.root); err != nil {
		a.broken = err
		return err
	}
	s.forget(t.state, a)
	a.dropped = true
	a.wakeLocked()
	if err := errors.Join(a.journal.file.Close(), removeTree(s.fs, gone)); err != nil {
		s.log.Warn("maildir: a dropped account is not removed whole", "account", a.id, "error", err)
	}
	return nil
}

// compactLocked replaces a long journal by a snapshot. A failure leaves the old one.
func (a *account) compactLocked() {
	j, err := rewriteJournal(a.s.fs, a.journal.path, a.now)
	if err != nil {
		a.broken = err // which of the two is at the name is not known
		return
	}
	a.journal.file.Close()
	a.journal = j
}
