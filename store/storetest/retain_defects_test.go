package storetest

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
)

// keeper changes what a Holder is told and says.
type keeper struct {
	store.Holder
	put  func(ctx context.Context, h *store.Hold) (done bool, err error)
	drop func(ctx context.Context, name string) error
	list func([]store.Hold) []store.Hold
}

func (k keeper) PutHold(ctx context.Context, h store.Hold) error {
	if k.put != nil {
		if done, err := k.put(ctx, &h); done {
			return err
		}
	}
	return k.Holder.PutHold(ctx, h)
}

func (k keeper) DropHold(ctx context.Context, name string) error {
	if k.drop != nil {
		return k.drop(ctx, name)
	}
	return k.Holder.DropHold(ctx, name)
}

func (k keeper) ListHolds(ctx context.Context) ([]store.Hold, error) {
	list, err := k.Holder.ListHolds(ctx)
	if k.list != nil {
		list = k.list(list)
	}
	return list, err
}

// putting changes what PutHold declares.
func putting(f func(b *brokenAccount, ctx context.Context, h *store.Hold) (done bool, err error)) func() hooks {
	return always(capable(func(b *brokenAccount, sound store.Holder) store.Holder {
		return keeper{Holder: sound, put: func(ctx context.Context, h *store.Hold) (bool, error) { return f(b, ctx, h) }}
	}))
}

// disobeys takes all holds away before an Apply of a T for which p holds.
func disobeys[T store.Op](p func(b *brokenAccount, ctx context.Context, op T, c store.Change) bool) func() hooks {
	return applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
		if op, ok := firstOp[T](c); ok && len(b.held(ctx)) > 0 && p(b, ctx, op, c) {
			b.unhold(ctx)
		}
		return b.Account.Apply(ctx, c)
	})
}

// deletes tells a delete of a mailbox with n messages.
func deletes(n int64) func(b *brokenAccount, ctx context.Context, op store.PutMailbox, c store.Change) bool {
	return func(b *brokenAccount, ctx context.Context, op store.PutMailbox, c store.Change) bool {
		return op.Delete && hasOps(c, 1) && b.sample(ctx, op.ID).Messages == n
	}
}

func retainDefects() []defect {
	return append(retainOpDefects(), retainHoldDefects()...)
}

func retainOpDefects() []defect {
	return []defect{
		{"says that what is held is missing", "RetainExpunge", results(func(op store.Expunge, _ store.Change, r *store.Result) {
			if o := &r.Ops[0]; length(o.Held, 3) && !op.OnlyDeleted {
				o.Missing = o.Held
			}
		})},
		{"says that all is held, not what is \\Deleted", "RetainOnlyDeleted", results(func(op store.Expunge, _ store.Change, r *store.Result) {
			if o := &r.Ops[0]; op.OnlyDeleted && len(o.Held) > 0 {
				o.Held = op.UIDs
			}
		})},
		{"says that it moved what is held", "RetainMove", results(func(op store.Copy, _ store.Change, r *store.Result) {
			if o := &r.Ops[0]; op.Move && len(o.Held) > 0 {
				o.Source = op.UIDs
			}
		})},
		{"does not move within an account on hold", "RetainMoveInside", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			op, ok := firstOp[store.Copy](c)
			if list := b.held(ctx); ok && op.Move && len(list) == 1 && list[0].Mailbox.IsZero() {
				return store.Result{Ops: []store.OpResult{{Held: op.UIDs}}}, nil
			}
			return b.Account.Apply(ctx, c)
		})},
		{"deletes a mailbox with held messages", "RetainMailboxDelete", disobeys(deletes(2))},
		{"deletes an empty mailbox that a hold names", "RetainMailboxNamed", disobeys(func(b *brokenAccount, ctx context.Context, op store.PutMailbox, c store.Change) bool {
			list := b.held(ctx)
			return deletes(0)(b, ctx, op, c) && list[0].Mailbox == op.ID
		})},
		{"deletes the last held message with its mailbox", "RetainBlobs", disobeys(deletes(1))},
		{"moves held messages out of INBOX by a rename", "RetainRenameInbox", disobeys(func(_ *brokenAccount, _ context.Context, op store.PutMailbox, _ store.Change) bool {
			return op.Name == "old"
		})},
		{"drops an empty account on hold", "RetainDropAccount", disobeys(func(b *brokenAccount, ctx context.Context, _ store.DropAccount, _ store.Change) bool {
			u, _ := b.Account.Usage(ctx)
			return u.Messages == 0 && b.held(ctx)[0].Until.IsZero() && b.held(ctx)[0].Keep == 0
		})},
		{"does not hold mailboxes made later", "RetainLater", disobeys(func(b *brokenAccount, ctx context.Context, op store.Expunge, _ store.Change) bool {
			inbox, _ := store.MailboxByName(ctx, b.Account, store.Inbox)
			return b.sample(ctx, op.Mailbox).Name == "Work" && inbox.Messages == 2
		})},
		{"does not flag what is held", "RetainFlags", results(func(op store.SetFlags, _ store.Change, r *store.Result) {
			if op.Flags == store.Deleted|store.Seen && op.Mode == store.FlagsAdd && op.Keywords == nil && length(op.UIDs, 2) {
				r.Ops[0].Changed = nil
			}
		})},
		{"loses the hold with the name", "RetainRename", disobeys(func(b *brokenAccount, ctx context.Context, op store.Expunge, _ store.Change) bool {
			return b.sample(ctx, op.Mailbox).Name == "Elsewhere"
		})},
		{"does a Change that a hold refuses in part", "RetainAtomic", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			r, err := b.Account.Apply(ctx, c)
			if len(b.held(ctx)) > 0 && hasOps(c, 3) && err != nil {
				_, _ = b.Account.Apply(ctx, store.Change{Ops: c.Ops[:2]})
			}
			return r, err
		})},
		{"holds messages of all accounts", "RetainApart", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			if op, ok := firstOp[store.Expunge](c); ok && b.id == "b" {
				return store.Result{Ops: []store.OpResult{{Held: op.UIDs}}}, nil
			}
			return b.Account.Apply(ctx, c)
		})},
	}
}

func retainHoldDefects() []defect {
	return []defect{
		{"holds the mailbox for two of its messages", "RetainUIDs", putting(func(_ *brokenAccount, _ context.Context, h *store.Hold) (bool, error) {
			if len(h.UIDs) == 2 {
				h.UIDs = nil
			}
			return false, nil
		})},
		{"never ends a hold", "RetainUntil", putting(func(_ *brokenAccount, _ context.Context, h *store.Hold) (bool, error) {
			if h.Keep == 0 && h.Until.Before(time.Now()) && !h.Until.IsZero() {
				h.Until = time.Time{}
			}
			return false, nil
		})},
		{"takes Keep for a hold without end", "RetainKeep", putting(func(_ *brokenAccount, _ context.Context, h *store.Hold) (bool, error) {
			if h.Keep == 1 {
				h.Keep = 0
			}
			return false, nil
		})},
		{"takes any Keep", "RetainInvalid", putting(func(_ *brokenAccount, _ context.Context, h *store.Hold) (bool, error) { return h.Keep < 0, nil })},
		{"knows no hold that it is told to drop", "RetainDropped", func() hooks {
			var dropped sync.Map
			return capable(func(_ *brokenAccount, sound store.Holder) store.Holder {
				return keeper{Holder: sound, drop: func(ctx context.Context, name string) error {
					if _, again := dropped.LoadOrStore(name, true); again {
						return store.ErrConflict
					}
					return sound.DropHold(ctx, name)
				}}
			})
		}},
		{"adds to a hold of the same name", "RetainReplaced", putting(func(b *brokenAccount, ctx context.Context, h *store.Hold) (bool, error) {
			for _, old := range b.held(ctx) {
				if old.Name == h.Name && len(h.UIDs) > 0 {
					h.UIDs = h.UIDs.Clone()
					h.UIDs.AddSet(old.UIDs)
				}
			}
			return false, nil
		})},
		{"lists holds in any order", "RetainList", always(capable(func(_ *brokenAccount, sound store.Holder) store.Holder {
			return keeper{Holder: sound, list: reversed[store.Hold]}
		}))},
		{"keeps holds as entries", "RetainNoModSeq", putting(func(b *brokenAccount, ctx context.Context, h *store.Hold) (bool, error) {
			if u, _ := b.Account.Usage(ctx); u == (store.Usage{Mailboxes: 1}) {
				_, _ = b.Account.Apply(ctx, store.Change{Ops: []store.Op{store.PutEntry{Key: "hold", Value: []byte(h.Name)}}})
			}
			return false, nil
		})},
		{"lets an Expunge pass a hold that was declared", "RetainRace", func() hooks {
			var declared atomic.Bool
			h := putting(func(_ *brokenAccount, _ context.Context, h *store.Hold) (bool, error) {
				declared.Store(h.Name == "0")
				return false, nil
			})()
			h.messages = func(b *brokenAccount, ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
				return func(yield func(*store.Message, error) bool) {
					b.Account.Messages(ctx, id, q)(yield)
					if declared.Swap(false) {
						b.unhold(ctx)
						_, _ = b.Account.Apply(ctx, store.Change{Ops: []store.Op{store.Expunge{Mailbox: id, UIDs: store.AllUIDs()}}})
					}
				}
			}
			return h
		}},
		{"purges holds", "RetainPurge", always(hooks{purge: func(b *broken, id store.AccountID, _ store.ModSeq) bool {
			if a, err := b.Store.Open(context.Background(), id); err == nil {
				(&brokenAccount{a, b, id}).unhold(context.Background())
			}
			return false
		}})},
		{"forgets holds when it is opened again", "RetainReopened", always(hooks{reopen: func(t *testing.T, b *broken) {
			if a, err := b.Store.Open(t.Context(), "alice"); err == nil {
				(&brokenAccount{a, b, "alice"}).unhold(t.Context())
			}
		}})},
	}
}
