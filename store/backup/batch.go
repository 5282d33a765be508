package backup

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup/format"
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
	ch   *format.Chain
	box  *store.Mailbox
	list []format.Message
	size int64

	// put takes what is ready to be written; ops[n] belongs to ms[n]. That of
	// a tombstone is empty. It is called again with the same messages when the
	// store has collected a body meanwhile.
	put func(ops []store.Append, ms []format.Message) error
}

func (b *batch) add(ctx context.Context, m *format.Message) error {
	x := *m
	x.Keywords, x.Prefix = slices.Clone(m.Keywords), slices.Clone(m.Prefix)
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
		if !format.IsDamage(err) {
			return err
		}
		b.report.Lost++
		if err := b.ch.Fault(format.About(err, b.ch.Entry.Account, b.box.Name, b.list[n].UID)); err != nil {
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

func (b *batch) count(ms []format.Message) {
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
func (b *batch) op(ctx context.Context, m *format.Message) (store.Append, error) {
	if m.Gone {
		return store.Append{}, nil
	}
	if err := ctx.Err(); err != nil {
		return store.Append{}, err
	}
	at, err := b.place(ctx, m)
	if err != nil {
		return store.Append{}, err
	}
	op := store.Append{
		EmailID: m.EmailID, Flags: m.Flags, Keywords: m.Keywords, Received: m.Received,
		Blob: at.ref, Size: m.Size - int64(len(m.Prefix)), Key: at.key, Prefix: m.Prefix,
	}
	body, err := blob.OpenKeyed(ctx, b.s.Blobs(), at.ref, at.key)
	if err != nil {
		return op, err
	}
	defer body.Close()
	d, err := store.Describe(body, body.Size())
	op.Meta, op.ThreadKeys, op.SubjectHash = d.Meta, d.ThreadKeys, d.SubjectHash
	return op, err
}

// place returns where the store has the body.
func (b *batch) place(ctx context.Context, m *format.Message) (place, error) {
	if at, ok := b.refs.get(m.Body); ok {
		return at, nil
	}
	w, err := b.s.Blobs().Create(ctx, m.Size-int64(len(m.Prefix)))
	if err != nil {
		return place{}, err
	}
	defer w.Abort()
	n, err := b.bodies.Copy(ctx, w, m.Body)
	if err != nil {
		return place{}, err
	}
	ref, err := w.Commit(ctx)
	if errors.Is(err, blob.ErrSize) {
		return place{}, format.Damage("", "body %s has %d octets, which is not what the message says", m.Body, n)
	}
	if err != nil {
		return place{}, err
	}
	at := place{ref, blob.KeyOf(w)}
	b.refs.put(m.Body, at, n)
	return at, nil
}

// place is where a store has a body, and the key that it chose for it; nil = it
// opens without.
type place struct {
	ref blob.Ref
	key []byte
}

// maxRefs bounds what a refCache remembers.
const maxRefs = 100_000

// refCache remembers where bodies were written, so that copies share them.
type refCache struct {
	bodies, bytes atomic.Int64

	mu   sync.Mutex
	refs map[Hash]place
}

func (c *refCache) get(h Hash) (place, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.refs[h]
	return at, ok
}

func (c *refCache) put(h Hash, at place, size int64) {
	c.bodies.Add(1)
	c.bytes.Add(size)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refs == nil || len(c.refs) >= maxRefs {
		c.refs = make(map[Hash]place)
	}
	c.refs[h] = at
}

func (c *refCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.refs)
}
