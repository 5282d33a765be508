package readonly

import (
	"context"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// Store is a store.Store that refuses writes. Its methods may be called from
// any number of goroutines.
type Store struct{ store.Store }

var _ store.Store = (*Store)(nil)

// New returns a store that reads s. Closing it closes s.
func New(s store.Store) *Store { return &Store{s} }

// As finds no capability: those of a store are its accounts' (see store.As).
func (s *Store) As(any) bool { return false }

// Open implements store.Store.
func (s *Store) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	return &account{a, id}, nil
}

// Create implements store.Store. ErrReadOnly.
func (s *Store) Create(_ context.Context, id store.AccountID, _ store.AccountInfo) error {
	return &store.Error{Op: "create", Account: id, Err: store.ErrReadOnly}
}

// Blobs implements store.Store; what it returns refuses Create and Delete.
func (s *Store) Blobs() blob.Blobs { return blobs{s.Store.Blobs()} }

// account is an account that refuses Apply.
type account struct {
	store.Account
	id store.AccountID
}

// As lets the capabilities through that only read.
func (a *account) As(target any) bool {
	switch t := target.(type) {
	case *store.Searcher:
		return find(a.Account, t)
	case *store.Sorter:
		return find(a.Account, t)
	case *store.Snapshotter:
		return find(a.Account, t)
	}
	return false
}

func find[T any](a store.Account, target *T) (ok bool) {
	*target, ok = store.As[T](a)
	return ok
}

// Apply implements store.Account. ErrReadOnly, also for a repeated Change.
func (a *account) Apply(context.Context, store.Change) (store.Result, error) {
	return store.Result{}, &store.Error{Op: "apply", Account: a.id, Err: store.ErrReadOnly}
}

// blobs is a blob store that refuses writes.
type blobs struct{ blob.Blobs }

// OpenKeyed implements blob.Keyed.
func (b blobs) OpenKeyed(ctx context.Context, ref blob.Ref, key []byte) (blob.Blob, error) {
	return blob.OpenKeyed(ctx, b.Blobs, ref, key)
}

// StatKeyed implements blob.Keyed.
func (b blobs) StatKeyed(ctx context.Context, ref blob.Ref, key []byte) (int64, error) {
	return blob.StatKeyed(ctx, b.Blobs, ref, key)
}

func (blobs) Create(context.Context, int64) (blob.Writer, error) {
	return nil, &store.Error{Op: "create blob", Err: store.ErrReadOnly}
}

func (blobs) Delete(context.Context, ...blob.Ref) error {
	return &store.Error{Op: "delete blobs", Err: store.ErrReadOnly}
}
