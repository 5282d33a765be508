package maildir

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/internal/crlf"
	"github.com/mailstead/mailstead/internal/maildirfmt"
	"github.com/mailstead/mailstead/internal/nfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/rows"
)

// scanLocked finds what others did to the tree, and what a crash left undone
// of our own doing. All that it finds becomes visible at once.
func (a *account) scanLocked() error {
	t := a.begin()
	began := a.now.ModSeq
	if err := t.scanDirs(); err != nil {
		return err
	}
	s := &scan{tx: t}
	for _, id := range slices.SortedFunc(maps.Keys(t.boxes), compareIDs) {
		if b := t.boxes[id]; b.dir != "" && wantedDir(b, a.s.opts.UTF8) != "" {
			if err := s.box(id); err != nil {
				return err
			}
		}
	}
	if a.behind {
		for id, b := range t.boxes { // directories that a crash left
			if b.dir != wantedDir(b, a.s.opts.UTF8) {
				t.edit(id)
			}
		}
	}
	a.behind, a.scanned = false, time.Now()
	if len(t.edited) == 0 && len(t.gone) == 0 {
		return nil
	}
	for _, e := range t.edited {
		t.dirty = t.dirty || len(e.touched) > 0
	}
	return t.commit(t.ModSeq != began)
}

func compareIDs(x, y store.MailboxID) int { return slices.Compare(x[:], y[:]) }

// scan compares the files of mailboxes with their messages.
type scan struct {
	*tx
	took bool // the ModSeq of what it finds was taken
}

// take is the ModSeq of all that is found about messages.
func (s *scan) take() store.ModSeq {
	if !s.took {
		s.took = true
		s.ModSeq++
	}
	return s.ModSeq
}

// seenFile is a file of a mailbox as it is now.
type seenFile struct {
	base, letters string
	inNew         bool
	also          string // letters of a second name that was removed
}

// stamp is when the directories of a mailbox last changed.
type stamp struct{ cur, fresh, keywords time.Time }

// stampOld is the age at which a change time cannot come a second time.
const stampOld = 2 * time.Second

func (a *account) stamp(dir string) (st stamp, err error) {
	for _, x := range [...]struct {
		name string
		to   *time.Time
	}{{"cur", &st.cur}, {"new", &st.fresh}, {maildirfmt.KeywordsFile, &st.keywords}} {
		info, err := a.s.fs.Stat(a.path(dir, x.name))
		switch {
		case err == nil:
			*x.to = info.ModTime()
		case x.name != maildirfmt.KeywordsFile || !errors.Is(err, fs.ErrNotExist):
			return st, err
		}
	}
	return st, nil
}

// box compares one mailbox. One whose directories did not change is passed
// over; one that cannot be read stays as it was.
func (s *scan) box(id store.MailboxID) error {
	a, b := s.a, s.boxes[id]
	began := time.Now()
	st, err := a.stamp(b.dir)
	if err == nil && !a.behind && st == a.stamps[id] {
		return nil
	}
	delete(a.stamps, id)
	var files []seenFile
	if err == nil {
		files, err = a.listFiles(b.dir)
	}
	var kw *maildirfmt.Keywords
	if err == nil {
		kw, err = maildirfmt.ReadKeywords(a.s.fs, a.path(b.dir))
	}
	if err != nil {
		a.s.log.Warn("maildir: a folder cannot be read", "account", a.id, "mailbox", b.Name, "error", err)
		return nil
	}
	if newest := slices.MaxFunc([]time.Time{st.cur, st.fresh, st.keywords}, time.Time.Compare); !st.cur.IsZero() && began.Sub(newest) > stampOld {
		a.stamps[id] = st
	}
	return s.files(id, files, kw)
}

// files compares the messages of a mailbox with its files.
func (s *scan) files(id store.MailboxID, files []seenFile, kw *maildirfmt.Keywords) error {
	b := s.boxes[id]
	known := make(map[string]*message, len(b.msgs))
	for _, m := range b.msgs {
		if m.base != "" {
			known[m.base] = m
		}
	}
	seen := make(map[string]bool, len(files))
	var fresh []seenFile
	for _, f := range files {
		m := known[f.base]
		switch {
		case m == nil:
			fresh = append(fresh, f)
		case m.Gone:
			s.gone = append(s.gone, lost{b, &message{base: f.base, letters: f.letters, inNew: f.inNew}})
		default:
			s.compare(id, m, f, kw)
		}
		seen[f.base] = true
	}
	missing := slices.DeleteFunc(slices.Clone(b.msgs), func(m *message) bool { return m.Gone || seen[m.base] })
	if len(missing) > 0 {
		if err := s.missing(id, missing); err != nil {
			return err
		}
	}
	slices.SortFunc(fresh, func(x, y seenFile) int { return strings.Compare(x.base, y.base) })
	for _, f := range fresh {
		if err := s.adopt(id, f, kw); err != nil {
			return err
		}
	}
	return nil
}

// listFiles returns the files of a Maildir, each once.
func (a *account) listFiles(dir string) ([]seenFile, error) {
	var out []seenFile
	at := make(map[string]int)
	for _, sub := range []string{"new", "cur"} {
		list, err := a.s.fs.ReadDir(a.path(dir, sub))
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
				continue
			}
			base, letters := maildirfmt.SplitName(e.Name())
			f := seenFile{base: base, letters: letters, inNew: sub == "new"}
			if i, twice := at[base]; twice {
				if out[i], err = a.oneName(dir, out[i], f); err != nil {
					return nil, err
				}
				continue
			}
			at[base] = len(out)
			out = append(out, f)
		}
	}
	return out, nil
}

// oneName leaves one of two names that were seen of one file. When another
// program and we move a file out of new/ at the same time, it has two in cur/,
// and the flags of both count.
func (a *account) oneName(dir string, old, now seenFile) (seenFile, error) {
	if old.letters == now.letters && old.inNew == now.inNew {
		return now, nil
	}
	path := a.path(dir, pathOf(old.base, old.letters, old.inNew))
	for name, f := range map[string]seenFile{path: now, a.path(dir, pathOf(now.base, now.letters, now.inNew)): old} {
		if _, err := a.s.fs.Stat(name); err != nil { // it was a rename that we saw from both sides
			return f, nfs.IgnoreMissing(err)
		}
	}
	if err := a.s.fs.SyncDir(a.path(dir, "cur")); err != nil {
		return now, err
	}
	now.also = old.letters
	return now, nfs.IgnoreMissing(a.s.fs.Remove(path))
}

// compare: the file is where it was last seen, or where we wanted it, or
// another program has given it other flags.
func (s *scan) compare(id store.MailboxID, m *message, f seenFile, kw *maildirfmt.Keywords) {
	wanted := lettersOf(m, kw)
	atPlace := f.letters == wanted && f.inNew == (m.inNew && wanted == "")
	lastSeen := f.letters == m.letters && f.inNew == m.inNew && !m.staged
	if f.also != "" {
		atPlace, lastSeen = false, false
	}
	if atPlace && lastSeen {
		return
	}
	next := *m
	next.staged, next.letters, next.inNew, next.loose = false, f.letters, f.inNew, !f.inNew
	e := s.edit(id)
	if !atPlace && !lastSeen && !m.staged {
		next.Flags, next.Keywords = parseLetters(f.letters+f.also, m.Keywords, kw)
		if next.Flags != m.Flags || !slices.Equal(next.Keywords, m.Keywords) {
			next.ModSeq = s.take()
			rows.Count(&e.Mailbox, &m.Message, -1)
			rows.Count(&e.Mailbox, &next.Message, 1)
			e.HighestModSeq = next.ModSeq
		}
	}
	e.set(&next) // settle renames it where that is owed
}

// missing: the files of these messages were not seen. Reading a directory may
// pass over a file that is renamed meanwhile, so it is read again.
func (s *scan) missing(id store.MailboxID, list []*message) error {
	e := s.edit(id)
	files, err := s.a.listFiles(e.dir)
	if err != nil {
		return err
	}
	there := make(map[string]bool, len(files))
	for _, f := range files {
		there[f.base] = true
	}
	for _, m := range list {
		if there[m.base] {
			delete(s.a.stamps, id) // the next scan compares it
			continue
		}
		if m.staged {
			if _, err := s.a.s.fs.Stat(s.a.path("tmp", m.base)); err == nil {
				next := *m
				e.set(&next) // settle brings it in
				continue
			}
		}
		rows.Count(&e.Mailbox, &m.Message, -1)
		e.HighestModSeq = s.take()
		e.set(&message{
			Message: store.Message{UID: m.UID, ModSeq: e.HighestModSeq, Gone: true},
			ref:     m.ref, prefix: m.prefix, goneAt: time.Now(), base: m.base,
		})
	}
	return nil
}

// adopt gives a file that another program brought a UID. One that cannot be
// read is left for the next scan.
func (s *scan) adopt(id store.MailboxID, f seenFile, kw *maildirfmt.Keywords) error {
	e := s.edit(id)
	m, err := s.read(e.dir, f)
	if err != nil || e.UIDNext == 1<<32-1 {
		delete(s.a.stamps, id)
		if !errors.Is(err, fs.ErrNotExist) { // gone again; the next scan sees where it went
			s.a.s.log.Warn("maildir: a file is not taken in", "account", s.a.id, "mailbox", e.Name, "file", f.base, "error", err)
		}
		return nil
	}
	if m.ThreadID, err = s.Thread(m.keys, m.subject); err != nil {
		return err
	}
	if m.ThreadID == (store.ThreadID{}) {
		m.ThreadID = store.ThreadID(m.EmailID)
	}
	s.arrived++
	m.Flags, m.Keywords = parseLetters(f.letters+f.also, nil, kw)
	m.UID, m.ModSeq, m.arrival = e.UIDNext, s.take(), s.arrived
	e.UIDNext, e.HighestModSeq = e.UIDNext+1, m.ModSeq
	rows.Count(&e.Mailbox, &m.Message, 1)
	e.set(m)
	s.a.threads.add(id, m)
	return nil
}

// read describes a file that another program brought.
func (s *scan) read(dir string, f seenFile) (*message, error) {
	path := s.a.path(dir, pathOf(f.base, f.letters, f.inNew))
	if !f.inNew && f.letters == "" {
		if _, err := s.a.s.fs.Stat(path); err != nil { // without ":2,"
			if err := s.a.s.fs.Rename(s.a.path(dir, "cur", f.base), path); err != nil {
				return nil, err
			}
		}
	}
	file, err := s.a.s.fs.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	c, lf, err := crlf.Wire(file, info.Size())
	if err != nil {
		return nil, err
	}
	d, err := store.Describe(c, c.Size())
	if err != nil {
		return nil, err
	}
	return &message{
		base: f.base, letters: f.letters, inNew: f.inNew, loose: true, lf: lf, keys: d.ThreadKeys, subject: d.SubjectHash,
		Message: store.Message{
			Size: c.Size(), Received: info.ModTime().Truncate(time.Second), Saved: s.now, EmailID: store.NewEmailID(), Meta: d.Meta,
		},
	}, nil
}
