package segment_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
)

// tiny limits make a short history pass through everything that the engine
// does: groups, spools, singles, roll-over, eviction, compaction.
func tiny(fs vfs.FS) segment.Options {
	return segment.Options{
		SegmentSize: 1200, MaxShared: 400, MaxBuffered: tinyBuffers, MaxOpenFiles: 2,
		Logger: discard, FS: fs,
	}
}

const tinyBuffers = 32 << 10

// history is what a program did and was told.
type history struct {
	mu      sync.Mutex
	written map[string]bool     // every body that was handed to a Writer
	acked   map[blob.Ref]string // Commit returned nil
	doomed  map[blob.Ref]bool   // Delete was called
	deleted map[blob.Ref]bool   // Delete returned nil
	order   []blob.Ref
	n       int
	born    int // index in order at which this life began

	rewritten, removed int // segments

	gate atomic.Pointer[func()] // called once, at the next operation of the store
}

func newHistory() *history {
	return &history{written: map[string]bool{}, acked: map[blob.Ref]string{}, doomed: map[blob.Ref]bool{}, deleted: map[blob.Ref]bool{}}
}

// body makes the next body, which is like no other.
func (h *history) body(size int) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	body := fmt.Sprintf("%04d ", h.n)
	body += string(bytes.Repeat([]byte{byte('a' + h.n%26)}, size))
	h.written[body] = true
	return body
}

func (h *history) commit(s *segment.Store, size int, announced int64) error {
	body := h.body(size)
	w, err := s.Create(context.Background(), announced)
	if err != nil {
		return err
	}
	defer w.Abort()
	for i := 0; i < len(body); i += 300 {
		if _, err := io.WriteString(w, body[i:min(i+300, len(body))]); err != nil {
			return err
		}
	}
	ref, err := w.Commit(context.Background())
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, twice := h.acked[ref]; twice {
		return fmt.Errorf("I1: Ref %s was given twice", ref)
	}
	h.acked[ref] = body
	h.order = append(h.order, ref)
	return nil
}

// hook calls the gate before the hook that it wraps.
func (h *history) hook(next vfs.Hook) vfs.Hook {
	return func(op vfs.Op) error {
		if open := h.gate.Swap(nil); open != nil {
			(*open)()
		}
		return next(op)
	}
}

// group commits n bodies behind one sync: they are handed over while the
// committer writes another one.
func (h *history) group(s *segment.Store, n, size int) error {
	errs := make([]error, n+1)
	var all sync.WaitGroup
	start := func() {
		for i := range n {
			all.Go(func() { errs[i] = h.commit(s, size, -1) })
		}
		segment.WaitQueued(s, n)
	}
	h.gate.Store(&start)
	errs[n] = h.commit(s, size, -1)
	h.gate.Store(nil)
	all.Wait()
	return errors.Join(errs...)
}

// crowded commits a small body while others have all the memory, so that it
// goes through a file into the shared segment.
func (h *history) crowded(s *segment.Store, size int) error {
	for s.Stats().BufferBytes < tinyBuffers {
		w, err := s.Create(context.Background(), -1)
		if err != nil {
			return err
		}
		defer w.Abort()
		if _, err := io.WriteString(w, "x"); err != nil {
			return err
		}
	}
	return h.commit(s, size, -1)
}

// delete deletes the commits of this life that are chosen by their index.
func (h *history) delete(s *segment.Store, which func(i int) bool) error {
	var refs []blob.Ref
	for i, ref := range h.order {
		if i >= h.born && which(i) && !h.deleted[ref] {
			refs = append(refs, ref)
			h.doomed[ref] = true
		}
	}
	if err := s.Delete(context.Background(), refs...); err != nil {
		return err
	}
	for _, ref := range refs {
		h.deleted[ref] = true
	}
	return nil
}

func (h *history) compact(s *segment.Store) error {
	st, err := s.Compact(context.Background())
	h.rewritten += st.Rewritten
	h.removed += st.Removed
	return err
}

// live is the history of two lives of a store. With stop it ends at the first
// error, as after a power cut; else it goes on, as a server does. The blobs
// that an open Store must still serve are checked in between.
func (h *history) live(fs vfs.FS, stop bool) {
	for range 2 {
		h.born = len(h.order)
		s, err := segment.Open(context.Background(), "/data", tiny(fs))
		if err != nil {
			if stop {
				return
			}
			continue
		}
		commit := func(sizes ...int) func() error {
			return func() (err error) {
				for _, size := range sizes {
					if err = h.commit(s, size, -1); err != nil && stop {
						return err
					}
				}
				return err
			}
		}
		compact := func() error { return h.compact(s) }
		all := func(i int) bool { return true }
		most := func(i int) bool { return i%4 != 3 }
		steps := []func() error{
			commit(100, 0, 1500, 350, 300, 390), // a single; the last rolls over
			func() error { return h.group(s, 3, 150) },
			func() error { return h.crowded(s, 340) },
			func() error { return h.delete(s, all) },
			commit(10, 2000),
			compact, // removes segments
			commit(60, 60, 60, 60, 60, 60, 60, 60, 390, 390),
			func() error { return h.delete(s, most) },
			compact, // rewrites segments
			commit(20, 390),
			func() error { return h.delete(s, func(i int) bool { return i%8 == 3 }) },
			compact, // and again, from a later generation
			func() error { return h.commit(s, 700, 705) },
		}
		for _, step := range steps {
			if step() != nil && stop {
				break
			}
		}
		s.Close()
	}
}

// check opens what is left and holds it against the history.
func (h *history) check(fs vfs.FS) error {
	s, err := segment.Open(context.Background(), "/data", tiny(fs))
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer s.Close()
	for ref, body := range h.acked {
		got, err := read(s, ref)
		switch {
		case h.deleted[ref] && !errors.Is(err, blob.ErrNoBlob):
			return fmt.Errorf("I6: %s was deleted; Open: %v", ref, err)
		case h.doomed[ref] && errors.Is(err, blob.ErrNoBlob): // Delete did not say what it did
		case h.deleted[ref]:
		case err != nil:
			return fmt.Errorf("I2: %s was acknowledged; Open: %w", ref, err)
		case got != body:
			return fmt.Errorf("I3: %s holds %q, not %q", ref, got, body)
		}
	}
	if err := h.checkList(s); err != nil {
		return err
	}
	if rep, err := s.Verify(context.Background()); err != nil {
		return fmt.Errorf("verify: %+v, %w", rep, err)
	}
	return h.commit(s, 33, -1)
}

func (h *history) checkList(s *segment.Store) error {
	listed := map[blob.Ref]bool{}
	var last blob.Ref
	for info, err := range s.List(context.Background(), "") {
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		if info.Ref <= last {
			return fmt.Errorf("I4: %s is listed after %s", info.Ref, last)
		}
		last = info.Ref
		listed[info.Ref] = true
		body, err := read(s, info.Ref)
		if err != nil || !h.written[body] || int64(len(body)) != info.Size {
			return fmt.Errorf("I4: %s is listed; Open: %q, %w", info.Ref, body, err)
		}
	}
	for ref := range h.acked {
		if !h.doomed[ref] && !listed[ref] {
			return fmt.Errorf("I4: %s is not listed", ref)
		}
		if h.deleted[ref] && listed[ref] {
			return fmt.Errorf("I6: %s is listed", ref)
		}
	}
	return nil
}

func read(s blob.Blobs, ref blob.Ref) (string, error) {
	b, err := s.Open(context.Background(), ref)
	if err != nil {
		return "", err
	}
	defer b.Close()
	data, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	return string(data), err
}

func (h *history) clone() *history {
	c := newHistory()
	c.doomed, c.deleted, c.n = maps.Clone(h.doomed), maps.Clone(h.deleted), h.n
	for body := range h.written {
		c.written[body] = true
	}
	for ref, body := range h.acked {
		c.acked[ref] = body
	}
	c.order = append([]blob.Ref{}, h.order...)
	return c
}
