package maildirtree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/internal/filetree"
	"github.com/mailstead/mailstead/internal/maildirfmt"
)

// reader reads one folder.
type reader struct {
	t   *Tree
	dir string // absolute, or as Root is
	kw  *maildirfmt.Keywords

	// names is where files were when they were last listed, by their base.
	names map[string]string
}

// Open prepares a folder for reading.
func (t *Tree) Open(_ context.Context, m *migrate.Mailbox) (migrate.Reader, error) {
	return t.open(m)
}

func (t *Tree) open(m *migrate.Mailbox) (*reader, error) {
	dir, ok := m.Hint.(string)
	if !ok {
		return nil, fmt.Errorf("%w: %q is not of this tree", migrate.ErrNoMailbox, m.Name())
	}
	r := &reader{t: t, dir: filepath.Join(t.Files.Root, dir)}
	_, err := t.Files.FS.Stat(filepath.Join(r.dir, "cur"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", migrate.ErrNoMailbox, err)
	}
	if err != nil {
		return nil, filetree.Answer(err)
	}
	if r.kw, err = maildirfmt.ReadKeywords(t.Files.FS, r.dir); err != nil {
		return nil, filetree.Answer(err)
	}
	return r, nil
}

// Close forgets the listing.
func (r *reader) Close() error { return nil }

// scan lists the files of a folder, by base. new/ comes first: a file that moves
// meanwhile is seen in cur/.
func (r *reader) scan() error {
	r.names = make(map[string]string)
	for _, sub := range [...]string{"new", "cur"} {
		list, err := r.t.Files.FS.ReadDir(filepath.Join(r.dir, sub))
		if errors.Is(err, fs.ErrNotExist) && sub == "new" {
			continue
		}
		if err != nil {
			return filetree.Answer(err)
		}
		for _, e := range list {
			if e.Name()[0] == '.' || e.IsDir() {
				continue
			}
			base, _ := maildirfmt.SplitName(e.Name())
			r.names[base] = sub + "/" + e.Name()
		}
	}
	return nil
}

// List yields the files in order of their names, which is about that of their
// arrival.
func (r *reader) List(ctx context.Context, prints bool) iter.Seq2[*migrate.Message, error] {
	return func(yield func(*migrate.Message, error) bool) {
		if err := r.scan(); err != nil {
			yield(nil, err)
			return
		}
		bases := make([]string, 0, len(r.names))
		for base := range r.names {
			bases = append(bases, base)
		}
		slices.Sort(bases)
		for _, base := range bases {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			m, err := r.message(base, prints)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if !yield(m, filetree.Answer(err)) || err != nil {
				return
			}
		}
	}
}

func (r *reader) message(base string, prints bool) (*migrate.Message, error) {
	info, err := r.stat(base)
	if err != nil {
		return nil, err
	}
	_, letters := maildirfmt.SplitName(r.names[base])
	m := &migrate.Message{ID: base, Size: wireSize(base), Received: info.ModTime().UTC(), Hint: base}
	for i := range len(letters) {
		m.Flags |= maildirfmt.Flag(letters[i])
		if name := r.kw.Name(letters[i]); name != "" {
			m.Keywords = append(m.Keywords, name)
		}
		if letters[i] == 'P' && !slices.Contains(m.Keywords, "$Forwarded") {
			m.Keywords = append(m.Keywords, "$Forwarded")
		}
	}
	if prints {
		if err := r.print(m); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// stat describes a file, which another program may have renamed.
func (r *reader) stat(base string) (info fs.FileInfo, err error) {
	err = r.found(base, func(path string) error {
		info, err = r.t.Files.FS.Stat(path)
		return err
	})
	return info, err
}

// found does something with a file; when it is not where it was it is looked for.
func (r *reader) found(base string, do func(path string) error) error {
	name, ok := r.names[base]
	if !ok {
		return fs.ErrNotExist
	}
	err := do(filepath.Join(r.dir, name))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if serr := r.scan(); serr != nil {
		return serr
	}
	if name, ok = r.names[base]; !ok {
		return err
	}
	return do(filepath.Join(r.dir, name))
}

// wireSize is the size with CRLF that a file's name tells; -1 = it does not.
func wireSize(base string) int64 {
	for field := range strings.SplitSeq(base, ",") {
		if v, ok := strings.CutPrefix(field, "W="); ok {
			if n, err := strconv.ParseInt(v, 10, 64); err == nil && n >= 0 {
				return n
			}
		}
	}
	return -1
}

func (r *reader) print(m *migrate.Message) error {
	c, err := r.content(m.ID)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Print(m)
}

// content opens a message with CRLF line ends.
func (r *reader) content(base string) (m *filetree.Message, err error) {
	err = r.found(base, func(path string) error {
		m, err = filetree.OpenMessage(r.t.Files.FS, path)
		return err
	})
	return m, err
}

// Fetch yields bodies.
func (r *reader) Fetch(ctx context.Context, ms []*migrate.Message) iter.Seq2[*migrate.Body, error] {
	return func(yield func(*migrate.Body, error) bool) {
		for _, m := range ms {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if !r.body(m.ID, yield) {
				return
			}
		}
	}
}

func (r *reader) body(base string, yield func(*migrate.Body, error) bool) bool {
	c, err := r.content(base)
	if err != nil {
		return yield(&migrate.Body{ID: base, Err: filetree.Unreadable(err)}, nil)
	}
	defer c.Close()
	return yield(&migrate.Body{ID: base, Reader: c.Reader()}, nil)
}
