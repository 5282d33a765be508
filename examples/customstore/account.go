package main

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
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
	info    store.AccountInfo
	modSeq  store.ModSeq
	boxes   map[store.MailboxID]*box
	entries map[entryKey]store.Entry
	once    map[string]store.Result // what the Change with this key did (I9)
}

type box struct {
	store.Mailbox
	msgs map[store.UID]message
}

type message struct {
	store.Message
	ref    blob.Ref // a tombstone keeps ref and prefix for Content
	prefix []byte
	gone   time.Time
}

type entryKey struct {
	box store.MailboxID
	key string
}

func (a *account) look(ctx context.Context) (*state, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	return a.lookLocked()
}

func (a *account) lookLocked() (*state, error) {
	st := a.s.accounts[a.id]
	if err := a.s.openLocked(); err != nil || st != nil {
		return st, err
	}
	return nil, store.ErrNoAccount
}

func (a *account) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	st, err := a.look(ctx)
	if err != nil {
		return nil, 0, err
	}
	list := slices.DeleteFunc(st.rows(), func(m store.Mailbox) bool {
		return max(m.ModSeq, m.HighestModSeq) <= since || since == 0 && m.Gone
	})
	slices.SortFunc(list, func(x, y store.Mailbox) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), slices.Compare(x.ID[:], y.ID[:]))
	})
	return list, st.modSeq, nil
}

// rows are all mailboxes with their tombstones.
func (st *state) rows() (list []store.Mailbox) {
	for _, b := range st.boxes {
		list = append(list, b.Mailbox)
	}
	return list
}

// box is a mailbox that is there.
func (st *state) box(id store.MailboxID) (*box, error) {
	if b := st.boxes[id]; b != nil && !b.Gone {
		return b, nil
	}
	return nil, store.ErrNoMailbox
}

func (a *account) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	return each(ctx, func() (list []*store.Message, err error) {
		st, err := a.look(ctx)
		if err != nil {
			return nil, err
		}
		b, err := st.box(id)
		if err != nil {
			return nil, err
		}
		for _, uid := range slices.Sorted(maps.Keys(b.msgs)) {
			m := b.msgs[uid].Message // a copy, as the caller may write into it
			if m.ModSeq <= q.Since || m.Gone && q.Since == 0 || len(q.UIDs) > 0 && !q.UIDs.Contains(uid) {
				continue
			}
			m.Keywords, m.Prefix = slices.Clone(m.Keywords), slices.Clone(m.Prefix)
			m.Key, m.Meta = slices.Clone(m.Key), slices.Clone(m.Meta)
			list = append(list, &m)
		}
		return list, nil
	})
}

func (a *account) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	st, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	b := st.boxes[id]
	if b == nil {
		return nil, store.ErrNoMailbox
	}
	m, ok := b.msgs[uid]
	if !ok {
		return nil, store.ErrNoMessage
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
	return each(ctx, func() (list []store.Entry, err error) {
		st, err := a.look(ctx)
		if err == nil && !q.All && !q.Mailbox.IsZero() {
			_, err = st.box(q.Mailbox)
		}
		if err != nil {
			return nil, err
		}
		for _, e := range st.entries {
			if (q.All || e.Mailbox == q.Mailbox) && strings.HasPrefix(e.Key, q.Prefix) && e.ModSeq > q.Since &&
				(e.Present(time.Now()) || e.Gone && q.Since > 0) {
				e.Value = slices.Clone(e.Value)
				list = append(list, e)
			}
		}
		slices.SortFunc(list, func(x, y store.Entry) int {
			return cmp.Or(slices.Compare(x.Mailbox[:], y.Mailbox[:]), cmp.Compare(x.Key, y.Key))
		})
		return list, nil
	})
}

// Wait takes the channel under the lock under which a change closes it, so
// that none falls between the look and the wait (I14).
func (a *account) Wait(ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
	for {
		a.s.mu.Lock()
		st, err := a.lookLocked()
		changed := a.s.changed
		a.s.mu.Unlock()
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return 0, err
		}
		if st.modSeq > after {
			return st.modSeq, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (a *account) Usage(ctx context.Context) (store.Usage, error) {
	st, err := a.look(ctx)
	if err != nil {
		return store.Usage{}, err
	}
	return st.usage(), nil
}

func (st *state) usage() store.Usage {
	u := store.Usage{Limits: st.info.Limits}
	for _, b := range st.boxes {
		if !b.Gone {
			u.Mailboxes++
			u.Messages += b.Messages
			u.Bytes += b.Bytes
		}
	}
	return u
}
