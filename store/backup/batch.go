package backup

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// A batch ends after so many messages or octets; so many bodies are written at
// once, to share the store's syncs.
const (
	batchMessages = 256
	batchBytes    = 64 << 20
	writers       = 8
)

// batch gathers messages, writes their bodies, and hands them on.
type batch struct {
	*restore
	ch   *chain
	box  *store.Mailbox
	list []message
	size int64

	// put takes what is ready to be written; ops[n] belongs to ms[n]. That of
	// a tombstone is empty. It is called again with the same messages when the
	// store has collected a body meanwhile.
	put func(ops []store.Append, ms []message) error
}

func (b *batch) add(ctx context.Context, m *message) error {
	x := *m
	x.Keywords, x.Prefix, x.Key, x.Meta = slices.Clone(m.Keywords), slices.Clone(m.Prefix), slices.Clone(m.Key), slices.Clone(m.Meta)
	b.list = append(b.list, x)
	b.size += m.Size
	if len(b.list) < batchMessages && b.size < batchBytes {
		return nil
	}
	return b.flush(ctx)
}

func (b *batch) flush(ctx context.Context) error {
	if len(b.list) == 0 {
		return nil
	}
	defer func() { b.list, b.size = b.list[:0], 0 }()
	err := b.try(ctx)
	if errors.Is(err, store.ErrNoBlob) {
		b.refs.forget()
		err = b.try(ctx)
	}
	return err
}

func (b *batch) try(ctx context.Context) error {
	ops, errs := make([]store.Append, len(b.list)), make([]error, len(b.list))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(writers, len(b.list)) {
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(b.list); n = int(next.Add(1)) - 1 {
				ops[n], errs[n] = b.op(ctx, &b.list[n])
			}
		})
	}
	wg.Wait()
	ready, ms := ops[:0], b.list[:0:0]
	for n, err := range errs {
		if err == nil {
			ready, ms = append(ready, ops[n]), append(ms, b.list[n])
			continue
		}
		if !isDamage(err) {
			return err
		}
		b.report.Lost++
		if err := b.ch.fault(about(err, b.ch.entry.Account, b.box.Name, b.list[n].UID)); err != nil {
			return err
		}
	}
	if len(ms) == 0 {
		return nil
	}
	if err := b.put(ready, ms); err != nil {
		return err
	}
	b.count(ms)
	return nil
}

func (b *batch) count(ms []message) {
	for n := range ms {
		if !ms[n].Gone {
			b.report.Messages++
			b.progress.Messages++
		}
	}
	b.progress.Bytes = b.refs.bytes.Load()
	b.progress.Bodies = b.refs.bodies.Load()
	b.report.Bytes = b.progress.Bytes
	b.tell()
}

// op writes the body of a message, unless that was done, and makes the
// operation that adds the message.
func (b *batch) op(ctx context.Context, m *message) (store.Append, error) {
	if m.Gone {
		return store.Append{}, nil
	}
	if err := ctx.Err(); err != nil {
		return store.Append{}, err
	}
	ref, err := b.ref(ctx, m)
	if err != nil {
		return store.Append{}, err
	}
	op := store.Append{
		EmailID: m.EmailID, Flags: m.Flags, Keywords: m.Keywords, Received: m.Received,
		Blob: ref, Size: m.Size - int64(len(m.Prefix)), Key: m.Key, Prefix: m.Prefix, Meta: m.Meta,
	}
	if len(m.Key) > 0 { // nothing can be read in it
		return op, nil
	}
	body, err := b.s.Blobs().Open(ctx, ref)
	if err != nil {
		return op, err
	}
	defer body.Close()
	d, err := store.Describe(body, body.Size())
	op.Meta, op.ThreadKeys, op.SubjectHash = d.Meta, d.ThreadKeys, d.SubjectHash
	return op, err
}

// ref returns where the store has the body.
func (b *batch) ref(ctx context.Context, m *message) (blob.Ref, error) {
	if ref, ok := b.refs.get(m.body); ok {
		return ref, nil
	}
	w, err := b.s.Blobs().Create(ctx, m.Size-int64(len(m.Prefix)))
	if err != nil {
		return "", err
	}
	defer w.Abort()
	n, err := b.bodies.copy(ctx, w, m.body)
	if err != nil {
		return "", err
	}
	ref, err := w.Commit(ctx)
	if errors.Is(err, blob.ErrSize) {
		return "", damage("", "body %s has %d octets, which is not what the message says", m.body, n)
	}
	if err != nil {
		return "", err
	}
	b.refs.put(m.body, ref, n)
	return ref, nil
}

// maxRefs bounds what a refCache remembers.
const maxRefs = 100_000

// refCache remembers where bodies were written, so that copies share them.
type refCache struct {
	bodies, bytes atomic.Int64

	mu   sync.Mutex
	refs map[Hash]blob.Ref
}

func (c *refCache) get(h Hash) (blob.Ref, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ref, ok := c.refs[h]
	return ref, ok
}

func (c *refCache) put(h Hash, ref blob.Ref, size int64) {
	c.bodies.Add(1)
	c.bytes.Add(size)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refs == nil || len(c.refs) >= maxRefs {
		c.refs = make(map[Hash]blob.Ref)
	}
	c.refs[h] = ref
}

func (c *refCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.refs)
}
