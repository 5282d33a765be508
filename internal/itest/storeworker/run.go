package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
)

const (
	accounts = 4
	workers  = 3 // per account, each with a mailbox of its own
)

// run changes the store until the process is killed.
func run(ctx context.Context, dir string, o sqlite.Options) error {
	e, err := sqlite.Open(ctx, dir, o)
	if err != nil {
		return err
	}
	defer e.Close()
	var wg sync.WaitGroup
	errs := make(chan error, accounts*workers+1)
	for i := range accounts {
		id := store.AccountID("account" + strconv.Itoa(i))
		if err := e.Store().Create(ctx, id, store.AccountInfo{}); err != nil {
			return err
		}
		a, err := e.Store().Open(ctx, id)
		if err != nil {
			return err
		}
		for range workers {
			w := &worker{e: e, a: a, id: id, box: store.NewMailboxID(), dest: store.NewMailboxID()}
			wg.Go(func() { errs <- w.work(ctx) })
		}
	}
	wg.Go(func() { errs <- compact(ctx, e) })
	return <-errs
}

// worker changes one mailbox.
type worker struct {
	e         *sqlite.Engine
	a         store.Account
	id        store.AccountID
	box, dest store.MailboxID
	live      []store.UID // not \Deleted
	marked    []store.UID // \Deleted
}

func (w *worker) work(ctx context.Context) error {
	for _, id := range [...]store.MailboxID{w.box, w.dest} {
		_, err := w.apply(ctx, store.PutMailbox{ID: id, Create: true, Name: "Box/" + id.String()})
		if err != nil {
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
	switch n := rand.IntN(10); {
	case n < 5 || len(w.live) == 0:
		return w.append(ctx)
	case n < 6:
		return w.flag(ctx, "flagged", store.Flagged, w.live[rand.IntN(len(w.live))])
	case n < 8 || len(w.marked) == 0:
		i := rand.IntN(len(w.live))
		uid := w.live[i]
		w.live = append(w.live[:i], w.live[i+1:]...)
		w.marked = append(w.marked, uid)
		return w.flag(ctx, "deleted", store.Deleted, uid)
	case n < 9:
		uid := w.unmark()
		if _, err := w.apply(ctx, store.Expunge{Mailbox: w.box, UIDs: store.UIDs(uid)}); err != nil {
			return err
		}
		return say("expunge %s %s %d", w.id, w.box, uid)
	default:
		uid := w.unmark()
		r, err := w.apply(ctx, store.Copy{Source: w.box, UIDs: store.UIDs(uid), Dest: w.dest, Move: true})
		if err != nil {
			return err
		}
		return say("move %s %s %d %s %d", w.id, w.box, uid, w.dest, r.Dest.Min())
	}
}

func (w *worker) unmark() store.UID {
	uid := w.marked[0]
	w.marked = w.marked[1:]
	return uid
}

func (w *worker) append(ctx context.Context) error {
	seed := rand.Uint32()
	r, err := store.AppendMessage(ctx, w.e.Store(), w.a, strconv.FormatUint(uint64(seed), 10),
		store.NewMessage{Mailbox: w.box, Body: bytes.NewReader(body(seed)), BodySize: -1})
	if err != nil {
		return err
	}
	uid := r.Ops[0].Dest.Min()
	w.live = append(w.live, uid)
	return say("append %s %s %d %d", w.id, w.box, uid, seed)
}

func (w *worker) flag(ctx context.Context, word string, f store.Flags, uid store.UID) error {
	if _, err := w.apply(ctx, store.SetFlags{Mailbox: w.box, UIDs: store.UIDs(uid), Flags: f}); err != nil {
		return err
	}
	return say("%s %s %s %d", word, w.id, w.box, uid)
}

// body is the message that follows from seed: a few octets to 64 KiB.
func body(seed uint32) []byte {
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	b := fmt.Appendf(nil, "Subject: %d\r\n\r\n", seed)
	for n := 1 << r.IntN(17); len(b) < n; {
		b = fmt.Appendf(b, "%016x\r\n", r.Uint64())
	}
	return b
}

// say tells in one write what was acknowledged: to the file that POWERCUT_ACKS
// names, so that a line counts from the moment it is said, else to the standard
// output, where it counts when it is read.
func say(format string, args ...any) error {
	line := fmt.Sprintf(format, args...) + "\n"
	out, err := acks()
	if err == nil {
		_, err = out.WriteString(line)
	}
	return err
}

// acks is where lines go.
var acks = sync.OnceValues(func() (*os.File, error) {
	if name := os.Getenv("POWERCUT_ACKS"); name != "" {
		return os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	}
	return os.Stdout, nil
})

// compact makes bodies that nobody adopts, deletes them as a collector would,
// and compacts, beside the other work.
func compact(ctx context.Context, e *sqlite.Engine) error {
	for {
		w, err := e.Blobs().Create(ctx, -1)
		if err != nil {
			return err
		}
		w.Write(make([]byte, 100<<10))
		ref, err := w.Commit(ctx)
		if err != nil {
			return err
		}
		if err := e.Blobs().Delete(ctx, ref); err != nil {
			return err
		}
		if _, err := e.Blobs().Compact(ctx); err != nil {
			return err
		}
		if err := e.Store().Clean(ctx); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
