package maildir

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/internal/maildirfmt"
	"github.com/mailstead/mailstead/internal/nfs"
	"github.com/mailstead/mailstead/store"
)

// idFile holds the MailboxID of a directory, so that a mailbox is known again
// after another program renamed it, or after the index was lost.
const idFile = "mailstead-mailbox"

// settle makes the tree what the index says, after the record that says so is
// durable. Every step may be repeated; a crash leaves the rest to the scan at
// the next Open. Content that was acknowledged has a durable name at any time:
// files get their new name, the directory is synced, and only then the old
// name goes.
func (t *tx) settle() error {
	if err := t.settleDirs(); err != nil {
		return err
	}
	var linked []string // directories with new names
	var old []string    // names that go
	for _, id := range t.order {
		e := t.edited[id]
		for _, uid := range slices.Sorted(maps.Keys(e.touched)) {
			m := e.get(uid)
			if m.Gone || e.dir == "" {
				continue
			}
			dir, from, err := t.settleFile(e, m)
			if err != nil {
				return err
			}
			if dir != "" && !slices.Contains(linked, dir) {
				linked = append(linked, dir)
			}
			if from != "" {
				old = append(old, from)
			}
		}
	}
	for _, dir := range linked {
		if err := t.a.s.fs.SyncDir(dir); err != nil {
			return err
		}
	}
	for _, l := range t.gone {
		old = append(old, t.a.filePath(l.box, l.m))
	}
	for _, name := range old {
		if err := t.a.s.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return t.removeDirs()
}

// settleFile gives the file of m the name that it should have. dir has a new
// name that must be synced before the name old goes.
func (t *tx) settleFile(e *edit, m *message) (dir, old string, err error) {
	kw, err := t.keywords(e, m.Keywords)
	if err != nil {
		return "", "", err
	}
	letters := lettersOf(m, kw)
	inNew := letters == "" && m.inNew
	from, to := t.a.filePath(e.box, m), t.a.path(e.dir, pathOf(m.base, letters, inNew))
	switch {
	case from == to:
	case !m.staged && !m.inNew:
		if err := t.a.rename(e.box, m, from, to); err != nil {
			return "", "", err
		}
		m.loose = true
	default:
		if err := t.a.s.fs.Link(from, to); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", "", err
		}
		dir, old = filepath.Dir(to), from
	}
	m.staged, m.letters, m.inNew = false, letters, inNew
	return dir, old, nil
}

func (a *account) rename(b *box, m *message, from, to string) error {
	err := a.s.fs.Rename(from, to)
	if errors.Is(err, fs.ErrNotExist) {
		if from, err = a.find(b, m); err == nil {
			err = a.s.fs.Rename(from, to)
		} else if errors.Is(err, store.ErrTemporary) {
			return nil // it is gone; the scan that follows says so
		}
	}
	return err
}

// keywords reads the letters of a mailbox once and adds those of names. When
// another program is writing them, the new ones have no letter yet.
func (t *tx) keywords(e *edit, names []string) (*maildirfmt.Keywords, error) {
	dir := t.a.path(e.dir)
	if e.kw == nil {
		kw, err := maildirfmt.ReadKeywords(t.a.s.fs, dir)
		if err != nil {
			return nil, err
		}
		e.kw = kw
	}
	next := *e.kw
	if !next.Add(names) {
		return e.kw, nil
	}
	err := next.Write(t.a.s.fs, dir)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err == nil {
		e.kw = &next
	}
	return e.kw, nil
}

// wantedDir is the directory that b should have.
func wantedDir(b *box, utf8 bool) string {
	if b.Gone || b.NoSelect {
		return ""
	}
	return dirName(&b.Mailbox, utf8)
}

// settleDirs makes and renames directories. A name is taken only after it is
// durable that its last owner left it, so that no order in which a crash keeps
// the steps loses a directory.
func (t *tx) settleDirs() error {
	if err := t.bury(); err != nil {
		return err
	}
	for {
		moved, stuck, err := t.renameDirs()
		if err == nil && !moved && len(stuck) > 0 {
			err = t.putAside(stuck)
			moved = true
		}
		if err != nil {
			return err
		}
		if !moved {
			break
		}
	}
	for _, id := range t.order {
		if b := t.boxes[id]; b.dir == "" && wantedDir(b, t.a.s.opts.UTF8) != "" {
			want := wantedDir(b, t.a.s.opts.UTF8)
			if err := t.a.makeDir(want, id); err != nil {
				return err
			}
			b.dir, t.a.unsynced = want, true
		}
	}
	return t.a.syncRoot()
}

// syncRoot makes the names of directories durable where one changed.
func (a *account) syncRoot() error {
	if !a.unsynced {
		return nil
	}
	if err := a.s.fs.SyncDir(a.dir); err != nil {
		return err
	}
	a.unsynced = false
	return nil
}

// renameDirs gives directories the names that nobody has; stuck are those that
// another one is in the way of.
func (t *tx) renameDirs() (moved bool, stuck []*box, err error) {
	for _, id := range t.order {
		b := t.boxes[id]
		want := wantedDir(b, t.a.s.opts.UTF8)
		if want == "" || want == b.dir || b.dir == "" {
			continue
		}
		if _, err := t.a.s.fs.Stat(t.a.path(want)); !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				return moved, nil, err
			}
			stuck = append(stuck, b)
			continue
		}
		if err := t.a.s.fs.Rename(t.a.path(b.dir), t.a.path(want)); err != nil {
			return moved, nil, err
		}
		b.dir, t.a.unsynced, moved = want, true, true
	}
	return moved, stuck, t.a.syncRoot()
}

// putAside moves directories that wait for each other. One that is aside and
// still stuck has another program's in its way.
func (t *tx) putAside(list []*box) error {
	for _, b := range list {
		aside := asidePrefix + b.ID.String()
		if b.dir == aside {
			return fmt.Errorf("%w: another program has made %s", store.ErrTemporary, wantedDir(b, t.a.s.opts.UTF8))
		}
		if err := t.a.s.fs.Rename(t.a.path(b.dir), t.a.path(aside)); err != nil {
			return err
		}
		b.dir, t.a.unsynced = aside, true
	}
	return t.a.syncRoot()
}

// bury gives the directories of mailboxes that are gone a name that no mailbox
// has, before another one can take theirs.
func (t *tx) bury() error {
	for _, id := range t.order {
		b := t.boxes[id]
		aside := buriedPrefix + id.String()
		if b.dir == "" || b.dir == "." || b.dir == aside || wantedDir(b, t.a.s.opts.UTF8) != "" {
			continue
		}
		owner, err := t.a.idOf(b.dir)
		if err != nil {
			return err
		}
		if owner != id { // another program's, made meanwhile
			b.dir = ""
			continue
		}
		if err := t.a.s.fs.Rename(t.a.path(b.dir), t.a.path(aside)); err != nil {
			return err
		}
		b.dir, t.a.unsynced = aside, true
	}
	return t.a.syncRoot()
}

// makeDir makes a Maildir that knows its mailbox.
func (a *account) makeDir(dir string, id store.MailboxID) error {
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := a.s.fs.MkdirAll(a.path(dir, sub), 0o700); err != nil {
			return err
		}
	}
	return nfs.WriteFile(a.s.fs, a.path(dir, idFile), id.String()+"\n")
}

// removeDirs removes the directories of mailboxes that are gone.
func (t *tx) removeDirs() error {
	for _, id := range t.order {
		b := t.boxes[id]
		if b.dir == "" || !b.Gone && !b.NoSelect {
			continue
		}
		if err := nfs.RemoveTree(t.a.s.fs, t.a.path(b.dir)); err != nil {
			return err
		}
		b.dir = ""
	}
	return nil
}

// idOf is the id that a directory holds; zero when it has none.
func (a *account) idOf(dir string) (store.MailboxID, error) {
	text, err := nfs.ReadFile(a.s.fs, a.path(dir, idFile))
	if err != nil {
		return store.MailboxID{}, nfs.IgnoreMissing(err)
	}
	return parseID(strings.TrimSpace(string(text))), nil
}

func parseID(s string) (id store.MailboxID) {
	if b, err := hex.DecodeString(s); err == nil && len(b) == len(id) {
		copy(id[:], b)
	}
	return id
}
