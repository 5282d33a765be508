package storeaccount

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"sync"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/store"
)

// keyPrefix is in front of the keys of a migration's entries.
const keyPrefix = "migrate/"

// keeper keeps notes in entries of an account. It writes a note that it has read
// only over what it has read.
type keeper struct {
	a store.Account

	mu   sync.Mutex
	seen map[string]store.ModSeq // of entries that were read or written; 0 = absent
}

// Acquire does nothing: see the package comment.
func (k *keeper) Acquire(context.Context, string) (func() error, error) {
	return func() error { return nil }, nil
}

func (k *keeper) note(key string, m store.ModSeq) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen == nil {
		k.seen = make(map[string]store.ModSeq)
	}
	k.seen[key] = m
}

// Load yields the notes whose keys begin with prefix.
func (k *keeper) Load(ctx context.Context, prefix string) iter.Seq2[migrate.Note, error] {
	return func(yield func(migrate.Note, error) bool) {
		for e, err := range k.a.Entries(ctx, store.EntryQuery{Prefix: keyPrefix + prefix}) {
			if err != nil {
				yield(migrate.Note{}, answer(err))
				return
			}
			key := e.Key[len(keyPrefix):]
			k.note(key, e.ModSeq)
			if !yield(migrate.Note{Key: key, Value: e.Value}, nil) {
				return
			}
		}
	}
}

// Get returns one note.
func (k *keeper) Get(ctx context.Context, key string) ([]byte, error) {
	for n, err := range k.Load(ctx, key) {
		if err != nil {
			return nil, err
		}
		if n.Key == key {
			return n.Value, nil
		}
	}
	k.note(key, 0)
	return nil, nil
}

// Save writes notes in one Change.
func (k *keeper) Save(ctx context.Context, notes []migrate.Note) error {
	_, err := k.apply(ctx, nil, notes)
	return err
}

// apply does ops and writes notes in one Change.
func (k *keeper) apply(ctx context.Context, ops []store.Op, notes []migrate.Note) (store.Result, error) {
	for _, n := range notes {
		op := store.PutEntry{Key: keyPrefix + n.Key, Value: n.Value}
		k.mu.Lock()
		if m, ok := k.seen[n.Key]; ok {
			op.IfModSeq = &m
		}
		k.mu.Unlock()
		ops = append(ops, op)
	}
	res, err := applyOnce(ctx, k.a, ops)
	if err != nil {
		return res, answer(err)
	}
	for _, n := range notes {
		if n.Value == nil {
			k.note(n.Key, 0)
		} else {
			k.note(n.Key, res.ModSeq)
		}
	}
	return res, nil
}

// maxUnknown is how often a Change with an unknown outcome is asked for again.
const maxUnknown = 4

// applyOnce applies a Change, and finds out what became of one whose outcome is
// unknown.
func applyOnce(ctx context.Context, a store.Account, ops []store.Op) (res store.Result, err error) {
	c := store.Change{Once: "migrate/" + rand.Text(), Ops: ops}
	for range maxUnknown {
		res, err = a.Apply(ctx, c)
		if !errors.Is(err, store.ErrUnknown) {
			return res, err
		}
	}
	return res, err
}
