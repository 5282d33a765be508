package maildir

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/mailstead/mailstead/internal/nfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/rows"
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
	if r, done, err := a.repeated(ctx, c.Once); done || err != nil {
		return r, err
	}
	files, err := a.stage(ctx, c.Ops)
	defer func() { a.unstage(files) }()
	if err != nil {
		return store.Result{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err = a.freshLocked(); err != nil {
		return store.Result{}, err
	}
	if r, done := a.now.repeated(c.Once); done {
		return r, nil
	}
	return a.changeLocked(c, files)
}

// repeated asks for a Change that was done before: its blobs may be collected,
// so that nothing of it must be staged.
func (a *account) repeated(ctx context.Context, key string) (r store.Result, done bool, err error) {
	if err := ctx.Err(); err != nil {
		return r, false, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	st, err := a.freshLocked()
	if err == nil {
		r, done = st.repeated(key)
	}
	return r, done, err
}

// repeated is under account.mu.
func (st *state) repeated(key string) (store.Result, bool) {
	first, done := st.once[key]
	if !done {
		return store.Result{}, false
	}
	r := first.Result.Clone()
	r.Repeated = true
	return r, true
}

// changeLocked runs the ops on a copy of the state; the first that is refused
// ends it, and nothing has happened but files in tmp/.
func (a *account) changeLocked(c store.Change, files []*staged) (store.Result, error) {
	t := a.begin()
	t.files = files
	r, err := rows.Run(t, &t.Account, c)
	if err != nil {
		a.unstage(t.taken)
		return store.Result{}, err
	}
	if t.Info != a.now.Info {
		info := t.Info
		t.d.Info = &info
	}
	if c.Once != "" {
		t.d.Once = append(t.d.Once, onceRec{Key: c.Once, At: t.now, Result: r.Clone()})
	}
	if err := t.commit(r.ModSeq != a.now.ModSeq); err != nil {
		return store.Result{}, err
	}
	return r, nil
}

// commit makes the change durable and then visible. First the names in tmp/
// and those that a later crash must not bring back, then the index, which is
// the moment when it has happened, then the tree. modSeq: the counter moved.
func (t *tx) commit(modSeq bool) error {
	a := t.a
	if err := a.healLocked(); err != nil {
		a.unstage(t.taken)
		return err
	}
	if t.drop {
		return t.commitDrop()
	}
	if modSeq || t.d.Info != nil || len(t.d.Once)+len(t.d.Entries)+len(t.d.Holds) > 0 || t.dirty {
		if err := t.record(); err != nil {
			a.unstage(t.taken)
			return err
		}
	}
	t.keepFiles()
	if err := t.settle(); err != nil {
		a.behind = true // the next look at the tree does it
		a.s.log.Warn("maildir: the tree is behind the index", "account", a.id, "error", err)
	}
	t.publish()
	if a.journal.long() {
		_ = a.compactLocked() // the long one is as good
	}
	return nil
}

// record writes the index. When that fails the index is written anew, without
// this change; where that fails too, nobody knows what the next Open will find.
func (t *tx) record() error {
	if err := t.syncNames(); err != nil {
		return err
	}
	rec, err := encodeRecord(t.delta())
	if err != nil {
		return err
	}
	if err := t.a.journal.append(rec); err != nil {
		t.a.broken = err
		if t.a.healLocked() != nil {
			t.keepFiles()
			return errors.Join(store.ErrUnknown, err)
		}
		return err
	}
	return nil
}

// keepFiles keeps the files of messages from unstage.
func (t *tx) keepFiles() {
	for _, f := range t.taken {
		f.used = true
	}
}

// syncNames makes durable what the record is about to rely on: files in tmp/,
// and the name that a message got by the change before this one. A scan takes
// a name that the index does not expect for the doing of another program.
func (t *tx) syncNames() error {
	dirs := make(map[string]bool)
	for _, id := range t.order {
		e := t.edited[id]
		for uid := range e.touched {
			switch m := e.get(uid); {
			case m.staged:
				dirs[t.a.path("tmp")] = true
			case m.loose && !m.Gone:
				dirs[t.a.path(e.dir, "cur")] = true
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		if err := t.a.s.fs.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) publish() {
	wake := t.ModSeq != t.a.now.ModSeq
	for _, o := range t.d.Once {
		t.once[o.Key] = o
	}
	t.a.now = t.state
	if wake {
		t.a.wakeLocked()
	}
}

// delta lists what this change touched.
func (t *tx) delta() *delta {
	t.d.ModSeq, t.d.Arrived, t.d.Purged = t.ModSeq, t.arrived, t.Purged
	for _, id := range t.order {
		e := t.edited[id]
		t.d.Boxes = append(t.d.Boxes, recOfBox(e.box))
		for _, uid := range slices.Sorted(maps.Keys(e.touched)) {
			t.d.Msgs = append(t.d.Msgs, recOfMessage(id, e.get(uid)))
		}
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
	if err := errors.Join(a.journal.file.Close(), nfs.RemoveTree(s.fs, gone)); err != nil {
		s.log.Warn("maildir: a dropped account is not removed whole", "account", a.id, "error", err)
	}
	return nil
}

// compactLocked replaces the journal by a snapshot.
func (a *account) compactLocked() error {
	now := time.Now()
	maps.DeleteFunc(a.now.once, func(_ string, o onceRec) bool { return now.Sub(o.At) > onceFor })
	var j *journal
	named, err := false, a.syncLoose()
	if err == nil {
		j, named, err = rewriteJournal(a.s.fs, a.journal.path, a.now)
	}
	if err == nil {
		_ = a.journal.file.Close() // it has no name any more
		a.journal, a.broken = j, nil
		return nil
	}
	if named { // which of the two the next Open finds is not known
		a.broken = err
	}
	a.journal.base = a.journal.size // not again at once
	a.s.log.Warn("maildir: the index is not compacted", "account", a.id, "error", err)
	return err
}

// syncLoose makes all names durable, as a snapshot lists them as seen.
func (a *account) syncLoose() error {
	for _, b := range a.now.boxes {
		loose := func(m *message) bool { return m.loose && !m.Gone }
		if b.dir != "" && !b.Gone && slices.ContainsFunc(b.msgs, loose) {
			if err := a.s.fs.SyncDir(a.path(b.dir, "cur")); err != nil {
				return err
			}
		}
	}
	return nil
}

// healLocked writes the index anew after a write to it failed: nothing is
// acknowledged before one write has succeeded. ErrTemporary.
func (a *account) healLocked() error {
	if a.broken != nil {
		_ = a.compactLocked() // says so in broken
	}
	if a.broken != nil {
		return fmt.Errorf("%w: the index cannot be written: %w", store.ErrTemporary, a.broken)
	}
	return nil
}
