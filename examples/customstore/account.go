package main

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/rows"
)

// account is a handle. Its methods that read take the state of this moment
// and need no lock from then on.
type account struct {
	s  *mapStore
	id store.AccountID
}

// state is all that an account holds. It never changes once readers see it:
// Apply makes the next one. What goes leaves a tombstone (I8).
type state struct {
	rows.Account
	arrived int // messages that came so far
	boxes   map[store.MailboxID]store.Mailbox
	msgs    map[store.MailboxID]map[store.UID]message
	entries map[entryKey]store.Entry
	once    map[string]store.Result // what the Change with this key did (I9)
}

type message struct {
	store.Message
	ref     blob.Ref // a tombstone keeps ref and prefix for Content
	prefix  []byte
	gone    time.Time
	arrived int // greater = newer
	keys    []uint64
	subject uint64
}

type entryKey struct {
	box store.MailboxID
	key string
}

func (a *account) look(ctx context.Context, since store.ModSeq) (*state, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	return a.lookLocked(since)
}

func (a *account) lookLocked(since store.ModSeq) (*state, error) {
	st := a.s.accounts[a.id]
	if err := a.s.openLocked(); err != nil || st == nil {
		return nil, cmp.Or(err, store.ErrNoAccount)
	}
	return st, st.Since(since) // I8
}

func (a *account) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	st, err := a.look(ctx, since)
	if err != nil {
		return nil, 0, err
	}
	return rows.Mailboxes(maps.Values(st.boxes), since), st.ModSeq, nil
}

// there reports whether there is a mailbox, or store.ErrNoMailbox.
func (st *state) there(id store.MailboxID) error {
	if m, ok := st.boxes[id]; !ok || m.Gone {
		return store.ErrNoMailbox
	}
	return nil
}

func (a *account) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	return rows.Each(ctx, func() (list []*store.Message, err error) {
		st, err := a.look(ctx, q.Since)
		if err == nil {
			err = st.there(id)
		}
		if err != nil {
			return nil, err
		}
		for _, uid := range slices.Sorted(maps.Keys(st.msgs[id])) {
			if m := st.msgs[id][uid].Message; rows.Wanted(&m, q) {
				var out store.Message
				rows.Show(&m, &out, q.Fields)
				list = append(list, &out)
			}
		}
		return list, nil
	})
}

func (a *account) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	st, err := a.look(ctx, 0)
	if err != nil {
		return nil, err
	}
	m, ok := st.msgs[id][uid]
	if !ok {
		return nil, cmp.Or(st.there(id), store.ErrNoMessage)
	}
	body, err := blob.OpenKeyed(ctx, a.s.blobs, m.ref, m.Key)
	if errors.Is(err, blob.ErrNoBlob) && m.Gone {
		err = store.ErrExpunged
	}
	if err != nil {
		return nil, err
	}
	return store.NewContent(m.prefix, body), nil
}

func (a *account) Entries(ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
	return rows.Each(ctx, func() (list []store.Entry, err error) {
		st, err := a.look(ctx, q.Since)
		if err == nil && !q.All && !q.Mailbox.IsZero() {
			err = st.there(q.Mailbox)
		}
		if err != nil {
			return nil, err
		}
		return rows.Entries(maps.Values(st.entries), q), nil
	})
}

// Wait takes the channel under the lock under which a change closes it, so
// that none falls between the look and the wait (I14).
func (a *account) Wait(ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
	for {
		a.s.mu.Lock()
		st, err := a.lookLocked(0)
		changed := a.s.changed
		a.s.mu.Unlock()
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return 0, err
		}
		if st.ModSeq > after {
			return st.ModSeq, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (a *account) Usage(ctx context.Context) (store.Usage, error) {
	st, err := a.look(ctx, 0)
	if err != nil {
		return store.Usage{}, err
	}
	return rows.Usage(maps.Values(st.boxes), st.Info.Limits), nil
}
