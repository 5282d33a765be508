package maildir

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/internal/nfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/rows"
)

// Directories that other programs do not see.
const (
	longPrefix   = "mailstead-"        // of a mailbox with a long name
	asidePrefix  = "mailstead-moving-" // between two names
	buriedPrefix = "mailstead-gone-"   // of a mailbox that is gone
)

// run carries out an Op that stands for what another program did, which no
// quota or hold could prevent.
func (t *tx) run(op store.Op) error {
	a := t.Account
	a.Info.Limits = store.Limits{}
	_, err := rows.Run(struct{ rows.Tx }{t}, &a, store.Change{Ops: []store.Op{op}})
	t.ModSeq = max(t.ModSeq, a.ModSeq)
	return err
}

// scanDirs compares the directories with the mailboxes.
func (t *tx) scanDirs() error {
	list, err := t.a.s.fs.ReadDir(t.a.dir)
	if err != nil {
		return err
	}
	there := map[string]bool{".": true}
	for _, e := range list {
		if e.IsDir() {
			there[e.Name()] = true
		}
	}
	if err := t.removeBuried(there); err != nil {
		return err
	}
	for _, b := range t.boxes {
		if b.dir != "" && !b.Gone && !there[b.dir] {
			if err := t.changedDirs(there); err != nil {
				return err
			}
			break
		}
	}
	known := make(map[string]bool)
	for _, b := range t.boxes {
		known[b.dir] = true
	}
	for _, e := range list {
		dir := e.Name()
		if !e.IsDir() || known[dir] || dir[0] != '.' || !t.isMaildir(dir) {
			continue
		}
		name, ok := mailboxName(dir, t.a.s.opts.UTF8)
		if !ok {
			t.a.warnOnce(dir, "its name is no mailbox name")
			continue
		}
		if err := t.adoptDir(dir, name); err != nil {
			return err
		}
	}
	return nil
}

// removeBuried removes what a crash left of mailboxes that are gone.
func (t *tx) removeBuried(there map[string]bool) error {
	for dir := range there {
		if strings.HasPrefix(dir, buriedPrefix) && t.a.behind {
			if err := nfs.RemoveTree(t.a.s.fs, t.a.path(dir)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tx) isMaildir(dir string) bool {
	info, err := t.a.s.fs.Stat(t.a.path(dir, "cur"))
	return err == nil && info.IsDir()
}

// warnOnce says once why a directory is left alone.
func (a *account) warnOnce(dir, why string) {
	if !a.warned[dir] {
		a.warned[dir] = true
		a.s.log.Warn("maildir: a directory is left alone", "account", a.id, "directory", dir, "why", why)
	}
}

// changedDirs: directories are missing. Which one is whose is then read from
// all of them, as another may stand in the place of one that was renamed.
func (t *tx) changedDirs(there map[string]bool) error {
	owner := make(map[store.MailboxID]string)
	anon := make(map[string]bool)
	for dir := range there {
		if dir == "." || dir[0] != '.' && !strings.HasPrefix(dir, longPrefix) {
			continue
		}
		id, err := t.a.idOf(dir)
		switch {
		case err != nil:
			return err
		case id.IsZero():
			anon[dir] = true
		default:
			owner[id] = dir
		}
	}
	renamed := make(map[store.MailboxID]string)
	for _, id := range slices.SortedFunc(maps.Keys(t.boxes), compareIDs) {
		b := t.boxes[id]
		dir, found := owner[id]
		switch {
		case b.Gone || b.dir == "" || b.dir == "." || found && dir == b.dir || !found && anon[b.dir]:
		case !found:
			t.edit(id).dir = ""
			if err := t.run(store.PutMailbox{ID: id, Delete: true}); err != nil {
				return err
			}
		default:
			t.edit(id).dir = dir
			t.dirty = true
			name, ok := mailboxName(dir, t.a.s.opts.UTF8)
			if ok && dir != wantedDir(b, t.a.s.opts.UTF8) {
				renamed[id] = name
			}
		}
	}
	return t.renameAll(renamed)
}

// renameAll gives mailboxes the names of their directories, the levels above
// first, as those take along what is below. Those that changed places meet
// under another name, which one keeps where a mailbox that stays is in its way.
func (t *tx) renameAll(names map[store.MailboxID]string) error {
	aside := make(map[store.MailboxID]bool)
	for len(names) > 0 {
		order := slices.SortedFunc(maps.Keys(names), func(x, y store.MailboxID) int {
			return cmp.Compare(names[x], names[y])
		})
		done, err := t.renameFree(names, order)
		if err != nil {
			return err
		}
		if done {
			continue
		}
		stuck := order[0]
		if aside[stuck] {
			delete(names, stuck)
			continue
		}
		aside[stuck] = true
		if err := t.run(store.PutMailbox{ID: stuck, Name: "mailstead " + stuck.String()}); err != nil {
			return err
		}
	}
	return nil
}

// renameFree renames those whose name nobody has; done: there was one.
func (t *tx) renameFree(names map[store.MailboxID]string, order []store.MailboxID) (done bool, err error) {
	var waiting []string
	for _, id := range order {
		name := names[id]
		if slices.ContainsFunc(waiting, func(above string) bool { return store.IsBelow(name, above) }) {
			continue
		}
		err := t.run(store.PutMailbox{ID: id, Name: name})
		if errors.Is(err, store.ErrExists) {
			waiting = append(waiting, name)
			continue
		}
		if err != nil {
			return done, err
		}
		delete(names, id)
		done = true
	}
	return done, nil
}

// adoptDir makes a mailbox of a directory that another program made.
func (t *tx) adoptDir(dir, name string) error {
	id, err := t.a.idOf(dir)
	if err != nil {
		return err
	}
	if old := t.boxes[id]; old != nil && old.Gone && old.dir == dir {
		return nil // deleted by us; about to be removed
	}
	if id.IsZero() || t.boxes[id] != nil {
		id = store.NewMailboxID()
	}
	err = t.run(store.PutMailbox{ID: id, Create: true, Name: name})
	if errors.Is(err, store.ErrExists) {
		t.a.warnOnce(dir, "its name is that of another mailbox")
		return nil
	}
	if err != nil {
		return err
	}
	t.edit(id).dir = dir
	return t.a.makeDir(dir, id)
}
