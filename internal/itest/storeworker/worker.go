package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/mailstead/mailstead/store"
)

// worker changes mailboxes that no other worker touches, one Change after the
// other, so that what it said is the whole truth about them but for the Change
// under way.
type worker struct {
	s         system
	a         store.Account
	id        store.AccountID
	box, dest store.MailboxID
	live      []store.UID // of box, not \Deleted
	marked    []store.UID // of box, \Deleted
	key       string      // of its entry
	value     int         // of its entry
}

func (w *worker) work(ctx context.Context) error {
	for _, id := range [...]*store.MailboxID{&w.box, &w.dest} {
		*id = store.NewMailboxID()
		if err := w.create(ctx, *id, "Box/"+id.String()); err != nil {
			return err
		}
	}
	for {
		if err := w.step(ctx); err != nil {
			return err
		}
	}
}

func (w *worker) apply(ctx context.Context, op store.Op) (store.OpResult, error) {
	r, err := w.a.Apply(ctx, store.Change{Ops: []store.Op{op}})
	if err != nil {
		return store.OpResult{}, err
	}
	return r.Ops[0], nil
}

func (w *worker) step(ctx context.Context) error {
	switch n := rand.IntN(20); {
	case n < 8 || len(w.live) == 0:
		uid, err := w.append(ctx, w.box)
		w.live = append(w.live, uid)
		return err
	case n < 10:
		return w.flag(ctx, "flagged", store.Flagged, w.live[rand.IntN(len(w.live))])
	case n < 12 || len(w.marked) == 0:
		i := rand.IntN(len(w.live))
		uid := w.live[i]
		w.live = append(w.live[:i], w.live[i+1:]...)
		w.marked = append(w.marked, uid)
		return w.flag(ctx, "deleted", store.Deleted, uid)
	case n < 14:
		uid := w.unmark()
		if _, err := w.apply(ctx, store.Expunge{Mailbox: w.box, UIDs: store.UIDs(uid)}); err != nil {
			return err
		}
		return say("expunge %s %s %d", w.id, w.box, uid)
	case n < 15:
		return w.copy(ctx, "move", w.unmark())
	case n < 17:
		return w.copy(ctx, "copy", w.live[rand.IntN(len(w.live))])
	case n < 18:
		return w.entry(ctx)
	case n < 19:
		return w.refused(ctx)
	}
	return w.mailbox(ctx)
}

func (w *worker) unmark() store.UID {
	uid := w.marked[0]
	w.marked = w.marked[1:]
	return uid
}

func (w *worker) append(ctx context.Context, box store.MailboxID) (store.UID, error) {
	seed := newSeed()
	r, err := store.AppendMessage(ctx, w.s, w.a, strconv.FormatUint(uint64(seed), 10),
		store.NewMessage{Mailbox: box, Body: bytes.NewReader(body(seed)), BodySize: -1})
	if err != nil {
		return 0, err
	}
	uid := r.Ops[0].Dest.Min()
	return uid, say("append %s %s %d %d", w.id, box, uid, seed)
}

func (w *worker) flag(ctx context.Context, word string, f store.Flags, uid store.UID) error {
	if _, err := w.apply(ctx, store.SetFlags{Mailbox: w.box, UIDs: store.UIDs(uid), Flags: f}); err != nil {
		return err
	}
	return say("%s %s %s %d", word, w.id, w.box, uid)
}

// copy copies, or moves, a message to the other mailbox.
func (w *worker) copy(ctx context.Context, word string, uid store.UID) error {
	r, err := w.apply(ctx, store.Copy{Source: w.box, UIDs: store.UIDs(uid), Dest: w.dest, Move: word == "move"})
	if err != nil {
		return err
	}
	return say("%s %s %s %d %s %d", word, w.id, w.box, uid, w.dest, r.Dest.Min())
}

// entry counts the worker's entry up; every tenth time it is removed.
func (w *worker) entry(ctx context.Context) error {
	w.value++
	op := store.PutEntry{Mailbox: w.box, Key: w.key, Value: []byte(strconv.Itoa(w.value))}
	if w.value%10 == 0 {
		op.Value = nil
	}
	if _, err := w.apply(ctx, op); err != nil {
		return err
	}
	return say("entry %s %s %s %d", w.id, w.box, w.key, w.value)
}

// refused makes a Change of which the last Op cannot be: none of the others may
// ever be seen.
func (w *worker) refused(ctx context.Context) error {
	seed := newSeed()
	op, err := store.PrepareAppend(ctx, w.s, store.NewMessage{Mailbox: w.box, Body: bytes.NewReader(body(seed)), BodySize: -1})
	if err != nil {
		return err
	}
	_, err = w.a.Apply(ctx, store.Change{Ops: []store.Op{op, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: store.Inbox}}})
	if !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("a second INBOX: %w", err)
	}
	return say("refused %s %s %d", w.id, w.box, seed)
}

func (w *worker) create(ctx context.Context, id store.MailboxID, name string) error {
	if _, err := w.apply(ctx, store.PutMailbox{ID: id, Create: true, Name: name}); err != nil {
		return err
	}
	return say("mailbox %s %s %s", w.id, id, name)
}

// mailbox leads one through its life: made, filled, renamed, deleted. What is
// about to happen is said before, as it may be found done.
func (w *worker) mailbox(ctx context.Context) error {
	id := store.NewMailboxID()
	if err := w.create(ctx, id, "Short/"+id.String()); err != nil {
		return err
	}
	if _, err := w.append(ctx, id); err != nil {
		return err
	}
	name := "Renamed/" + id.String()
	if err := say("renaming %s %s %s", w.id, id, name); err != nil {
		return err
	}
	if _, err := w.apply(ctx, store.PutMailbox{ID: id, Name: name}); err != nil {
		return err
	}
	if err := say("renamed %s %s %s", w.id, id, name); err != nil || rand.IntN(2) == 0 {
		return err
	}
	if err := say("deleting %s %s", w.id, id); err != nil {
		return err
	}
	if _, err := w.apply(ctx, store.PutMailbox{ID: id, Delete: true}); err != nil {
		return err
	}
	return say("gone %s %s", w.id, id)
}
