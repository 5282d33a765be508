package storetest

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/mailstead/mailstead/store"
)

// The kit of which defects are made.

type applyFunc = func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error)

// always gives every store the same hooks, which keep no state.
func always(h hooks) func() hooks { return func() hooks { return h } }

// applying stands in for Apply.
func applying(f applyFunc) func() hooks { return always(hooks{apply: f}) }

// firstOp is the first Op of a Change, when it is a T.
func firstOp[T store.Op](c store.Change) (op T, ok bool) {
	if len(c.Ops) > 0 {
		op, ok = c.Ops[0].(T)
	}
	return op, ok
}

// accepts says OK to a Change that the sound store refuses so, if its first Op
// is a T for which p holds; nothing is done.
func accepts[T store.Op](refusal error, p func(op T, c store.Change) bool) func() hooks {
	return applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
		r, err := b.Account.Apply(ctx, c)
		if op, ok := firstOp[T](c); ok && errors.Is(err, refusal) && p(op, c) {
			return store.Result{Ops: make([]store.OpResult, len(c.Ops))}, nil
		}
		return r, err
	})
}

func any1[T store.Op](T, store.Change) bool { return true }

// results changes the Result of a Change whose first Op is a T.
func results[T store.Op](f func(op T, c store.Change, r *store.Result)) func() hooks {
	return applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
		r, err := b.Account.Apply(ctx, c)
		if op, ok := firstOp[T](c); ok && err == nil && len(r.Ops) > 0 {
			f(op, c, &r)
		}
		return r, err
	})
}

// says puts another error in the place of one.
func says[T store.Op](is, instead error, p func(b *brokenAccount, op T) bool) func() hooks {
	return applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
		r, err := b.Account.Apply(ctx, c)
		if op, ok := firstOp[T](c); ok && errors.Is(err, is) && p(b, op) {
			return r, instead
		}
		return r, err
	})
}

// rows changes what Mailboxes returns.
func rows(f func(m *store.Mailbox)) func() hooks {
	return lists(func(_ store.ModSeq, list []store.Mailbox) []store.Mailbox {
		for i := range list {
			f(&list[i])
		}
		return list
	})
}

func lists(f func(since store.ModSeq, list []store.Mailbox) []store.Mailbox) func() hooks {
	return always(hooks{mailboxes: func(since store.ModSeq, list []store.Mailbox, now store.ModSeq) ([]store.Mailbox, store.ModSeq) {
		return f(since, list), now
	}})
}

// usages changes what Usage returns.
func usages(f func(u *store.Usage)) func() hooks {
	return always(hooks{usage: func(b *brokenAccount, ctx context.Context) (store.Usage, error) {
		u, err := b.Account.Usage(ctx)
		f(&u)
		return u, err
	}})
}

// opening stands in for Content.
func opening(f func(b *brokenAccount, ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error)) func() hooks {
	return always(hooks{open: f})
}

// reading changes what Messages yields; f gets the number of the step.
func reading(f func(b *brokenAccount, q store.Query, n int, m *store.Message, err error, yield func(*store.Message, error) bool) bool) func() hooks {
	return always(hooks{messages: func(b *brokenAccount, ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
		return func(yield func(*store.Message, error) bool) {
			n := 0
			for m, err := range b.Account.Messages(ctx, id, q) {
				if n++; !f(b, q, n, m, err, yield) {
					return
				}
			}
		}
	}})
}

// capable stands in for one capability.
func capable[T any](f func(b *brokenAccount, sound T) T) hooks {
	return hooks{as: func(b *brokenAccount, target any) (handled, ok bool) {
		t, ok := target.(*T)
		if !ok {
			return false, false
		}
		sound, _ := store.As[T](b.Account)
		*t = f(b, sound)
		return true, true
	}}
}

// sample is the row of a mailbox.
func (a *brokenAccount) sample(ctx context.Context, id store.MailboxID) store.Mailbox {
	m, _ := store.MailboxByID(ctx, a.Account, id)
	return m
}

func (a *brokenAccount) held(ctx context.Context) []store.Hold {
	list, _ := store.ListHolds(ctx, a.Account)
	return list
}

// unhold takes all holds away.
func (a *brokenAccount) unhold(ctx context.Context) {
	for _, h := range a.held(ctx) {
		_ = store.DropHold(ctx, a.Account, h.Name)
	}
}

func length(s store.UIDSet, n int64) bool { return s.Len() == n }

func hasOps(c store.Change, n int) bool { return len(c.Ops) == n }

func isEntry(op store.Op) bool { _, ok := op.(store.PutEntry); return ok }

func reversed[T any](s []T) []T { s = slices.Clone(s); slices.Reverse(s); return s }
