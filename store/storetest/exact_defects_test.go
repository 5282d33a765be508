package storetest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// exactDefects show in one place alone what the coarser defects of the same
// rules show in many.
func exactDefects() []defect {
	return slices.Concat(exactReads(), exactOps(), exactRest())
}

func exactReads() []defect {
	twice := func(p func(b *brokenAccount, n int, m *store.Message) int) func() hooks {
		return reading(func(b *brokenAccount, q store.Query, n int, m *store.Message, err error, yield func(*store.Message, error) bool) bool {
			times := 1
			if err == nil && q.Since == 0 {
				times = p(b, n, m)
			}
			for range times {
				if !yield(m, err) {
					return false
				}
			}
			return true
		})
	}
	return []defect{
		{"lists an account that was dropped", "AccountDrop", always(hooks{accounts: func(s store.Store, ctx context.Context, after store.AccountID) iter.Seq2[store.AccountInfo, error] {
			return func(yield func(store.AccountInfo, error) bool) {
				n := 0
				for info, err := range s.Accounts(ctx, after) {
					if n++; !yield(info, err) {
						return
					}
				}
				if n == 0 && after == "" {
					yield(store.AccountInfo{ID: "alice"}, nil)
				}
			}
		}})},
		{"gives mailboxes of one name one UIDVALIDITY for ever", "AccountValidityAfterDrop", rows(func(m *store.Mailbox) {
			if m.Name == "b" {
				m.UIDValidity = 5
			}
		})},
		{"says UIDNEXT of what is left", "AppendUIDsAscend", rows(func(m *store.Mailbox) {
			if m.UIDNext == 20 && m.Messages == 14 {
				m.UIDNext--
			}
		})},
		{"counts one message of many writers too few", "ConcurrentAppend", rows(func(m *store.Mailbox) {
			if m.Messages == 32*6 || m.Messages == 32*20 {
				m.Messages--
			}
		})},
		{"counts a message in both mailboxes", "ConcurrentChanges", lists(func(_ store.ModSeq, list []store.Mailbox) []store.Mailbox {
			if len(list) == 2 && list[0].Messages+list[1].Messages == 8 {
				list[0].Messages++
			}
			return list
		})},
		{"yields a message again that the loop body did not change", "MessagesApplyInside", twice(func(_ *brokenAccount, n int, m *store.Message) int {
			if n == 1001-10 && m.UID == 1001-10 {
				return 2
			}
			return 1
		})},
		{"yields for as long as somebody appends", "MessagesEnds", twice(func(b *brokenAccount, n int, m *store.Message) int {
			if n != 1050 || m.UID != 1050 {
				return 1
			}
			if inbox, _ := store.MailboxByName(context.Background(), b.Account, store.Inbox); inbox.UIDNext > 2500 && inbox.UIDNext < 5000 {
				return 5000
			}
			return 1
		})},
		{"yields tombstones with a size", "ExpungeTombstones", eachMessage(func(m *store.Message, q store.Query) bool {
			if m.Gone && q.Fields == allFields {
				m.Size = 5
			}
			return true
		})},
		{"loses the flags of a copy", "CopyKeeps", eachMessage(func(m *store.Message, _ store.Query) bool {
			if m.UID == 1 && string(m.Key) == "key" {
				m.Flags = 0
			}
			return true
		})},
		{"holds what nobody asks for", "HoldsLive", always(hooks{holds: func(b *broken, ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
			if len(refs) == 0 {
				return []blob.Ref{"x"}, nil
			}
			return b.Store.Holds(ctx, refs)
		}})},
	}
}

func exactOps() []defect {
	keywords := func(want ...string) func(op store.SetFlags) bool {
		return func(op store.SetFlags) bool { return slices.Equal(op.Keywords, want) }
	}
	return []defect{
		{"takes a ModSeq for a keyword in another case", "FlagsNoChange", results(func(op store.SetFlags, _ store.Change, r *store.Result) {
			if keywords("KW")(op) {
				r.ModSeq++
			}
		})},
		{"takes UNCHANGEDSINCE 0 for none", "FlagsUnchangedSince", on(func(op *store.SetFlags) {
			if op.UnchangedSince != nil && *op.UnchangedSince == 0 && op.Flags == store.Draft && op.Keywords == nil {
				op.UnchangedSince = nil
			}
		})},
		{"loses a keyword that comes in two cases", "FlagsKeywordCase", on(func(op *store.SetFlags) {
			if keywords("$jUNK", "C", "c")(*op) {
				op.Keywords = op.Keywords[:1]
			}
		})},
		{"says that a message without \\Deleted is missing", "ExpungeOnlyDeleted", results(func(_ store.SetFlags, c store.Change, r *store.Result) {
			if op, ok := c.Ops[len(c.Ops)-1].(store.Expunge); ok && hasOps(c, 3) && op.OnlyDeleted {
				r.Ops[2].Missing = op.UIDs.Minus(r.Ops[2].Changed)
			}
		})},
		{"does not say UIDVALIDITY of a copy", "CopyPairs", results(func(op store.Copy, _ store.Change, r *store.Result) {
			if op.Source != op.Dest && !op.Move && len(op.UIDs) == 3 && length(op.UIDs, 3) {
				r.Ops[0].UIDValidity = 0
			}
		})},
		{"does not say that a Change with other Ops is a repeat", "OnceRepeats", afterReopen(func(again *atomic.Bool) hooks {
			return results(func(_ store.PutEntry, c store.Change, r *store.Result) {
				if r.Repeated && strings.HasPrefix(c.Once, "queue-id") && !again.Load() {
					r.Repeated = false
				}
			})()
		})},
		{"says of the second repeat that it is none", "OnceConcurrent", func() hooks {
			var repeats atomic.Int64
			return results(func(_ store.Append, c store.Change, r *store.Result) {
				if r.Repeated && c.Once == "1" && repeats.Add(1) == 2 {
					r.Repeated = false
				}
			})()
		}},
		{"says that writers of one key all won", "EntryConcurrent", accepts(store.ErrConflict, func(op store.PutEntry, c store.Change) bool {
			return op.Key == "k" && op.IfAbsent && len(op.Value) == 2 && hasOps(c, 1)
		})},
		{"counts octets beyond a limit that it kept", "QuotaConcurrent", usages(func(u *store.Usage) {
			if u.Bytes == 100 && u.Limits.Bytes == 100 {
				u.Bytes++
			}
		})},
	}
}

// waiting stands in for Wait in a store with one node.
func waiting(f func(b *brokenAccount, ctx context.Context, after store.ModSeq) (store.ModSeq, error)) hooks {
	return hooks{wait: func(b *brokenAccount, ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
		if b.b.many {
			return b.Account.Wait(ctx, after)
		}
		return f(b, ctx, after)
	}}
}

func exactRest() []defect {
	return []defect{
		{"returns another ModSeq where it need not wait", "WaitReturnsAtOnce", func() hooks {
			var calls, opened atomic.Int64
			h := waiting(func(b *brokenAccount, ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
				past := calls.Add(1) == 1 && opened.Load() == 1 && after == 1 && b.now() == 2
				m, err := b.Account.Wait(ctx, after)
				if past {
					m++
				}
				return m, err
			})
			h.openAcct = func(b *broken, ctx context.Context, id store.AccountID) (store.Account, error) {
				opened.Add(1)
				a, err := b.Store.Open(ctx, id)
				if err != nil {
					return nil, err
				}
				return &brokenAccount{a, b, id}, nil
			}
			return h
		}},
		{"returns another ModSeq to all but the first who wait", "WaitWakes", func() hooks {
			var calls atomic.Int64
			return waiting(func(b *brokenAccount, ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
				late := after == 1 && calls.Add(1) > 1
				m, err := b.Account.Wait(ctx, after)
				if late && m == 2 {
					m++
				}
				return m, err
			})
		}},
		{"wakes nobody after many Changes", "WaitNothingMissed", always(waiting(func(b *brokenAccount, ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
			if after >= 200 && after < 1<<30 {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return b.Account.Wait(ctx, after)
		}))},
		{"lets go of the blobs of a dropped account", "HoldsReleased", func() hooks {
			var dropped atomic.Bool
			return hooks{
				apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
					r, err := b.Account.Apply(ctx, c)
					if _, ok := firstOp[store.DropAccount](c); ok && b.id == "other" && err == nil {
						dropped.Store(true)
					}
					return r, err
				},
				holds: func(b *broken, ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
					got, err := b.Store.Holds(ctx, refs)
					if dropped.Load() && !errors.Is(err, store.ErrClosed) {
						return nil, err
					}
					return got, err
				},
			}
		}},
	}
}
