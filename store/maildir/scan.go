package maildir

import (
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store"
)

func parseID(s string) (id store.MailboxID) {
	if b, err := hex.DecodeString(s); err == nil && len(b) == len(id) {
		copy(id[:], b)
	}
	return id
}

// scanLocked finds what others did to the tree, and what a crash left undone
// of our own doing. All that it finds is one change with one ModSeq.
func (a *account) scanLocked() error {
	t := a.begin()
	if err := t.scanDirs(); err != nil {
		return err
	}
	for id, b := range t.boxes {
		if b.dir != "" && wantedDir(b) != "" {
			if err := t.scanBox(id); err != nil {
				return err
			}
		}
	}
	if a.behind {
		for id, b := range t.boxes { // directories that a crash left
			if b.dir != wantedDir(b) {
				t.edit(id)
			}
		}
	}
	a.behind, a.scanned = false, time.Now()
	if t.took {
		t.modSeq = t.at
	}
	if !t.took && len(t.msgs)+len(t.gone)+len(t.edited) == 0 {
		return nil
	}
	return t.commit()
}

// scanDirs compares the directories with the mailboxes.
func (t *tx) scanDirs() error {
	list, err := t.a.s.fs.ReadDir(t.a.dir)
	if err != nil {
		return err
	}
	there := map[string]bool{".": true}
	for _, e := range list {
		there[e.Name()] = e.IsDir()
	}
	byDir := make(map[string]bool)
	for id, b := range t.boxes {
		aside := "mailstead-moving-" + id.String()
		switch {
		case b.dir == "" || b.Gone || there[b.dir]:
		case there[wantedDir(b)] && t.a.idOf(wantedDir(b)) == id:
			t.edit(id).dir = wantedDir(b) // our own rename, before the crash
		case there[aside]:
			t.edit(id).dir = aside
		default:
			if err := t.lostDir(id, list); err != nil {
				return err
			}
		}
		byDir[t.boxes[id].dir] = true
	}
	for _, e := range list {
		if name, ok := mailboxName(e.Name()); ok && e.IsDir() && !byDir[e.Name()] && t.isMaildir(e.Name()) {
			if err := t.adoptDir(e.Name(), name); err != nil {
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

// lostDir: another program renamed or removed the directory of a mailbox.
func (t *tx) lostDir(id store.MailboxID, list []fs.DirEntry) error {
	var r store.OpResult
	for _, e := range list {
		name, ok := mailboxName(e.Name())
		if ok && t.a.idOf(e.Name()) == id {
			t.edit(id).dir = e.Name()
			return t.putMailbox(store.PutMailbox{ID: id, Name: name}, &r)
		}
	}
	t.edit(id).dir = ""
	return t.putMailbox(store.PutMailbox{ID: id, Delete: true}, &r)
}

// adoptDir makes a mailbox of a directory that another program made.
func (t *tx) adoptDir(dir, name string) error {
	id := t.a.idOf(dir)
	if old := t.boxes[id]; old != nil && old.Gone && old.dir == dir {
		return nil // deleted by us; about to be removed
	}
	if id.IsZero() || t.boxes[id] != nil {
		id = store.NewMailboxID()
	}
	var r store.OpResult
	err := t.putMailbox(store.PutMailbox{ID: id, Create: true, Name: name}, &r)
	if errors.Is(err, store.ErrExists) {
		return nil // two directories for one name
	}
	if err != nil {
		return err
	}
	t.edit(id).dir = dir
	return t.a.makeDir(dir, id)
}

// seenFile is a file of a mailbox as it is now.
type seenFile struct {
	base, letters string
	inNew         bool
}

// listFiles returns the files of a Maildir. One that is in new/ and cur/, as a
// crash leaves it between two steps of settle, loses the name in new/.
func (a *account) listFiles(dir string) ([]seenFile, error) {
	var out []seenFile
	inNew := make(map[string]int)
	for _, sub := range []string{"new", "cur"} {
		list, err := a.s.fs.ReadDir(a.path(dir, sub))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
				continue
			}
			base, letters := splitName(e.Name())
			f := seenFile{base, letters, sub == "new"}
			if i, twice := inNew[base]; twice && !f.inNew {
				if err := a.dropName(dir, out[i]); err != nil {
					return nil, err
				}
				out[i] = f
				continue
			}
			if f.inNew {
				inNew[base] = len(out)
			}
			out = append(out, f)
		}
	}
	return out, nil
}

// scanBox compares the files of one mailbox with its messages.
func (t *tx) scanBox(id store.MailboxID) error {
	b := t.boxes[id]
	files, err := t.a.listFiles(b.dir)
	if err != nil {
		return err
	}
	kw, err := readKeywords(t.a.s.fs, t.a.path(b.dir))
	if err != nil {
		return err
	}
	known := make(map[string]*message, len(b.msgs))
	for _, m := range b.msgs {
		known[m.base] = m
	}
	seen := make(map[string]bool, len(files))
	var fresh []seenFile
	for _, f := range files {
		m := known[f.base]
		switch {
		case m == nil:
			fresh = append(fresh, f)
		case m.Gone:
			t.gone[&message{base: f.base, letters: f.letters, inNew: f.inNew}] = b
		default:
			t.compare(id, m, f, kw)
		}
		seen[f.base] = true
	}
	for _, m := range b.msgs {
		if !m.Gone && !seen[m.base] {
			t.missing(id, m)
		}
	}
	slices.SortFunc(fresh, func(x, y seenFile) int { return strings.Compare(x.base, y.base) })
	for _, f := range fresh {
		if err := t.adopt(id, f, kw); err != nil {
			return err
		}
	}
	return nil
}

func (a *account) dropName(dir string, f seenFile) error {
	if err := a.s.fs.SyncDir(a.path(dir, "cur")); err != nil {
		return err
	}
	return ignoreMissing(a.s.fs.Remove(a.path(dir, pathOf(f.base, f.letters, true))))
}

// compare: the file is where it was last seen, or where we wanted it, or
// another program has given it other flags.
func (t *tx) compare(id store.MailboxID, m *message, f seenFile, kw *keywords) {
	wanted := lettersOf(m, kw)
	atPlace := f.letters == wanted && f.inNew == (m.inNew && wanted == "")
	lastSeen := f.letters == m.letters && f.inNew == m.inNew && !m.staged
	if atPlace && lastSeen {
		return
	}
	next := *m
	next.staged, next.letters, next.inNew = false, f.letters, f.inNew
	if !atPlace && !lastSeen && !m.staged {
		next.Flags, next.Keywords = parseLetters(f.letters, m.Keywords, kw)
		if next.Flags != m.Flags || !slices.Equal(next.Keywords, m.Keywords) {
			next.ModSeq = t.take()
		}
	}
	t.put(t.edit(id), &next) // settle renames it where that is owed
}

// missing: the file of a message is not in its mailbox.
func (t *tx) missing(id store.MailboxID, m *message) {
	if m.staged {
		if _, err := t.a.s.fs.Stat(t.a.path("tmp", m.base)); err == nil {
			next := *m
			t.put(t.edit(id), &next) // settle brings it in
			return
		}
	}
	b := t.edit(id)
	t.remove(b, m)
	delete(t.gone, m) // there is no file
}

// adopt gives a file that another program brought a UID.
func (t *tx) adopt(id store.MailboxID, f seenFile, kw *keywords) error {
	b := t.edit(id)
	path := t.a.path(b.dir, pathOf(f.base, f.letters, f.inNew))
	if !f.inNew && f.letters == "" {
		if _, err := t.a.s.fs.Stat(path); err != nil { // without ":2,"
			old := t.a.path(b.dir, "cur", f.base)
			if err := t.a.s.fs.Rename(old, path); err != nil {
				return ignoreMissing(err)
			}
		}
	}
	file, err := t.a.s.fs.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return ignoreMissing(err) // gone again; the next scan sees where it went
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	c, lf, err := wireForm(file, info.Size())
	if err != nil {
		return err
	}
	d, err := store.Describe(c, c.Size())
	if err != nil {
		return err
	}
	own := store.NewEmailID()
	m := &message{
		base: f.base, letters: f.letters, inNew: f.inNew, lf: lf, keys: d.ThreadKeys, subject: d.SubjectHash,
		Message: store.Message{
			Size: c.Size(), Received: info.ModTime().Truncate(time.Second), Saved: t.now, EmailID: own,
			ThreadID: t.thread(own, d.ThreadKeys, d.SubjectHash), Meta: d.Meta,
		},
	}
	m.Flags, m.Keywords = parseLetters(f.letters, nil, kw)
	return t.add(b, m)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// wireForm is the content of a file with CRLF line ends. One that has them
// already is read where it lies; another is turned in memory.
func wireForm(r io.ReaderAt, size int64) (sized, bool, error) {
	in := io.NewSectionReader(r, 0, size)
	bare, err := bareLF(in)
	if err != nil || !bare {
		return in, false, err
	}
	c, err := crlf(io.NewSectionReader(r, 0, size))
	return c, true, err
}
