package memstore

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// Store keeps everything in memory. Make one with New.
type Store struct {
	blobs  blob.Blobs
	closed chan struct{}

	mu       sync.Mutex
	isClosed bool
	accounts map[store.AccountID]*account
	held     map[blob.Ref]*hold

	// lastValidity is the greatest UIDVALIDITY an account ever had; it
	// outlives the account.
	lastValidity map[store.AccountID]store.UIDValidity
}

var _ store.Store = (*Store)(nil)

// New returns an empty store over blobs; nil = a new memblob.Blobs.
func New(blobs blob.Blobs) *Store {
	if blobs == nil {
		blobs = memblob.New()
	}
	return &Store{
		blobs:    blobs,
		closed:   make(chan struct{}),
		accounts: make(map[store.AccountID]*account),
		held:     make(map[blob.Ref]*hold),

		lastValidity: make(map[store.AccountID]store.UIDValidity),
	}
}

// Open implements store.Store.
func (s *Store) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.lookup(ctx, id)
	if err != nil {
		return nil, fail("open", id, err)
	}
	return a, nil
}

func (s *Store) lookup(ctx context.Context, id store.AccountID) (*account, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return nil, store.ErrClosed
	}
	a := s.accounts[id]
	if a == nil {
		return nil, store.ErrNoAccount
	}
	return a, nil
}

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, id store.AccountID, info store.AccountInfo) error {
	if err := s.create(ctx, id, info); err != nil {
		return fail("create", id, err)
	}
	return nil
}

func (s *Store) create(ctx context.Context, id store.AccountID, info store.AccountInfo) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := id.Check(); err != nil {
		return err
	}
	put := store.PutAccount{Limits: &info.Limits, State: &info.State}
	if err := (store.Change{Ops: []store.Op{put}}).Check(); err != nil {
		return err
	}
	info.ID, info.Created = id, time.Now().Truncate(time.Second)
	v, err := s.validity(id, 0, false)
	if err != nil {
		return err
	}
	a := newAccount(s, info, v)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return store.ErrClosed
	}
	if s.accounts[id] != nil {
		return store.ErrExists
	}
	s.accounts[id] = a
	return nil
}

// Accounts implements store.Store.
func (s *Store) Accounts(ctx context.Context, after store.AccountID) iter.Seq2[store.AccountInfo, error] {
	return func(yield func(store.AccountInfo, error) bool) {
		s.mu.Lock()
		ids := slices.Sorted(maps.Keys(s.accounts))
		s.mu.Unlock()
		for _, id := range ids {
			if id <= after {
				continue
			}
			a, err := s.lookup(ctx, id)
			if errors.Is(err, store.ErrNoAccount) {
				continue // dropped since
			}
			if err != nil {
				yield(store.AccountInfo{}, fail("accounts", id, err))
				return
			}
			if !yield(a.snapshotInfo(), nil) {
				return
			}
		}
	}
}

// Blobs implements store.Store.
func (s *Store) Blobs() blob.Blobs { return s.blobs }

// Close implements store.Store. Waiting calls return ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isClosed {
		s.isClosed = true
		close(s.closed)
	}
	return nil
}

// validity gives out a UIDVALIDITY that no mailbox of this account ever had,
// also in an earlier life of the account, so that a name that comes back never
// comes back with the old one (invariant I3): the seconds since 1970, or one
// more than the last. With want > 0 it is that one; unless an importer
// answers for it, it must be greater than all before (ErrConflict).
func (s *Store) validity(id store.AccountID, want store.UIDValidity, importing bool) (store.UIDValidity, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.lastValidity[id]
	switch {
	case want != 0 && want <= last && !importing:
		return 0, store.ErrConflict
	case want == 0 && last == 1<<32-1:
		return 0, store.ErrLimit
	case want == 0:
		want = max(last+1, store.UIDValidity(time.Now().Unix()))
	}
	s.lastValidity[id] = max(last, want)
	return want, nil
}

// forget takes a dropped account out.
func (s *Store) forget(id store.AccountID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.accounts, id)
}

func fail(op string, id store.AccountID, err error) error {
	return &store.Error{Op: op, Account: id, Err: err}
}
