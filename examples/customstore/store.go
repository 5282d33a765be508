package main

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// mapStore is a store.Store: a map of accounts under one mutex.
type mapStore struct {
	blobs blob.Blobs

	mu       sync.Mutex
	accounts map[store.AccountID]*state // nil = the store is closed
	changed  chan struct{}              // closed when anything changes
	validity store.UIDValidity          // the last one given out, to any account (I3)
	dropped  map[blob.Ref]time.Time     // blobs of dropped accounts
}

func newMapStore() *mapStore {
	return &mapStore{
		blobs: memblob.New(), accounts: make(map[store.AccountID]*state),
		changed: make(chan struct{}), dropped: make(map[blob.Ref]time.Time),
	}
}

func (s *mapStore) Blobs() blob.Blobs { return s.blobs }

func (s *mapStore) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a := &account{s, id}
	_, err := a.look(ctx)
	return a, err
}

func (s *mapStore) Create(ctx context.Context, id store.AccountID, info store.AccountInfo) error {
	limits := store.PutAccount{Limits: &info.Limits, State: &info.State}
	if err := cmp.Or(ctx.Err(), id.Check(), store.Change{Ops: []store.Op{limits}}.Check()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts == nil {
		return store.ErrClosed
	}
	if s.accounts[id] != nil {
		return store.ErrExists
	}
	info.ID, info.Created = id, time.Now().Truncate(time.Second)
	_, err := s.commitLocked(&state{
		info: info, boxes: make(map[store.MailboxID]*box),
		entries: make(map[entryKey]store.Entry), once: make(map[string]store.Result),
	}, store.Change{Ops: []store.Op{store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: store.Inbox}}})
	return err
}

func (s *mapStore) Accounts(ctx context.Context, after store.AccountID) iter.Seq2[store.AccountInfo, error] {
	return each(ctx, func() (list []store.AccountInfo, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, id := range slices.Sorted(maps.Keys(s.accounts)) {
			if id > after {
				list = append(list, s.accounts[id].info)
			}
		}
		return list, s.openLocked()
	})
}

// each makes the sequences: the list is made under the lock, the loop body
// runs without it and may call any method (I12).
func each[T any](ctx context.Context, list func() ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		values, err := list()
		for _, v := range values {
			if err = cmp.Or(err, ctx.Err()); err != nil || !yield(v, nil) {
				break
			}
		}
		if err != nil {
			yield(*new(T), err)
		}
	}
}

// Holds keeps the collector away from blobs that messages refer to, or did
// less than 24 hours ago (I11). A tombstone remembers its blob and the time.
func (s *mapStore) Holds(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make(map[blob.Ref]bool)
	for ref, at := range s.dropped {
		held[ref] = time.Since(at) < 24*time.Hour
	}
	for _, st := range s.accounts {
		for _, b := range st.boxes {
			for _, m := range b.msgs {
				held[m.ref] = held[m.ref] || !m.Gone || time.Since(m.gone) < 24*time.Hour
			}
		}
	}
	free := func(ref blob.Ref) bool { return !held[ref] }
	return slices.DeleteFunc(slices.Clone(refs), free), cmp.Or(ctx.Err(), s.openLocked())
}

func (s *mapStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts = nil
	s.wakeLocked()
	return nil
}

func (s *mapStore) openLocked() error {
	if s.accounts == nil {
		return store.ErrClosed
	}
	return nil
}

func (s *mapStore) wakeLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}
