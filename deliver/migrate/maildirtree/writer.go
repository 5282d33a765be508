package maildirtree

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/internal/filetree"
	"github.com/mailstead/mailstead/internal/maildirfmt"
	"github.com/mailstead/mailstead/store"
)

// writer adds to one folder.
type writer struct {
	reader
	batch filetree.Batch
	rel   string // the folder below the root
	count int
	refs  []migrate.Placed
}

// Write prepares a folder for writing.
func (t *Tree) Write(_ context.Context, m *migrate.Mailbox) (migrate.Writer, error) {
	r, err := t.open(m)
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(t.f.Root, r.dir)
	if err != nil {
		return nil, err
	}
	w := &writer{reader: *r, rel: filepath.ToSlash(rel)}
	w.batch.Tree, w.batch.Name = t.f, filetree.EntryName(w.rel)
	return w, nil
}

// Atomic is true: see package filetree.
func (w *writer) Atomic() bool { return true }

// Close drops what was not committed.
func (w *writer) Close() error {
	w.Discard()
	return nil
}

// Discard drops what was added since the last Commit.
func (w *writer) Discard() {
	w.batch.Discard()
	w.refs = w.refs[:0]
}

// Add writes a file. The ref is the base of its name.
func (w *writer) Add(_ context.Context, m *migrate.Message, body io.Reader) (string, error) {
	f, temp, err := w.t.f.Temp()
	if err != nil {
		return "", answer(err)
	}
	size := &maildirfmt.Size{}
	if _, err := io.Copy(io.MultiWriter(f, size), body); err != nil {
		err = errors.Join(answer(err), f.Close())
		w.t.f.Drop(temp)
		return "", err
	}
	letters, dropped, err := w.letters(m)
	if err != nil {
		err = errors.Join(answer(err), f.Close())
		w.t.f.Drop(temp)
		return "", err
	}
	w.count++
	base := fmt.Sprintf("%d.M%06dR%s.migrate,S=%d,W=%d", max(0, m.Received.Unix()), w.count%1_000_000, strings.ToLower(rand.Text()), size.File, size.Wire)
	w.batch.Add(f, m.Received, filetree.Step{Temp: temp, To: path.Join(w.rel, "cur", base+maildirfmt.InfoMark+letters)})
	w.refs = append(w.refs, migrate.Placed{Ref: base, Dropped: dropped})
	return base, nil
}

// letters are those of a message's flags and keywords, which get letters first.
func (w *writer) letters(m *migrate.Message) (letters string, dropped []string, err error) {
	if w.kw.Add(m.Keywords) {
		if err := w.kw.Write(w.t.f.FS, w.dir); err != nil {
			return "", nil, err
		}
	}
	out := maildirfmt.AppendFlags(nil, m.Flags)
	for _, k := range m.Keywords {
		if c, ok := w.kw.Letter(k); ok {
			out = append(out, c)
		} else {
			dropped = append(dropped, k)
		}
	}
	slices.Sort(out)
	return string(out), dropped, nil
}

// Commit makes the files visible and writes the notes.
func (w *writer) Commit(ctx context.Context, notes []migrate.Note) ([]migrate.Placed, error) {
	if err := w.batch.Commit(ctx, notes); err != nil {
		return nil, answer(err)
	}
	placed := slices.Clone(w.refs)
	w.refs = w.refs[:0]
	return placed, nil
}

// Alter renames and removes files. What a crash leaves undone the next pass does
// again.
func (w *writer) Alter(ctx context.Context, changes []migrate.Alteration, notes []migrate.Note) error {
	if err := w.scan(); err != nil {
		return err
	}
	for i := range changes {
		if err := w.alter(&changes[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return answer(err)
		}
	}
	for _, sub := range [...]string{"cur", "new"} {
		if err := w.t.f.FS.SyncDir(filepath.Join(w.dir, sub)); err != nil {
			return answer(err)
		}
	}
	if len(notes) == 0 {
		return nil
	}
	return w.t.f.Save(ctx, notes)
}

func (w *writer) alter(c *migrate.Alteration) error {
	return w.found(c.Ref, func(from string) error {
		if c.Remove {
			delete(w.names, c.Ref)
			return w.t.f.FS.Remove(from)
		}
		_, letters := maildirfmt.SplitName(from)
		add, _, err := w.letters(&migrate.Message{Flags: c.Add, Keywords: c.AddKeywords})
		if err != nil {
			return err
		}
		clear := w.clearing(c)
		out := []byte(add)
		for i := range len(letters) {
			if strings.IndexByte(clear, letters[i]) < 0 {
				out = append(out, letters[i])
			}
		}
		slices.Sort(out)
		name := "cur/" + c.Ref + maildirfmt.InfoMark + string(slices.Compact(out))
		to := filepath.Join(w.dir, name)
		if to == from {
			return nil
		}
		if err := w.t.f.FS.Rename(from, to); err != nil {
			return err
		}
		w.names[c.Ref] = name
		return nil
	})
}

// clearing are the letters that a change takes away.
func (w *writer) clearing(c *migrate.Alteration) string {
	out := maildirfmt.AppendFlags(nil, c.Clear)
	for _, k := range c.ClearKeywords {
		if letter, ok := w.kw.Letter(k); ok {
			out = append(out, letter)
		}
		if store.SameKeyword(k, "$Forwarded") {
			out = append(out, 'P')
		}
	}
	return string(out)
}

// Resolve returns refs as they are: those of Add are final.
func (w *writer) Resolve(_ context.Context, refs []string) ([]string, error) { return refs, nil }
