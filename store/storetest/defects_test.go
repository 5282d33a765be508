package storetest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store"
)

// defect is a fault of a store and the check that must find it.
type defect struct {
	name  string // completes "a store that ..."
	check string
	hooks func() hooks // fresh for each store
}

func defects() []defect {
	return slices.Concat(applyDefects(), readDefects(), stateDefects(), engineDefects(), coreDefects(), stateful(), raceDefects(), nodeDefects(), faultDefects(), retainDefects(), capabilityDefects(), exactDefects(), keyDefects())
}

// mapOps is an Apply that puts another Op in each one's place.
func mapOps(f func(store.Op) store.Op) func(*brokenAccount, context.Context, store.Change) (store.Result, error) {
	return func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
		c.Ops = slices.Clone(c.Ops)
		for i, op := range c.Ops {
			c.Ops[i] = f(op)
		}
		return b.Account.Apply(ctx, c)
	}
}

// on changes the Ops of one type.
func on[T store.Op](f func(op *T)) func() hooks {
	return func() hooks {
		return hooks{apply: mapOps(func(op store.Op) store.Op {
			if o, ok := op.(T); ok {
				f(&o)
				return o
			}
			return op
		})}
	}
}

func applyDefects() []defect {
	return []defect{
		{"ignores UNCHANGEDSINCE", "FlagsUnchangedSince +", on(func(op *store.SetFlags) { op.UnchangedSince = nil })},
		{"takes UNCHANGEDSINCE for one more", "FlagsUnchangedSince +", on(func(op *store.SetFlags) {
			if op.UnchangedSince != nil {
				since := *op.UnchangedSince + 1
				op.UnchangedSince = &since
			}
		})},
		{"expunges without \\Deleted", "ExpungeOnlyDeleted +", on(func(op *store.Expunge) { op.OnlyDeleted = false })},
		{"ignores IgnoreQuota", "QuotaIgnore", on(func(op *store.Append) { op.IgnoreQuota = false })},
		{"does not count Append against quota", "QuotaMessages +", on(func(op *store.Append) { op.IgnoreQuota = true })},
		{"does not count Copy against quota", "QuotaCopy +", on(func(op *store.Copy) { op.IgnoreQuota = true })},
		{"copies where it should move", "MovePairs +", on(func(op *store.Copy) { op.Move = false })},
		{"ignores IfAbsent", "EntryIfAbsent +", on(func(op *store.PutEntry) { op.IfAbsent = false })},
		{"ignores IfModSeq", "EntryIfModSeq", on(func(op *store.PutEntry) { op.IfModSeq = nil })},
		{"ignores Expires", "EntryExpires", on(func(op *store.PutEntry) { op.Expires = time.Time{} })},
		{"takes an empty value for removal", "EntryPut", on(func(op *store.PutEntry) {
			if len(op.Value) == 0 {
				op.Value = nil
			}
		})},
		{"threads without the subject", "ThreadJoins", on(func(op *store.Append) { op.SubjectHash = 0 })},
		{"threads by the first key alone", "ThreadJoins +", on(func(op *store.Append) { op.ThreadKeys = op.ThreadKeys[:min(1, len(op.ThreadKeys))] })},
		{"chooses ModSeqs at Import", "ImportNumbers +", on(func(op *store.Import) { op.ModSeq = 0 })},
		{"chooses threads at Import", "ImportNumbers", on(func(op *store.Import) { op.ThreadID = store.ThreadID{} })},
		{"loses the zone of Received", "AppendFields", on(func(op *store.Append) { op.Received = op.Received.UTC() })},
		{"makes keywords lower case", "FlagsKeywordCase +", on(func(op *store.Append) {
			op.Keywords = slices.Clone(op.Keywords)
			for i, kw := range op.Keywords {
				op.Keywords[i] = strings.ToLower(kw)
			}
		})},
		{"forgets that a mailbox is subscribed when it is deleted", "MailboxDeleteSubscribed +", on(func(op *store.PutMailbox) { op.Subscribed = nil })},
		{"lets Create choose the UIDVALIDITY", "ImportMailbox +", on(func(op *store.PutMailbox) { op.UIDValidity = 0 })},
		{"ignores Once", "OnceRepeats +", func() hooks {
			return hooks{apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
				c.Once = ""
				return b.Account.Apply(ctx, c)
			}}
		}},
		{"splits a Change", "ChangeAtomic +", func() hooks { return hooks{apply: splitChange} }},
		{"takes a ModSeq for every SetFlags", "FlagsNoChange +", func() hooks { return hooks{apply: touchAlways} }},
		{"applies what was cancelled before", "ChangeCancelled", func() hooks {
			return hooks{apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
				return b.Account.Apply(context.WithoutCancel(ctx), c)
			}}
		}},
		{"copies from the last to the first", "CopyPairs +", func() hooks { return hooks{apply: copyBackwards} }},
		{"remembers Once of a refused Change", "OnceRefused +", func() hooks { return onceMap(func(*brokenAccount) string { return "" }, true) }},
		{"shares Once keys between accounts", "OncePerAccount +", func() hooks { return onceMap(func(*brokenAccount) string { return "" }, false) }},
		{"renames by making another mailbox", "RenameKeeps +", func() hooks { return hooks{apply: renameByCopy} }},
		{"does not claim what is recent", "RecentClaim +", func() hooks { return hooks{apply: claimNothing} }},
		{"keeps a dropped account", "AccountDrop +", func() hooks {
			return hooks{apply: mapOps(func(op store.Op) store.Op {
				if _, ok := op.(store.DropAccount); ok {
					return store.PutAccount{}
				}
				return op
			})}
		}},
	}
}

// splitChange applies the Ops one by one.
func splitChange(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
	var all store.Result
	for _, op := range c.Ops {
		r, err := b.Account.Apply(ctx, store.Change{Ops: []store.Op{op}})
		if err != nil {
			return store.Result{}, err
		}
		all.ModSeq, all.Ops = r.ModSeq, append(all.Ops, r.Ops...)
	}
	return all, nil
}

func touchAlways(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
	n := len(c.Ops)
	if _, ok := c.Ops[0].(store.SetFlags); ok {
		c.Ops = append(slices.Clone(c.Ops), store.PutEntry{Key: "touched", Value: []byte("x")})
	}
	r, err := b.Account.Apply(ctx, c)
	if err == nil {
		r.Ops = r.Ops[:n]
	}
	return r, err
}

func copyBackwards(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
	op, ok := c.Ops[0].(store.Copy)
	if !ok {
		return b.Account.Apply(ctx, c)
	}
	var ops []store.Op
	for uid := range op.UIDs.All() {
		one := op
		one.UIDs = store.UIDs(uid)
		ops = append([]store.Op{one}, ops...)
	}
	r, err := b.Account.Apply(ctx, store.Change{Ops: ops})
	if err != nil {
		return r, err
	}
	sum := r.Ops[0]
	for _, o := range r.Ops[1:] {
		sum.Source.AddSet(o.Source)
		sum.Dest.AddSet(o.Dest)
	}
	r.Ops = []store.OpResult{sum}
	return r, nil
}

// onceMap remembers keys beside the store, by the key and what of gives.
func onceMap(of func(*brokenAccount) string, refusedToo bool) hooks {
	var mu sync.Mutex
	done := map[string]store.Result{}
	return hooks{apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		key := of(b) + c.Once
		if r, ok := done[key]; ok && c.Once != "" {
			r.Repeated = true
			return r, nil
		}
		once := c.Once
		c.Once = ""
		r, err := b.Account.Apply(ctx, c)
		if once != "" && (err == nil || refusedToo) {
			if err != nil {
				r.Ops = make([]store.OpResult, len(c.Ops))
			}
			done[key] = r
		}
		return r, err
	}}
}

func renameByCopy(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
	op, ok := c.Ops[0].(store.PutMailbox)
	if !ok || op.Create || op.Name == "" {
		return b.Account.Apply(ctx, c)
	}
	id := store.NewMailboxID()
	r, err := b.Account.Apply(ctx, store.Change{Ops: []store.Op{
		store.PutMailbox{ID: id, Create: true, Name: op.Name},
		store.Copy{Source: op.ID, UIDs: store.AllUIDs(), Dest: id, Move: true},
		store.PutMailbox{ID: op.ID, Delete: true},
	}})
	if err == nil {
		r.Ops = r.Ops[:1]
	}
	return r, err
}

func claimNothing(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
	op, ok := c.Ops[0].(store.ClaimRecent)
	if !ok {
		return b.Account.Apply(ctx, c)
	}
	r, err := b.Account.Apply(ctx, store.Change{Ops: []store.Op{store.SetFlags{Mailbox: op.Mailbox}}})
	if err != nil {
		return r, err
	}
	for m, err := range b.Account.Messages(ctx, op.Mailbox, store.Query{}) {
		if err != nil {
			return r, err
		}
		r.Ops[0].Changed.Add(m.UID)
	}
	return r, nil
}
