package objecttest

import (
	"bytes"
	"context"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store/blob/objects"
)

// Mem is an object store in memory. The zero value is ready for use. All
// methods may be called from any number of goroutines; the hooks are set
// before.
type Mem struct {
	// Before, if not nil, is called before an operation ("put", "get",
	// "stat", "delete", "list"), which fails with its error. It may block.
	Before func(ctx context.Context, op, key string) error

	// After, if not nil, is called when a Put has stored its object, whose
	// reply it replaces with its error.
	After func(ctx context.Context, key string) error

	mu      sync.Mutex
	objects map[string]held
	gets    int
}

type held struct {
	objects.Object
	data []byte
}

var _ objects.Lister = (*Mem)(nil)

func (m *Mem) before(ctx context.Context, op, key string) error {
	if m.Before != nil {
		if err := m.Before(ctx, op, key); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Put implements objects.Store.
func (m *Mem) Put(ctx context.Context, o objects.Object, r io.ReaderAt) error {
	if err := m.before(ctx, "put", o.Key); err != nil {
		return err
	}
	data := make([]byte, o.Size)
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, o.Size), data); err != nil && o.Size > 0 {
		return err
	}
	if err := m.store(o, data); err != nil {
		return err
	}
	if m.After != nil {
		return m.After(ctx, o.Key)
	}
	return nil
}

func (m *Mem) store(o objects.Object, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.objects[o.Key]; ok {
		if old.Size != o.Size || old.Sums.Whole != o.Sums.Whole {
			return objects.ErrExists
		}
		return nil
	}
	if m.objects == nil {
		m.objects = make(map[string]held)
	}
	o.Modified = time.Now()
	m.objects[o.Key] = held{o, data}
	return nil
}

// Get implements objects.Store.
func (m *Mem) Get(ctx context.Context, key string, p []byte, off int64) error {
	if err := m.before(ctx, "get", key); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gets++
	h, ok := m.objects[key]
	if !ok {
		return objects.ErrNoObject
	}
	n, err := bytes.NewReader(h.data).ReadAt(p, off)
	if n < len(p) {
		return io.ErrUnexpectedEOF
	}
	if err == io.EOF {
		err = nil
	}
	return err
}

// Stat implements objects.Store.
func (m *Mem) Stat(ctx context.Context, key string) (objects.Object, error) {
	if err := m.before(ctx, "stat", key); err != nil {
		return objects.Object{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	h, ok := m.objects[key]
	if !ok {
		return objects.Object{}, objects.ErrNoObject
	}
	return h.Object, nil
}

// Delete implements objects.Store.
func (m *Mem) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := m.before(ctx, "delete", key); err != nil {
			return err
		}
		m.mu.Lock()
		delete(m.objects, key)
		m.mu.Unlock()
	}
	return ctx.Err()
}

// List implements objects.Lister.
func (m *Mem) List(ctx context.Context, prefix, after string) iter.Seq2[objects.Object, error] {
	return func(yield func(objects.Object, error) bool) {
		for _, key := range m.Keys() {
			if err := m.before(ctx, "list", prefix); err != nil {
				yield(objects.Object{}, err)
				return
			}
			m.mu.Lock()
			h, ok := m.objects[key]
			m.mu.Unlock()
			if !ok || !strings.HasPrefix(key, prefix) || key <= after {
				continue
			}
			if !yield(objects.Object{Key: key, Size: h.Size, Modified: h.Modified}, nil) {
				return
			}
		}
	}
}

// Keys are those of all objects, in ascending order.
func (m *Mem) Keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.objects))
}

// Gets counts the calls of Get so far.
func (m *Mem) Gets() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gets
}

// Damage lets f change the octets of an object, or replace them.
func (m *Mem) Damage(key string, f func([]byte) []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.objects[key]
	h.data = f(bytes.Clone(h.data))
	m.objects[key] = h
}
