package storetest

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

func raceDefects() []defect {
	return []defect{
		{"judges UNCHANGEDSINCE before the transaction", "RaceUnchangedSince", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			if op, ok := firstOp[store.SetFlags](c); ok && op.UnchangedSince != nil && len(op.Keywords) == 1 && strings.HasPrefix(op.Keywords[0], "r") {
				op.UnchangedSince = nil
				c.Ops = []store.Op{op}
			}
			return b.Account.Apply(ctx, c)
		})},
		{"loses a step of a counter", "RaceIfModSeq", on(func(op *store.PutEntry) {
			if op.IfModSeq != nil && op.Key == "n" && string(op.Value) == "7" {
				op.Value = []byte("6")
			}
		})},
		{"counts octets of writers at once differently", "RaceQuotaExact", usages(func(u *store.Usage) {
			if u.Limits.Bytes == 1000 {
				u.Bytes++
			}
		})},
		{"does not count Copy in place against quota", "RaceQuotaCopy", on(func(op *store.Copy) {
			if op.Source == op.Dest && !op.Move && op.UIDs.Len() == 3 {
				op.IgnoreQuota = true
			}
		})},
		{"counts mailboxes before the transaction", "RaceQuotaMailboxes", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			r, err := b.Account.Apply(ctx, c)
			if op, ok := firstOp[store.PutMailbox](c); ok && errors.Is(err, store.ErrOverQuota) && strings.HasPrefix(op.Name, "m") {
				lift := store.PutAccount{Limits: &store.Limits{}}
				return b.Account.Apply(ctx, store.Change{Ops: []store.Op{lift, c.Ops[0]}})
			}
			return r, err
		})},
		{"tells two that they made a mailbox", "RaceCreateName", accepts(store.ErrExists, func(op store.PutMailbox, _ store.Change) bool {
			return op.Create && strings.HasPrefix(op.Name, "top") && strings.HasSuffix(op.Name, "/box")
		})},
		{"tells two that they have a name", "RaceRename", accepts(store.ErrExists, func(op store.PutMailbox, _ store.Change) bool { return op.Name == "target" })},
		{"tells two that they made an account", "RaceCreateAccount", always(hooks{create: func(b *broken, ctx context.Context, id store.AccountID, info store.AccountInfo) error {
			err := b.Store.Create(ctx, id, info)
			if errors.Is(err, store.ErrExists) && id == "a2" {
				return nil
			}
			return err
		}})},
		{"does not say what another expunged", "RaceExpunge", results(func(op store.Expunge, c store.Change, r *store.Result) {
			if hasOps(c, 1) && length(op.UIDs, 20) {
				r.Ops[0].Missing = nil
			}
		})},
		{"tells all that they moved", "RaceMove", results(func(op store.Copy, _ store.Change, r *store.Result) {
			if op.Move && length(r.Ops[0].Missing, 20) {
				r.Ops[0].Dest = op.UIDs
			}
		})},
		{"keeps octets of a mailbox that went", "RaceDeleteAppend", func() hooks {
			var deleted atomic.Int64
			h := usages(func(u *store.Usage) {
				if *u == (store.Usage{Mailboxes: 1}) && deleted.Load() == 3 {
					u.Bytes = 1
				}
			})()
			h.apply = mapOps(func(op store.Op) store.Op {
				if p, ok := op.(store.PutMailbox); ok && p.Delete {
					deleted.Add(1)
				}
				return op
			})
			return h
		}},
		{"loses a keyword of many writers", "RaceFlags", on(func(op *store.SetFlags) {
			if len(op.Keywords) == 1 && op.Keywords[0] == "k7" {
				op.Keywords = nil
			}
		})},
		{"says Missing in another order than it happened", "ActorsOrder", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			r, err := b.Account.Apply(ctx, c)
			if _, ok := firstOp[store.SetFlags](c); ok && strings.HasPrefix(string(b.id), "actors") && len(r.Ops) > 0 {
				r.Ops[0].Missing.Add(77)
			}
			return r, err
		})},
		{"leaves the last UID out of a delta", "ActorsReplica", reading(func(b *brokenAccount, q store.Query, _ int, m *store.Message, err error, yield func(*store.Message, error) bool) bool {
			return b.id == "alice" && err == nil && q.Since > 0 && q.Fields == store.FieldIDs && m.UID == 12 || yield(m, err)
		})},
	}
}

// at makes an Apply that goes wrong at one node, where there are several.
func at(node int, f func(b *brokenAccount, c *store.Change)) func() hooks {
	return applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
		if b.b.many && b.b.node == node && len(c.Ops) > 0 {
			f(b, &c)
		}
		return b.Account.Apply(ctx, c)
	})
}

// elsewhereOn changes Ops at the second node.
func elsewhereOn[T store.Op](f func(op *T)) func() hooks {
	return at(1, func(_ *brokenAccount, c *store.Change) {
		if op, ok := firstOp[T](*c); ok {
			f(&op)
			c.Ops = append([]store.Op{op}, c.Ops[1:]...)
		}
	})
}

func waits(p func(b *brokenAccount, after store.ModSeq) bool) func() hooks {
	return always(hooks{wait: func(b *brokenAccount, ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
		if b.b.many && p(b, after) {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return b.Account.Wait(ctx, after)
	}})
}

func nodeDefects() []defect {
	return []defect{
		{"keeps entries to one node", "NodesSee", always(hooks{boxes: func(b *brokenAccount, ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
			list, now, err := b.Account.Mailboxes(ctx, since)
			if b.b.many && b.b.node == 1 && len(list) == 1 && list[0].Messages == 9 {
				now--
			}
			return list, now, err
		}})},
		{"wakes nobody at the first node", "NodesWaitWakes", waits(func(b *brokenAccount, _ store.ModSeq) bool { return b.b.node == 0 })},
		{"wakes the second node for its first Changes alone", "NodesWaitMissesNothing", waits(func(b *brokenAccount, after store.ModSeq) bool { return b.b.node == 1 && after > 20 })},
		{"counts ModSeqs at each node", "NodesNumbers", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			r, err := b.Account.Apply(ctx, c)
			if b.b.node == 1 && r.ModSeq > 60 {
				r.ModSeq--
			}
			return r, err
		})},
		{"remembers Once at each node", "NodesOnce", at(1, func(_ *brokenAccount, c *store.Change) { c.Once = "" })},
		{"counts quota at each node", "NodesQuota", elsewhereOn(func(op *store.Append) { op.IgnoreQuota = true })},
		{"judges UNCHANGEDSINCE at each node", "NodesUnchangedSince", elsewhereOn(func(op *store.SetFlags) { op.UnchangedSince = nil })},
		{"judges IfAbsent at each node", "NodesIfAbsent", elsewhereOn(func(op *store.PutEntry) { op.IfAbsent = false })},
		{"creates an account at each node", "NodesCreate", always(hooks{create: func(b *broken, ctx context.Context, id store.AccountID, info store.AccountInfo) error {
			err := b.Store.Create(ctx, id, info)
			if b.many && errors.Is(err, store.ErrExists) {
				return nil
			}
			return err
		}})},
		{"gives out UIDVALIDITY at each node", "NodesValidity", always(hooks{boxes: func(b *brokenAccount, ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
			list, now, err := b.Account.Mailboxes(ctx, since)
			for i := range list {
				if b.b.node == 1 && strings.HasSuffix(list[i].Name, "-1") {
					list[i].UIDValidity = list[0].UIDValidity
				}
			}
			return list, now, err
		}})},
		{"knows a dropped account at another node", "NodesDrop", always(hooks{openAcct: func(b *broken, ctx context.Context, id store.AccountID) (store.Account, error) {
			a, err := b.Store.Open(ctx, id)
			if err != nil && b.node == 1 {
				return nil, store.ErrTemporary
			}
			if err != nil {
				return nil, err
			}
			return &brokenAccount{a, b, id}, nil
		}})},
		{"holds at each node what was adopted there", "NodesHolds", always(hooks{holds: func(b *broken, ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
			if b.node == 1 {
				return nil, nil
			}
			return b.Store.Holds(ctx, refs)
		}})},
		{"counts messages at each node", "NodesCounters", always(hooks{boxes: func(b *brokenAccount, ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
			list, now, err := b.Account.Mailboxes(ctx, since)
			for i := range list {
				if b.b.node == 1 && list[i].Messages == 8 {
					list[i].Deleted++
				}
			}
			return list, now, err
		}})},
		{"locks maildrops at each node", "NodesMaildrop", always(capable(func(b *brokenAccount, sound store.MaildropLocker) store.MaildropLocker {
			if b.b.node == 1 {
				return locker{MaildropLocker: sound, lock: func(context.Context, string) (bool, error) { return true, nil }}
			}
			return sound
		}))},
		{"obeys holds at one node", "NodesRetain", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			if b.b.node == 1 {
				b.unhold(ctx)
			}
			return b.Account.Apply(ctx, c)
		})},
	}
}
