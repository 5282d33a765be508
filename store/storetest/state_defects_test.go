package storetest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// stateful: what a store forgets when it is opened again, purged, collected or
// cancelled.
func stateful() []defect { return slices.Concat(reopenDefects(), cancelDefects(), collectDefects()) }

// afterReopen makes hooks that know whether the store was opened again.
func afterReopen(f func(again *atomic.Bool) hooks) func() hooks {
	return func() hooks {
		again := new(atomic.Bool)
		h := f(again)
		h.reopen = func(*testing.T, *broken) { again.Store(true) }
		return h
	}
}

func reopenDefects() []defect {
	return []defect{
		{"forgets Once keys when it is opened again", "OnceReopened", afterReopen(func(again *atomic.Bool) hooks {
			return hooks{apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
				if again.Load() && strings.HasPrefix(c.Once, "queue-id") {
					c.Once = ""
				}
				return b.Account.Apply(ctx, c)
			}}
		})},
		{"loses keywords when it is opened again", "ReopenSeesEverything", afterReopen(func(again *atomic.Bool) hooks {
			return eachMessage(func(m *store.Message, _ store.Query) bool {
				if again.Load() && slices.Contains(m.Keywords, "$Kw") {
					m.Keywords = nil
				}
				return true
			})()
		})},
		{"takes the ID of a deleted mailbox when it is opened again", "ReopenCounters", afterReopen(func(again *atomic.Bool) hooks {
			sound := accepts(store.ErrExists, any1[store.PutMailbox])().apply
			return hooks{apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
				if again.Load() {
					return sound(b, ctx, c)
				}
				return b.Account.Apply(ctx, c)
			}}
		})},
		{"has dropped accounts again when it is opened again", "ReopenDropped", afterReopen(func(again *atomic.Bool) hooks {
			return hooks{openAcct: func(b *broken, ctx context.Context, id store.AccountID) (store.Account, error) {
				if again.Load() && id == "bob" {
					id = "alice"
				}
				a, err := b.Store.Open(ctx, id)
				return &brokenAccount{a, b, id}, err
			}}
		})},
		{"purges entries that are there", "PurgeKeeps", func() hooks {
			var purged atomic.Bool
			return hooks{
				purge: func(*broken, store.AccountID, store.ModSeq) bool { purged.Store(true); return false },
				entries: func(b *brokenAccount, ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
					if purged.Load() && q.Since == 0 {
						q.Prefix = "purged"
					}
					return b.Account.Entries(ctx, q)
				},
			}
		}},
		{"lets go of what a refused Change would release", "HoldsRefused", func() hooks {
			var refused atomic.Bool
			return hooks{
				apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
					r, err := b.Account.Apply(ctx, c)
					if _, ok := firstOp[store.Expunge](c); ok && err != nil && hasOps(c, 2) {
						refused.Store(true)
					}
					return r, err
				},
				holds: func(b *broken, ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
					if refused.Load() {
						return nil, nil
					}
					return b.Store.Holds(ctx, refs)
				},
			}
		}},
	}
}

func cancelDefects() []defect {
	plain := context.WithoutCancel
	return []defect{
		{"opens when cancelled", "CancelOpen", always(hooks{openAcct: func(b *broken, ctx context.Context, id store.AccountID) (store.Account, error) {
			a, err := b.Store.Open(plain(ctx), id)
			if err != nil {
				return nil, err
			}
			return &brokenAccount{a, b, id}, nil
		}})},
		{"creates when cancelled", "CancelCreate", always(hooks{create: func(b *broken, ctx context.Context, id store.AccountID, info store.AccountInfo) error {
			return b.Store.Create(plain(ctx), id, info)
		}})},
		{"lists accounts when cancelled", "CancelAccounts", always(hooks{accounts: func(s store.Store, ctx context.Context, after store.AccountID) iter.Seq2[store.AccountInfo, error] {
			return s.Accounts(plain(ctx), after)
		}})},
		{"lists mailboxes when cancelled, with entries", "CancelMailboxes", always(hooks{boxes: func(b *brokenAccount, ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
			list, now, err := b.Account.Mailboxes(plain(ctx), since)
			if err == nil && len(list) == 1 && list[0].Messages == 0 {
				err = ctx.Err()
			}
			return list, now, err
		}})},
		{"says usage when cancelled", "CancelUsage", always(hooks{usage: func(b *brokenAccount, ctx context.Context) (store.Usage, error) {
			u, err := b.Account.Usage(plain(ctx))
			if err == nil && u.Messages == 0 {
				err = ctx.Err()
			}
			return u, err
		}})},
		{"opens content when cancelled", "CancelContent", opening(func(b *brokenAccount, ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
			return b.Account.Content(plain(ctx), id, uid)
		})},
		{"lists entries when cancelled", "CancelEntries", always(hooks{entries: func(b *brokenAccount, ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
			return b.Account.Entries(plain(ctx), q)
		}})},
		{"holds nothing when cancelled", "CancelHolds", always(hooks{holds: func(b *broken, ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
			got, err := b.Store.Holds(ctx, refs)
			if errors.Is(err, context.Canceled) {
				return nil, nil
			}
			return got, err
		}})},
		{"says that a Change was cancelled which it applied", "CancelMidway", func() hooks {
			var once sync.Once
			return hooks{apply: func(b *brokenAccount, ctx context.Context, c store.Change) (r store.Result, err error) {
				if op, ok := c.Ops[len(c.Ops)-1].(store.PutEntry); !ok || op.Key != "n" || c.Once != "2" {
					return b.Account.Apply(ctx, c)
				}
				lie := false
				once.Do(func() { lie = true })
				if !lie {
					return b.Account.Apply(ctx, c)
				}
				<-ctx.Done()
				_, _ = b.Account.Apply(plain(ctx), c)
				return r, ctx.Err()
			}}
		}},
	}
}

// holding stands in for Holds where a collector asks, with all its candidates.
func holding(p func(refs []blob.Ref) bool, all bool) func() hooks {
	return always(hooks{holds: func(b *broken, ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
		if slices.Contains(refs, "no-such-ref") || !p(refs) {
			return b.Store.Holds(ctx, refs)
		}
		if all {
			return refs, nil
		}
		return nil, nil
	}})
}

// broke is a Content that cannot be read beyond its half.
type broke struct{ store.Content }

func (c broke) ReadAt(p []byte, off int64) (int, error) {
	if off > c.Size()/2 {
		return 0, blob.ErrNoBlob
	}
	return c.Content.ReadAt(p, off)
}

func collectDefects() []defect {
	return []defect{
		{"holds what nobody adopted", "CollectUnused", holding(func(refs []blob.Ref) bool { return len(refs) == 2 }, true)},
		{"lets go of what four Ops released", "CollectGrace", holding(func(refs []blob.Ref) bool { return len(refs) == 4 }, false)},
		{"lets go of what is copied", "CollectCopies", holding(func(refs []blob.Ref) bool { return len(refs) == 5 }, false)},
		{"closes what is read when it collects", "CollectReaders", always(hooks{content: func(c store.Content) store.Content {
			if c.Size() == 100_000 {
				return broke{c}
			}
			return c
		}})},
		{"names another error for a blob that was collected", "CollectAppends", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			if op, ok := firstOp[store.Append](c); ok && op.Size == 18 && op.EmailID == (store.EmailID{}) {
				return store.Result{}, store.ErrInvalid
			}
			return b.Account.Apply(ctx, c)
		})},
		{"lets go of a blob with the first of its accounts", "CollectAccounts", func() hooks {
			var dropped atomic.Bool
			return hooks{
				apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
					r, err := b.Account.Apply(ctx, c)
					if _, ok := firstOp[store.DropAccount](c); ok && b.id == "a" && err == nil {
						dropped.Store(true)
					}
					return r, err
				},
				holds: func(b *broken, ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
					if dropped.Load() && len(refs) == 1 {
						return nil, nil
					}
					return b.Store.Holds(ctx, refs)
				},
			}
		}},
		{"says one message too few of a large mailbox", "LargeMailbox", rows(func(m *store.Mailbox) {
			if m.Messages == 499 {
				m.Messages--
			}
		})},
		{"sorts thousands of mailboxes no more", "LargeAccount", lists(func(_ store.ModSeq, list []store.Mailbox) []store.Mailbox {
			if len(list) == 51 {
				slices.Reverse(list)
			}
			return list
		})},
		{"reads a large message from its start", "LargeContent", always(hooks{content: func(c store.Content) store.Content {
			if c.Size() > 1<<20 {
				return shifted{c}
			}
			return c
		}})},
	}
}

type shifted struct{ store.Content }

func (c shifted) ReadAt(p []byte, off int64) (int, error) {
	if off > 1<<19 {
		off -= 1 << 10
	}
	return c.Content.ReadAt(p, off+16)
}
