package blobtest

import (
	"context"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/store/blob"
)

// withKeys lets the suite open every blob by its Ref alone.
func withKeys(c Config) Config {
	make, reopen := c.New, c.Reopen
	c.New = func(t *testing.T) blob.Blobs { return &keeper{Blobs: make(t)} }
	if reopen != nil {
		c.Reopen = func(t *testing.T, b blob.Blobs) blob.Blobs {
			k := b.(*keeper)
			k.Blobs = reopen(t, k.Blobs)
			return k
		}
	}
	return c
}

// keeper keeps the key of each blob, as a row does.
type keeper struct {
	blob.Blobs
	keys sync.Map // blob.Ref → []byte
}

func (k *keeper) Create(ctx context.Context, size int64) (blob.Writer, error) {
	w, err := k.Blobs.Create(ctx, size)
	if err != nil {
		return nil, err
	}
	return &keepingWriter{w, k}, nil
}

func (k *keeper) Open(ctx context.Context, ref blob.Ref) (blob.Blob, error) {
	key, _ := k.keys.Load(ref)
	b, _ := key.([]byte)
	return blob.OpenKeyed(ctx, k.Blobs, ref, b)
}

type keepingWriter struct {
	blob.Writer
	k *keeper
}

func (w *keepingWriter) Commit(ctx context.Context) (blob.Ref, error) {
	ref, err := w.Writer.Commit(ctx)
	if key := blob.KeyOf(w.Writer); err == nil && key != nil {
		w.k.keys.Store(ref, key)
	}
	return ref, err
}
