package mboxtree

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/internal/filetree"
	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store/mbox"
)

// reader reads one file.
type reader struct {
	t     *Tree
	rel   string
	f     vfs.File
	index *index

	in   *bufio.Reader
	next *mbox.Reader // stands behind the message that was read last
	at   int64        // where its next message begins; -1 = nowhere
	base int64        // where it began
}

// Open prepares a file for reading.
func (t *Tree) Open(ctx context.Context, m *migrate.Mailbox) (migrate.Reader, error) {
	return t.open(ctx, m)
}

func (t *Tree) open(ctx context.Context, m *migrate.Mailbox) (*reader, error) {
	rel, ok := m.Hint.(string)
	if !ok {
		return nil, fmt.Errorf("%w: %q is not of this tree", migrate.ErrNoMailbox, m.Name())
	}
	r := &reader{t: t, rel: rel, at: -1}
	return r, r.reopen(ctx)
}

func (r *reader) path() string { return filepath.Join(r.t.Files.Root, r.rel) }

// lockTimeout is how long other programs may hold the file.
const lockTimeout = 20 * time.Second

// reopen waits until no other program delivers, where it may, and opens the file.
func (r *reader) reopen(ctx context.Context) error {
	if err := r.Close(); err != nil {
		return err
	}
	if _, ours := r.t.Files.FS.(vfs.OS); ours {
		err := (&mbox.Target{Path: r.path(), LockTimeout: lockTimeout}).Recover(ctx)
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return filetree.Answer(err)
		}
	}
	f, err := r.t.Files.FS.OpenFile(r.path(), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", migrate.ErrNoMailbox, err)
	}
	if err != nil {
		return filetree.Answer(err)
	}
	r.f, r.index, r.at = f, nil, -1
	return nil
}

// Close closes the file.
func (r *reader) Close() error {
	if r.f == nil {
		return nil
	}
	err := r.f.Close()
	r.f = nil
	return err
}

// scan reads the file.
func (r *reader) scan(ctx context.Context) error {
	info, err := r.f.Stat()
	if err != nil {
		return err
	}
	r.index, err = readIndex(ctx, r.f, info.Size(), r.t.o.Format)
	if errors.Is(err, mbox.ErrFormat) {
		return fmt.Errorf("%w: %w", migrate.ErrRefused, err)
	}
	return err
}

// unchanged is migrate.ErrChanged when the file is not what the index says. Mail
// that was added to it does no harm.
func (r *reader) unchanged() error {
	info, err := r.t.Files.FS.Stat(r.path())
	if err != nil {
		return err
	}
	if info.Size() < r.index.size || info.Size() == r.index.size && !info.ModTime().Equal(r.index.time) {
		return fmt.Errorf("%w: %s", migrate.ErrChanged, r.path())
	}
	return nil
}

// List yields the messages in order of their dates.
func (r *reader) List(ctx context.Context, _ bool) iter.Seq2[*migrate.Message, error] {
	return func(yield func(*migrate.Message, error) bool) {
		if err := r.scan(ctx); err != nil {
			yield(nil, err)
			return
		}
		for _, e := range r.index.order() {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			m := &migrate.Message{
				ID: e.id(), Flags: e.flags, Keywords: slices.Clone(e.keywords), Size: e.size,
				Received: time.Unix(e.date, 0).UTC(), Print: e.print, Hint: e,
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}

// Fetch yields bodies.
func (r *reader) Fetch(ctx context.Context, ms []*migrate.Message) iter.Seq2[*migrate.Body, error] {
	return func(yield func(*migrate.Body, error) bool) {
		if err := r.unchanged(); err != nil {
			yield(nil, err)
			return
		}
		for _, m := range ms {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			e, ok := m.Hint.(*entry)
			if !ok {
				yield(&migrate.Body{ID: m.ID, Err: migrate.ErrGone}, nil)
				return
			}
			body, err := r.body(e)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(&migrate.Body{ID: m.ID, Reader: body}, nil) {
				return
			}
		}
	}
}

// body goes to a message; those that follow one another are read in one go.
func (r *reader) body(e *entry) (io.Reader, error) {
	if r.at != e.off {
		r.base = e.off
		r.next = mbox.NewReader(io.NewSectionReader(r.f, e.off, r.index.size-e.off), mbox.Options{Format: r.t.o.Format})
	}
	r.at = -1
	m, err := r.next.Next()
	if err != nil || r.base+m.Offset != e.off || m.Date.Unix() != e.date {
		return nil, fmt.Errorf("%w: %s at %d: %w", migrate.ErrChanged, r.path(), e.off, errors.Join(err))
	}
	r.at = e.end
	if r.in == nil {
		r.in = bufio.NewReaderSize(nil, 64<<10)
	}
	r.in.Reset(m)
	_, body, err := split(r.in)
	return body, err
}
