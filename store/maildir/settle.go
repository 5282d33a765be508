package maildir

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

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
	sync := make(map[string]bool) // directories with new names
	var old []string              // names that go
	for m, b := range t.msgs {
		if m.Gone || b.dir == "" {
			continue
		}
		from := t.a.filePath(b, m)
		at, err := t.a.place(b, m)
		if err != nil {
			return err
		}
		to := t.a.path(b.dir, pathOf(m.base, at.letters, at.inNew))
		switch {
		case from == to:
		case !m.staged && !m.inNew:
			if err := t.a.rename(b, m, from, to); err != nil {
				return err
			}
		default:
			if err := t.a.s.fs.Link(from, to); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			sync[filepath.Dir(to)] = true
			old = append(old, from)
		}
		m.staged, m.letters, m.inNew = false, at.letters, at.inNew
	}
	for dir := range sync {
		if err := t.a.s.fs.SyncDir(dir); err != nil {
			return err
		}
	}
	for m, b := range t.gone {
		old = append(old, t.a.filePath(b, m))
	}
	for _, name := range old {
		if err := t.a.s.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return t.removeDirs()
}

// place says which name m's file should have.
func (a *account) place(b *box, m *message) (seenFile, error) {
	kw, err := a.keywords(b, m.Keywords)
	if err != nil {
		return seenFile{}, err
	}
	letters := lettersOf(m, kw)
	return seenFile{m.base, letters, letters == "" && m.inNew}, nil
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

// keywords reads the letters of a mailbox and adds those of names. When another
// program is writing them, the new ones have no letter yet.
func (a *account) keywords(b *box, names []string) (*keywords, error) {
	kw, err := readKeywords(a.s.fs, a.path(b.dir))
	if err != nil {
		return nil, err
	}
	before := *kw
	if len(names) > 0 && kw.add(names) {
		if err := kw.write(a.s.fs, a.path(b.dir)); errors.Is(err, fs.ErrExist) {
			return &before, nil
		} else if err != nil {
			return nil, err
		}
	}
	return kw, nil
}

// wantedDir is the directory that b should have.
func wantedDir(b *box) string {
	if b.Gone || b.NoSelect {
		return ""
	}
	return dirName(&b.Mailbox)
}

// settleDirs makes and renames directories. Those that change places meet
// under names that other programs do not look at.
func (t *tx) settleDirs() error {
	var moving []*box
	synced := true
	for id := range t.edited {
		b := t.boxes[id]
		want := wantedDir(b)
		if want == "" || want == b.dir {
			continue
		}
		synced = false
		if b.dir == "" {
			if err := t.a.makeDir(want, id); err != nil {
				return err
			}
			b.dir = want
			continue
		}
		aside := "mailstead-moving-" + id.String()
		if err := t.a.s.fs.Rename(t.a.path(b.dir), t.a.path(aside)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		b.dir = aside
		moving = append(moving, b)
	}
	for _, b := range moving {
		want := wantedDir(b)
		if err := t.a.s.fs.Rename(t.a.path(b.dir), t.a.path(want)); err != nil {
			return err
		}
		b.dir = want
	}
	if synced {
		return nil
	}
	return t.a.s.fs.SyncDir(t.a.dir)
}

// makeDir makes a Maildir that knows its mailbox.
func (a *account) makeDir(dir string, id store.MailboxID) error {
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := a.s.fs.MkdirAll(a.path(dir, sub), 0o700); err != nil {
			return err
		}
	}
	return writeFile(a.s.fs, a.path(dir, idFile), id.String()+"\n")
}

// removeDirs removes the directories of mailboxes that are gone.
func (t *tx) removeDirs() error {
	for id := range t.edited {
		b := t.boxes[id]
		if b.dir == "" || b.dir == "." || wantedDir(b) != "" {
			continue
		}
		if t.a.idOf(b.dir) == id { // not another program's, made meanwhile
			if err := removeTree(t.a.s.fs, t.a.path(b.dir)); err != nil {
				return err
			}
		}
		b.dir = ""
	}
	return nil
}

// idOf is the id that a directory holds; zero when it has none.
func (a *account) idOf(dir string) store.MailboxID {
	text, err := readFile(a.s.fs, a.path(dir, idFile))
	if err != nil {
		return store.MailboxID{}
	}
	return parseID(strings.TrimSpace(string(text)))
}
