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
	filetree.Batch
	rel   string // the folder below the root
	count int
}

// Write prepares a folder for writing.
func (t *Tree) Write(_ context.Context, m *migrate.Mailbox) (migrate.Writer, error) {
	r, err := t.open(m)
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(t.Files.Root, r.dir)
	if err != nil {
		return nil, err
	}
	w := &writer{reader: *r, rel: filepath.ToSlash(rel)}
	w.Batch.Tree, w.Batch.Name = t.Files, filetree.EntryName(w.rel)
	return w, nil
}

// Close drops what was not committed.
func (w *writer) Close() error {
	w.Discard()
	return nil
}

// Add writes a file. The ref is the base of its name.
func (w *writer) Add(_ context.Context, m *migrate.Message, body io.Reader) (string, error) {
	f, temp, err := w.t.Files.Temp()
	if err != nil {
		return "", filetree.Answer(err)
	}
	size := &maildirfmt.Size{}
	if _, err := io.Copy(io.MultiWriter(f, size), body); err != nil {
		err = errors.Join(filetree.Answer(err), f.Close())
		w.t.Files.Drop(temp)
		return "", err
	}
	letters, dropped, err := w.letters(m)
	if err != nil {
		err = errors.Join(filetree.Answer(err), f.Close())
		w.t.Files.Drop(temp)
		return "", err
	}
	w.count++
	base := fmt.Sprintf("%d.M%06dR%s.migrate,S=%d,W=%d", max(0, m.Received.Unix()), w.count%1_000_000, strings.ToLower(rand.Text()), size.File, size.Wire)
	w.Put(f, m.Received, filetree.Step{Temp: temp, To: path.Join(w.rel, "cur", base+maildirfmt.InfoMark+letters)}, migrate.Placed{Ref: base, Dropped: dropped})
	return base, nil
}

// letters are those of a message's flags and keywords, which get letters first.
func (w *writer) letters(m *migrate.Message) (letters string, dropped []string, err error) {
	if w.kw.Add(m.Keywords) {
		if err := w.kw.Write(w.t.Files.FS, w.dir); err != nil {
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
	for _, sub := range [...]string{"cur", "new"} {
		if err := w.t.Files.FS.SyncDir(filepath.Join(w.dir, sub)); err != nil {
			return filetree.Answer(err)
		}
	}
	if len(notes) == 0 {
		return nil
	}
	return w.t.Files.Save(ctx, notes)
}

func (w *writer) alter(c *migrate.Alteration) error {
	return w.found(c.Ref, func(from string) error {
		if c.Remove {
			delete(w.names, c.Ref)
			return w.t.Files.FS.Remove(from)
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
		if err := w.t.Files.FS.Rename(from, to); err != nil {
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
