package sqlblob

import (
	"context"
	"iter"

	"github.com/mailstead/mailstead/store/blob"
)

var _ blob.Wrappable = (*Blobs)(nil)

// Wrapped implements blob.Wrappable.
func (b *Blobs) Wrapped() blob.Blobs {
	b.wrapped.Store(true)
	return wrapped{b}
}

// wrapped is the Blobs as its wrapper sees them.
type wrapped struct{ *Blobs }

// List implements blob.Blobs.
func (w wrapped) List(ctx context.Context, after blob.Ref) iter.Seq2[blob.Info, error] {
	return w.list(ctx, after)
}

// List implements blob.Blobs: pages of the catalogue.
func (b *Blobs) List(ctx context.Context, after blob.Ref) iter.Seq2[blob.Info, error] {
	if b.wrapped.Load() {
		return func(yield func(blob.Info, error) bool) { yield(blob.Info{}, blob.ErrWrapped) }
	}
	return b.list(ctx, after)
}
