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
	"github.com/mailstead/mailstead/store/rows"
)

// mapStore is a store.Store: a map of accounts under one mutex.
type mapStore struct {
	blobs blob.Blobs

	mu       sync.Mutex
	accounts map[store.AccountID]*state // nil = the store is closed
	changed  chan struct{}              // closed when anything changes
	validity store.UIDValidity          // the last one given out, to any account (I3)
	released map[blob.Ref]time.Time     // blobs of dropped accounts
}

func newMapStore() *mapStore {
	return &mapStore{
		blobs: memblob.New(), accounts: make(map[store.AccountID]*state),
		changed: make(chan struct{}), released: make(map[blob.Ref]time.Time),
	}
}

func (s *mapStore) Blobs() blob.Blobs { return s.blobs }

func (s *mapStore) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a := &account{s, id}
	_, err := a.look(ctx, 0)
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
		Account: rows.Account{Info: info}, boxes: make(map[store.MailboxID]store.Mailbox),
		msgs:    make(map[store.MailboxID]map[store.UID]message),
		entries: make(map[entryKey]store.Entry), once: make(map[string]store.Result),
	}, store.Change{Ops: []store.Op{store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: store.Inbox}}})
	return err
}

func (s *mapStore) Accounts(ctx context.Context, after store.AccountID) iter.Seq2[store.AccountInfo, error] {
	return rows.Each(ctx, func() (list []store.AccountInfo, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, id := range slices.Sorted(maps.Keys(s.accounts)) {
			if id > after {
				list = append(list, s.accounts[id].Info)
			}
		}
		return list, s.openLocked()
	})
}

// Holds keeps the collector away from blobs that messages refer to, or did
// less than 24 hours ago (I11). A tombstone remembers its blob and the time.
func (s *mapStore) Holds(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make(map[blob.Ref]bool)
	for ref, at := range s.released {
		held[ref] = time.Since(at) < rows.HoldFor
	}
	for _, st := range s.accounts {
		for _, box := range st.msgs {
			for _, m := range box {
				held[m.ref] = held[m.ref] || !m.Gone || time.Since(m.gone) < rows.HoldFor
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
