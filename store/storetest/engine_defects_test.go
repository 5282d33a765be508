package storetest

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// engineDefects are faults that need more than one call to the sound store:
// races made sure, and rules about what a store remembers.
func engineDefects() []defect {
	return []defect{
		{"judges quota before the transaction", "QuotaConcurrent +", func() hooks { return hooks{apply: quotaBefore()} }},
		{"looks for Once before the transaction", "OnceConcurrent +", func() hooks { return hooks{apply: onceBefore()} }},
		{"judges IfAbsent before the transaction", "EntryConcurrent +", func() hooks { return hooks{apply: absentBefore()} }},
		{"moves in two Changes", "MovePairs +", func() hooks { return hooks{apply: moveInTwo} }},
		{"moves in two Changes, seen by others", "ConcurrentChanges +", splitSeen},
		{"renames a mailbox without those below", "RenameSubtree +", func() hooks { return hooks{apply: renameAlone} }},
		{"renames INBOX itself", "RenameInbox +", func() hooks { return hooks{apply: renameInboxItself} }},
		{"does not move the counters when an import ends", "ImportLeaves +", func() hooks { return hooks{apply: neverLeaves} }},
		{"adopts blobs that are not there", "AppendNoBlob", func() hooks { return hooks{apply: adoptAnything} }},
		{"wakes for messages alone", "WaitEveryKind", func() hooks { return hooks{wait: waitForMessages} }},
		{"takes any name", "NameRefused +", on(func(op *store.PutMailbox) {
			if _, err := store.CleanName(op.Name); op.Name != "" && err != nil {
				op.Name = "clean"
			}
		})},
		{"takes a name for a pattern", "NameHostile", on(func(op *store.PutMailbox) { op.Name = strings.ReplaceAll(op.Name, "_", "x") })},
		{"loses flags at Copy", "CopyKeeps +", func() hooks { return hooks{apply: copyBare} }},
		{"deletes nothing with a mailbox but its name", "MailboxDelete +", func() hooks { return hooks{entries: keepEntries()} }},
		{"reports changes below the purge mark", "PurgeResync", func() hooks {
			var purged atomic.Bool
			return hooks{
				purge: func(*broken, store.AccountID, store.ModSeq) bool { purged.Store(true); return false },
				messages: func(b *brokenAccount, ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
					return func(yield func(*store.Message, error) bool) {
						for m, err := range b.Account.Messages(ctx, id, q) {
							if purged.Load() && errors.Is(err, store.ErrResync) || !yield(m, err) {
								return
							}
						}
					}
				},
			}
		}},
		{"closes what is open with the blob", "ContentOpenSurvives", func() hooks {
			return hooks{open: func(b *brokenAccount, ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
				c, err := b.Account.Content(ctx, id, uid)
				return late{c, b, id, uid}, err
			}}
		}},
		{"forgets the first Result", "OnceRepeats +", func() hooks {
			return hooks{apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
				r, err := b.Account.Apply(ctx, c)
				if r.Repeated {
					r.Ops = make([]store.OpResult, len(c.Ops))
				}
				return r, err
			}}
		}},
	}
}

// gate lets the first n callers pass together, and all others as they come.
// Where no n callers come it opens after a moment.
type gate struct {
	mu   sync.Mutex
	here int
	once sync.Once
	full atomic.Bool
	open chan struct{}
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

// pass reports whether n callers came.
func (g *gate) pass(n int) bool {
	g.mu.Lock()
	if g.here++; g.here == n {
		g.once.Do(func() { g.full.Store(true); close(g.open) })
	}
	g.mu.Unlock()
	select {
	case <-g.open:
	case <-time.After(50 * time.Millisecond):
		g.once.Do(func() { close(g.open) })
	}
	return g.full.Load()
}

// quotaBefore looks at Usage, and then applies without quota; the writers of
// the check come through the gate between the two.
func quotaBefore() func(*brokenAccount, context.Context, store.Change) (store.Result, error) {
	g := newGate()
	return func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
		op, ok := c.Ops[0].(store.Append)
		if !ok || op.Size != 10 {
			return b.Account.Apply(ctx, c)
		}
		u, err := b.Account.Usage(ctx)
		if err != nil {
			return store.Result{}, err
		}
		if u.Bytes+op.Size > u.Limits.Bytes {
			return store.Result{}, store.ErrOverQuota
		}
		op.IgnoreQuota = g.pass(16)
		return b.Account.Apply(ctx, store.Change{Ops: []store.Op{op}})
	}
}

func onceBefore() func(*brokenAccount, context.Context, store.Change) (store.Result, error) {
	g := newGate()
	return func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
		if c.Once != "" && g.pass(16) {
			c.Once = ""
		}
		return b.Account.Apply(ctx, c)
	}
}

func absentBefore() func(*brokenAccount, context.Context, store.Change) (store.Result, error) {
	g := newGate()
	return func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
		op, ok := c.Ops[0].(store.PutEntry)
		if !ok || !op.IfAbsent || op.Key != "k" || len(c.Ops) > 1 {
			return b.Account.Apply(ctx, c)
		}
		for range b.Account.Entries(ctx, store.EntryQuery{Prefix: op.Key}) {
			return store.Result{}, store.ErrConflict
		}
		op.IfAbsent = !g.pass(16)
		return b.Account.Apply(ctx, store.Change{Ops: []store.Op{op}})
	}
}

func moveInTwo(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
	op, ok := c.Ops[0].(store.Copy)
	if !ok || !op.Move {
		return b.Account.Apply(ctx, c)
	}
	op.Move = false
	r, err := b.Account.Apply(ctx, store.Change{Ops: []store.Op{op}})
	if err != nil {
		return r, err
	}
	x, err := b.Account.Apply(ctx, store.Change{Ops: []store.Op{store.Expunge{Mailbox: op.Source, UIDs: r.Ops[0].Source}}})
	if err == nil {
		r.Ops[0].Changed = x.Ops[0].Changed
	}
	return r, err
}

// splitSeen applies the Ops of a Change that copies one by one, and lets a
// reader look twice in between: the second look began after the first Op.
func splitSeen() hooks {
	looks := make(chan struct{})
	alone := make(chan struct{})
	var once sync.Once
	return hooks{
		apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			if _, ok := c.Ops[0].(store.Copy); !ok {
				return b.Account.Apply(ctx, c)
			}
			first, err := b.Account.Apply(ctx, store.Change{Ops: c.Ops[:1]})
			if err != nil {
				return first, err
			}
			for range 2 {
				select {
				case <-looks:
				case <-alone:
				case <-time.After(50 * time.Millisecond):
					once.Do(func() { close(alone) })
				}
			}
			rest, err := b.Account.Apply(ctx, store.Change{Ops: c.Ops[1:]})
			rest.Ops = append(first.Ops, rest.Ops...)
			return rest, err
		},
		mailboxes: func(_ store.ModSeq, list []store.Mailbox, now store.ModSeq) ([]store.Mailbox, store.ModSeq) {
			select {
			case looks <- struct{}{}:
			default:
			}
			return list, now
		},
	}
}

// renameAlone moves the children back to where they were.
func renameAlone(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
	op, ok := c.Ops[0].(store.PutMailbox)
	if !ok || op.Create || op.Name == "" {
		return b.Account.Apply(ctx, c)
	}
	before, err := store.MailboxByID(ctx, b.Account, op.ID)
	if err != nil {
		return store.Result{}, err
	}
	boxes, _, err := b.Account.Mailboxes(ctx, 0)
	if err != nil {
		return store.Result{}, err
	}
	n := len(c.Ops)
	for _, m := range boxes {
		if store.IsBelow(m.Name, before.Name) {
			c.Ops = append(c.Ops, store.PutMailbox{ID: m.ID, Name: m.Name})
		}
	}
	r, err := b.Account.Apply(ctx, c)
	if err == nil {
		r.Ops = r.Ops[:n]
	}
	return r, err
}

// renameInboxItself makes a mailbox and leaves the messages where they are.
func renameInboxItself(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
	op, ok := c.Ops[0].(store.PutMailbox)
	if !ok || op.Create || op.Name == "" {
		return b.Account.Apply(ctx, c)
	}
	m, err := store.MailboxByID(ctx, b.Account, op.ID)
	if err != nil || m.Name != store.Inbox {
		return b.Account.Apply(ctx, c)
	}
	return b.Account.Apply(ctx, store.Change{Ops: []store.Op{store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: op.Name}}})
}

// neverLeaves says it left the importing state.
func neverLeaves(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
	if op, ok := c.Ops[0].(store.PutAccount); ok && op.State != nil {
		c.Ops = []store.Op{store.PutAccount{Limits: op.Limits}}
	}
	return b.Account.Apply(ctx, c)
}

// adoptAnything puts an empty blob in the place of one that is not there.
func adoptAnything(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
	r, err := b.Account.Apply(ctx, c)
	if !errors.Is(err, store.ErrNoBlob) {
		return r, err
	}
	w, err := b.b.Blobs().Create(ctx, 0)
	if err != nil {
		return r, err
	}
	ref, err := w.Commit(ctx)
	if err != nil {
		return r, err
	}
	for i, op := range c.Ops {
		if a, ok := op.(store.Append); ok {
			a.Blob = ref
			c.Ops[i] = a
		}
	}
	return b.Account.Apply(ctx, c)
}

// waitForMessages waits on when no mailbox changed.
func waitForMessages(b *brokenAccount, ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
	at := after
	for {
		now, err := b.Account.Wait(ctx, at)
		if err != nil {
			return now, err
		}
		list, _, err := b.Account.Mailboxes(ctx, after)
		if err != nil || len(list) > 0 {
			return now, err
		}
		at = now
	}
}

// copyBare clears the flags of what was copied.
func copyBare(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
	r, err := b.Account.Apply(ctx, c)
	op, ok := c.Ops[0].(store.Copy)
	if err != nil || !ok {
		return r, err
	}
	bare := store.SetFlags{Mailbox: op.Dest, UIDs: r.Ops[0].Dest, Mode: store.FlagsReplace}
	x, err := b.Account.Apply(ctx, store.Change{Ops: []store.Op{bare}})
	r.ModSeq = x.ModSeq
	return r, err
}

// keepEntries shows entries again that were seen once and whose mailbox is
// gone.
func keepEntries() func(*brokenAccount, context.Context, store.EntryQuery) iter.Seq2[store.Entry, error] {
	return func(b *brokenAccount, ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
		return func(yield func(store.Entry, error) bool) {
			if q.All && !yield(store.Entry{Mailbox: store.NewMailboxID(), Key: "k"}, nil) {
				return
			}
			b.Account.Entries(ctx, q)(yield)
		}
	}
}

// late is a Content that looks for its message at every read.
type late struct {
	store.Content
	b   *brokenAccount
	id  store.MailboxID
	uid store.UID
}

func (c late) ReadAt(p []byte, off int64) (int, error) {
	now, err := c.b.Account.Content(context.Background(), c.id, c.uid)
	if err != nil {
		return 0, blob.ErrNoBlob
	}
	defer now.Close()
	return now.ReadAt(p, off)
}
