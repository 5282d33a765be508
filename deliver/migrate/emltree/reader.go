package emltree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path/filepath"
	"slices"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/internal/filetree"
)

// reader reads one directory.
type reader struct {
	t     *Tree
	rel   string            // below the root
	names map[string]string // by id, when it was last listed
}

// Open prepares a directory for reading.
func (t *Tree) Open(_ context.Context, m *migrate.Mailbox) (migrate.Reader, error) { return t.open(m) }

func (t *Tree) open(m *migrate.Mailbox) (*reader, error) {
	rel, ok := m.Hint.(string)
	if !ok {
		return nil, fmt.Errorf("%w: %q is not of this tree", migrate.ErrNoMailbox, m.Name())
	}
	r := &reader{t: t, rel: rel}
	return r, r.scan()
}

// Close does nothing.
func (r *reader) Close() error { return nil }

func (r *reader) path(name string) string { return filepath.Join(r.t.Files.Root, r.rel, name) }

func (r *reader) scan() error {
	r.names = make(map[string]string)
	list, err := r.t.Files.FS.ReadDir(r.path(""))
	if errors.Is(err, fs.ErrNotExist) && r.rel != "." {
		return fmt.Errorf("%w: %w", migrate.ErrNoMailbox, err)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return filetree.Answer(err)
	}
	for _, e := range list {
		if p := parseName(e.Name()); p.id != "" && len(p.id) <= 255 && !e.IsDir() {
			r.names[p.id] = e.Name()
		}
	}
	return nil
}

// List yields the files in order of their names.
func (r *reader) List(ctx context.Context, prints bool) iter.Seq2[*migrate.Message, error] {
	return func(yield func(*migrate.Message, error) bool) {
		if err := r.scan(); err != nil {
			yield(nil, err)
			return
		}
		for _, id := range slices.Sorted(maps.Keys(r.names)) {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			p := parseName(r.names[id])
			m := &migrate.Message{ID: id, Flags: p.flags, Keywords: p.keywords, Received: p.received, Size: -1}
			err := r.print(m, prints)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err = filetree.Answer(err); !yield(m, err) || err != nil {
				return
			}
		}
	}
}

func (r *reader) print(m *migrate.Message, prints bool) error {
	if !prints {
		return nil
	}
	c, err := filetree.OpenMessage(r.t.Files.FS, r.path(r.names[m.ID]))
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Print(m)
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

func (r *reader) body(id string, yield func(*migrate.Body, error) bool) bool {
	c, err := filetree.OpenMessage(r.t.Files.FS, r.path(r.names[id]))
	if err != nil {
		return yield(&migrate.Body{ID: id, Err: filetree.Unreadable(err)}, nil)
	}
	defer c.Close()
	return yield(&migrate.Body{ID: id, Reader: c.Reader()}, nil)
}
