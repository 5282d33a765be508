package mboxtree

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/internal/filetree"
	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/mbox"
)

// writer adds to one file.
type writer struct {
	*reader
	count int

	temp *filetree.WriterAt // the batch; nil = nothing was added
	f    vfs.File           // of temp
	name string
	at   int64 // where it belongs
	adds []migrate.Placed
}

// Write prepares a file for writing.
func (t *Tree) Write(ctx context.Context, m *migrate.Mailbox) (migrate.Writer, error) {
	r, err := t.open(ctx, m)
	if err != nil {
		return nil, err
	}
	return &writer{reader: r}, nil
}

// Atomic is true: see package filetree.
func (w *writer) Atomic() bool { return true }

// Close drops what was not committed.
func (w *writer) Close() error {
	w.Discard()
	return w.reader.Close()
}

// Discard drops what was added since the last Commit.
func (w *writer) Discard() {
	if w.temp != nil {
		_ = w.f.Close() // it is removed
		w.t.Files.Drop(w.name)
	}
	w.temp, w.adds = nil, w.adds[:0]
}

// begin makes the file of a batch. It begins with what is missing at the end of the
// mailbox.
func (w *writer) begin() error {
	if w.temp != nil {
		return nil
	}
	gap, err := w.gap()
	if err != nil {
		return err
	}
	w.f, w.name, err = w.t.Files.Temp()
	if err != nil {
		return err
	}
	w.temp = &filetree.WriterAt{F: w.f}
	_, err = io.WriteString(w.temp, gap)
	return err
}

// gap is what a file needs before a separator, and sets where that is.
func (w *writer) gap() (string, error) {
	f, err := w.t.Files.FS.OpenFile(w.path(), os.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	w.at = info.Size()
	end := make([]byte, min(w.at, 3))
	if _, err := f.ReadAt(end, w.at-int64(len(end))); err != nil && err != io.EOF {
		return "", err
	}
	switch s := strings.ReplaceAll(string(end), "\r", ""); {
	case s == "" || strings.HasSuffix(s, "\n\n") || w.at == 1 && s == "\n":
		return "", nil
	case strings.HasSuffix(s, "\n"):
		return "\n", nil
	}
	return "\n\n", nil
}

// Add writes a message into the file of the batch. The ref is its ID.
func (w *writer) Add(_ context.Context, m *migrate.Message, body io.Reader) (string, error) {
	if err := w.begin(); err != nil {
		return "", filetree.Answer(err)
	}
	w.count++
	keywords, dropped := fieldKeywords(m.Keywords)
	e := entry{date: m.Received.Unix(), own: fmt.Sprintf("%06d%s", w.count%1_000_000, strings.ToLower(rand.Text()[:12]))}
	start := w.temp.Off
	if err := w.write(m, appendFields(nil, m.Flags, keywords, e.own), body); err != nil {
		w.temp.Off = start
		if terr := w.f.Truncate(start); terr != nil {
			return "", errors.Join(migrate.ErrWriter, err, terr)
		}
		return "", filetree.Answer(err)
	}
	w.adds = append(w.adds, migrate.Placed{Ref: e.id(), Dropped: dropped})
	return e.id(), nil
}

func (w *writer) write(m *migrate.Message, fields []byte, body io.Reader) error {
	out := mbox.NewWriter(w.temp)
	msg, err := out.Create("", m.Received)
	if err != nil {
		return err
	}
	if _, err := io.Copy(msg, io.MultiReader(bytes.NewReader(fields), body)); err != nil {
		return err
	}
	return out.Close()
}

// fieldKeywords are those that X-Keywords has room for.
func fieldKeywords(list []string) (kept, dropped []string) {
	n := 0
	for _, k := range list {
		if n += len(k) + 1; n > 4000 || strings.Contains(k, ",") {
			dropped = append(dropped, k)
			continue
		}
		kept = append(kept, k)
	}
	return kept, dropped
}

// Commit appends the batch and writes the notes.
func (w *writer) Commit(ctx context.Context, notes []migrate.Note) ([]migrate.Placed, error) {
	step := filetree.Step{Temp: w.name, To: filepath.ToSlash(w.rel), Append: true, At: w.at}
	if err := w.commit(ctx, step, notes); err != nil {
		return nil, filetree.Answer(err)
	}
	placed := slices.Clone(w.adds)
	w.adds = w.adds[:0]
	return placed, w.reopen(ctx)
}

func (w *writer) commit(ctx context.Context, s filetree.Step, notes []migrate.Note) error {
	err := errors.Join(w.f.Sync(), ctx.Err())
	if err != nil {
		return err
	}
	if err := w.f.Close(); err != nil {
		return err
	}
	w.temp = nil // from here on the file is the tree's
	return w.t.Files.Commit(ctx, filetree.EntryName(w.rel), []filetree.Step{s}, notes)
}

// Alter writes the file anew, with other fields in front of messages and without
// those that go. Messages that this package did not write keep their flags.
func (w *writer) Alter(ctx context.Context, changes []migrate.Alteration, notes []migrate.Note) error {
	w.Discard()
	if err := w.reopen(ctx); err != nil {
		return err
	}
	if err := w.scan(ctx); err != nil {
		return err
	}
	byRef := make(map[string]*migrate.Alteration, len(changes))
	for i := range changes {
		byRef[changes[i].Ref] = &changes[i]
	}
	var err error
	if w.f, w.name, err = w.t.Files.Temp(); err != nil {
		return filetree.Answer(err)
	}
	w.temp = &filetree.WriterAt{F: w.f}
	if err := w.rewrite(ctx, byRef); err != nil {
		w.Discard()
		return filetree.Answer(err)
	}
	step := filetree.Step{Temp: w.name, To: filepath.ToSlash(w.rel), Replace: true}
	if err := w.commit(ctx, step, notes); err != nil {
		return filetree.Answer(err)
	}
	return w.reopen(ctx)
}

func (w *writer) rewrite(ctx context.Context, byRef map[string]*migrate.Alteration) error {
	for i := range w.index.list {
		if err := ctx.Err(); err != nil {
			return err
		}
		e := &w.index.list[i]
		raw := io.NewSectionReader(w.reader.f, e.off, e.end-e.off)
		c := byRef[e.id()]
		switch {
		case c == nil:
		case c.Remove:
			continue
		case e.own != "":
			head, fields, err := ownHead(raw)
			if err != nil {
				return err
			}
			if _, err := w.temp.Write(append(head, alter(e, c)...)); err != nil {
				return err
			}
			raw = io.NewSectionReader(w.reader.f, e.off+fields, e.end-e.off-fields)
		}
		if _, err := io.Copy(w.temp, raw); err != nil {
			return err
		}
	}
	return nil
}

// ownHead is the separator of a message that this package wrote, and where its own
// fields end.
func ownHead(raw *io.SectionReader) (separator []byte, end int64, err error) {
	buf := make([]byte, min(raw.Size(), 16<<10))
	if _, err := io.ReadFull(raw, buf); err != nil {
		return nil, 0, err
	}
	rest := buf
	for n := range 1 + len(ownFields()) {
		i := bytes.IndexByte(rest, '\n') + 1
		if i == 0 {
			return nil, 0, migrate.ErrChanged
		}
		if n == 0 {
			separator = bytes.Clone(rest[:i])
		}
		rest, end = rest[i:], end+int64(i)
	}
	return separator, end, nil
}

// alter is the own fields of a message after a change.
func alter(e *entry, c *migrate.Alteration) []byte {
	keywords := slices.DeleteFunc(slices.Clone(e.keywords), func(k string) bool { return store.HasKeyword(c.ClearKeywords, k) })
	for _, k := range c.AddKeywords {
		if !store.HasKeyword(keywords, k) {
			keywords = append(keywords, k)
		}
	}
	keywords, _ = fieldKeywords(keywords)
	return appendFields(nil, e.flags&^c.Clear|c.Add, keywords, e.own)
}

// Resolve returns refs as they are: those of Add are final.
func (w *writer) Resolve(_ context.Context, refs []string) ([]string, error) { return refs, nil }
