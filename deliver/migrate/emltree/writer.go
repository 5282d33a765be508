package emltree

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/internal/filetree"
	"github.com/mailstead/mailstead/store"
)

// writer adds to one directory.
type writer struct {
	*reader
	filetree.Batch
	count int
}

// Write prepares a directory for writing.
func (t *Tree) Write(_ context.Context, m *migrate.Mailbox) (migrate.Writer, error) {
	r, err := t.open(m)
	if err != nil {
		return nil, err
	}
	w := &writer{reader: r, count: len(r.names)}
	w.Batch.Tree, w.Batch.Name = t.Files, filetree.EntryName(r.rel)
	return w, nil
}

// Close drops what was not committed.
func (w *writer) Close() error {
	w.Discard()
	return nil
}

// Add writes a file. The ref is its ID.
func (w *writer) Add(_ context.Context, m *migrate.Message, body io.Reader) (string, error) {
	f, temp, err := w.t.Files.Temp()
	if err != nil {
		return "", filetree.Answer(err)
	}
	if _, err := io.Copy(f, body); err != nil {
		err = errors.Join(filetree.Answer(err), f.Close())
		w.t.Files.Drop(temp)
		return "", err
	}
	w.count++
	id := newID(m.Received, w.count)
	name, dropped := fileName(id, m.Flags, m.Keywords)
	w.Put(f, m.Received, filetree.Step{Temp: temp, To: path.Join(filepath.ToSlash(w.rel), name)}, migrate.Placed{Ref: id, Dropped: dropped})
	return id, nil
}

// Alter renames and removes files. What a crash leaves undone the next pass does
// again.
func (w *writer) Alter(ctx context.Context, changes []migrate.Alteration, notes []migrate.Note) error {
	if err := w.scan(); err != nil {
		return err
	}
	for i := range changes {
		if err := w.alter(&changes[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return filetree.Answer(err)
		}
	}
	if err := w.t.Files.FS.SyncDir(w.path("")); err != nil {
		return filetree.Answer(err)
	}
	if len(notes) == 0 {
		return nil
	}
	return w.t.Files.Save(ctx, notes)
}

func (w *writer) alter(c *migrate.Alteration) error {
	name, ok := w.names[c.Ref]
	if !ok {
		return nil
	}
	if c.Remove {
		delete(w.names, c.Ref)
		return w.t.Files.FS.Remove(w.path(name))
	}
	p := parseName(name)
	if p.id == name {
		return nil // another program's file: its name has no place for flags
	}
	for _, k := range c.AddKeywords {
		if !store.HasKeyword(p.keywords, k) {
			p.keywords = append(p.keywords, k)
		}
	}
	p.keywords = slices.DeleteFunc(p.keywords, func(k string) bool { return store.HasKeyword(c.ClearKeywords, k) })
	to, _ := fileName(p.id, p.flags&^c.Clear|c.Add, p.keywords)
	if to == name {
		return nil
	}
	if err := w.t.Files.FS.Rename(w.path(name), w.path(to)); err != nil {
		return err
	}
	w.names[c.Ref] = to
	return nil
}
