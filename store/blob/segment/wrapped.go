package segment

import (
	"context"
	"iter"

	"github.com/mailstead/mailstead/store/blob"
)

var _ blob.Wrappable = (*Store)(nil)

// Wrapped implements blob.Wrappable.
func (s *Store) Wrapped() blob.Blobs {
	s.wrapped.Store(true)
	return wrapped{s}
}

// wrapped is the Store as its wrapper sees it.
type wrapped struct{ *Store }

// List implements blob.Blobs.
func (w wrapped) List(ctx context.Context, after blob.Ref) iter.Seq2[blob.Info, error] {
	return w.listBlobs(ctx, after)
}

// List implements blob.Blobs. It reads record headers only. What cannot be
// read in one segment is yielded as an error, and the listing goes on with
// the next.
func (s *Store) List(ctx context.Context, after blob.Ref) iter.Seq2[blob.Info, error] {
	if s.wrapped.Load() {
		return func(yield func(blob.Info, error) bool) { yield(blob.Info{}, blob.ErrWrapped) }
	}
	return s.listBlobs(ctx, after)
}
