package storetest

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/store"
)

// coreDefects: what one method or Op does wrong in one respect.
func coreDefects() []defect {
	return slices.Concat(accountDefects(), messageDefects(), flagDefects(), mailboxDefects(), onceDefects(), quotaDefects(), importDefects())
}

func accountDefects() []defect {
	return []defect{
		{"starts HIGHESTMODSEQ at 0", "AccountFresh", lists(func(_ store.ModSeq, list []store.Mailbox) []store.Mailbox {
			if len(list) == 1 && list[0].HighestModSeq == 1 {
				list[0].HighestModSeq = 0
			}
			return list
		})},
		{"makes accounts of ids that are not in NFC", "AccountExists", always(hooks{create: func(b *broken, ctx context.Context, id store.AccountID, info store.AccountInfo) error {
			if id == "cafe\u0301" {
				return nil
			}
			return b.Store.Create(ctx, id, info)
		}})},
		{"ends the list of accounts when one goes meanwhile", "AccountDropInside", always(hooks{accounts: func(s store.Store, ctx context.Context, after store.AccountID) iter.Seq2[store.AccountInfo, error] {
			return func(yield func(store.AccountInfo, error) bool) {
				var all []store.AccountInfo
				for info, err := range s.Accounts(ctx, after) {
					if err != nil {
						yield(info, err)
						return
					}
					all = append(all, info)
				}
				for _, info := range all {
					if _, err := s.Open(ctx, info.ID); err != nil || !yield(info, nil) {
						yield(info, err)
						return
					}
				}
			}
		}})},
		{"drops an account beside other Ops", "AccountDropAlone", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			r, err := b.Account.Apply(ctx, c)
			if _, ok := c.Ops[len(c.Ops)-1].(store.DropAccount); ok && len(c.Ops) > 1 {
				return store.Result{}, nil
			}
			return r, err
		})},
		{"forgets limits that are not given", "AccountLimits", on(func(op *store.PutAccount) {
			if op.Limits == nil && op.State == nil {
				op.Limits = &store.Limits{}
			}
		})},
		{"delivers to closed accounts", "AccountClosed", accepts(store.ErrClosedAcct, any1[store.Append])},
		{"says that a mailbox of another account is a conflict", "AccountsApart", says(store.ErrNoMailbox, store.ErrConflict, func(b *brokenAccount, _ store.Append) bool { return b.id == "b" })},
		{"answers after Close", "StoreClosed", always(hooks{boxes: func(b *brokenAccount, ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
			list, now, err := b.Account.Mailboxes(ctx, since)
			if errors.Is(err, store.ErrClosed) {
				err = nil
			}
			return list, now, err
		}})},
	}
}

func messageDefects() []defect {
	stuck := func() hooks {
		var mu sync.Mutex
		left := false
		return hooks{
			messages: func(b *brokenAccount, ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
				return func(yield func(*store.Message, error) bool) {
					n := 0
					for m, err := range b.Account.Messages(ctx, id, q) {
						if n++; !yield(m, err) {
							mu.Lock()
							left = left || n == 999
							mu.Unlock()
							return
						}
					}
				}
			},
			apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
				mu.Lock()
				defer mu.Unlock()
				if left {
					return store.Result{}, store.ErrTemporary
				}
				return b.Account.Apply(ctx, c)
			},
		}
	}
	return []defect{
		{"does not say the UIDVALIDITY of an Append", "AppendResult", results(func(_ store.Append, c store.Change, r *store.Result) {
			if hasOps(c, 1) {
				r.Ops[0].UIDValidity = 0
			}
		})},
		{"takes a NoSelect name for a conflict", "AppendNoMailbox", says(store.ErrNoMailbox, store.ErrConflict, func(b *brokenAccount, op store.Append) bool {
			return b.sample(context.Background(), op.Mailbox).NoSelect
		})},
		{"takes any number of thread keys", "AppendInvalid", accepts(store.ErrLimit, any1[store.Append])},
		{"takes any number of Appends", "AppendTooMany", accepts(store.ErrTooLarge, any1[store.Append])},
		{"reads a shared blob without the prefix", "AppendSameBlob", opening(func(b *brokenAccount, ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
			c, err := b.Account.Content(ctx, id, uid)
			if err == nil && b.id == "b" && c.Size() == 12 {
				return tail{c}, nil
			}
			return c, err
		})},
		{"says the ModSeq before the Change", "AppendModSeqsAscend", results(func(_ store.Append, c store.Change, r *store.Result) {
			if hasOps(c, 3) {
				r.ModSeq--
			}
		})},
		{"gives messages without a date none", "AppendDefaults", on(func(op *store.Append) {
			if op.Received.IsZero() && op.EmailID == (store.EmailID{}) {
				op.Received = time.Unix(1, 0)
			}
		})},
		{"yields a message twice at a page's border", "MessagesOrder", reading(func(_ *brokenAccount, _ store.Query, n int, m *store.Message, err error, yield func(*store.Message, error) bool) bool {
			return yield(m, err) && (n != 2001 || m.UID != 2004 || yield(m, err))
		})},
		{"loses the last range that ends with *", "MessagesUIDs", changeQuery(func(q *store.Query) {
			if n := len(q.UIDs); n > 1 && q.UIDs[n-1].Last == 1<<32-1 {
				q.UIDs = q.UIDs[:n-1]
			}
		})},
		{"ignores Since where UIDs are given", "MessagesSince", changeQuery(func(q *store.Query) {
			if q.Since > 0 && len(q.UIDs) == 1 && length(q.UIDs, 2) {
				q.Since = 0
			}
		})},
		{"brings Meta without IDs alone", "MessagesFields", eachMessage(func(m *store.Message, q store.Query) bool {
			if q.Fields == store.FieldMeta|store.FieldIDs {
				m.Meta = nil
			}
			return true
		})},
		{"stays locked after a loop that ended early", "MessagesBreak", stuck},
		{"names another error when a mailbox goes while it is read", "MessagesDeletedInside", reading(func(_ *brokenAccount, _ store.Query, n int, m *store.Message, err error, yield func(*store.Message, error) bool) bool {
			if n > 1 && errors.Is(err, store.ErrNoMailbox) {
				err = store.ErrConflict
			}
			return yield(m, err)
		})},
		{"has no changes of a mailbox that is not there", "MessagesNoMailbox", reading(func(_ *brokenAccount, q store.Query, _ int, m *store.Message, err error, yield func(*store.Message, error) bool) bool {
			return q.Since > 0 && errors.Is(err, store.ErrNoMailbox) || yield(m, err)
		})},
		{"reads on when cancelled", "MessagesCancel", always(hooks{messages: func(b *brokenAccount, ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
			return b.Account.Messages(context.WithoutCancel(ctx), id, q)
		}})},
		{"says that an empty message has an octet", "ContentIsPrefixAndBlob", always(hooks{content: func(c store.Content) store.Content { return neverEmpty{c} }})},
		{"takes UID 0 for a mailbox that is not there", "ContentMissing", opening(func(b *brokenAccount, ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
			if uid == 0 {
				return nil, store.ErrNoMailbox
			}
			return b.Account.Content(ctx, id, uid)
		})},
		{"names another error for what was collected", "ContentExpunged", opening(func(b *brokenAccount, ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
			c, err := b.Account.Content(ctx, id, uid)
			if errors.Is(err, store.ErrExpunged) && uid == 1 {
				err = store.ErrCorrupt
			}
			return c, err
		})},
		{"threads by the first of two keys", "ThreadNewest", on(func(op *store.Append) {
			if slices.Equal(op.ThreadKeys, []uint64{3, 1}) {
				op.ThreadKeys = op.ThreadKeys[:1]
			}
		})},
		{"loses the thread with the original", "ThreadCopies", func() hooks {
			var moved atomic.Bool
			return hooks{apply: mapOps(func(op store.Op) store.Op {
				switch op := op.(type) {
				case store.Copy:
					if op.Move {
						moved.Store(true)
					}
				case store.Append:
					if moved.Load() && slices.Equal(op.ThreadKeys, []uint64{1}) {
						op.ThreadKeys = nil
						return op
					}
				}
				return op
			})}
		}},
		{"does not say the thread of a message that starts one", "ThreadAlone", results(func(op store.Append, _ store.Change, r *store.Result) {
			if slices.Equal(op.ThreadKeys, []uint64{2}) && op.SubjectHash == 0 {
				r.Ops[0].ThreadID = store.ThreadID{}
			}
		})},
		{"takes a ModSeq for a claim", "RecentClaim", results(func(_ store.ClaimRecent, c store.Change, r *store.Result) {
			if hasOps(c, 1) {
				r.ModSeq++
			}
		})},
		{"gives every session the same claim", "RecentConcurrent", func() hooks {
			var mu sync.Mutex
			var first store.UIDSet
			return results(func(_ store.ClaimRecent, _ store.Change, r *store.Result) {
				mu.Lock()
				defer mu.Unlock()
				if length(r.Ops[0].Changed, 50) {
					first = r.Ops[0].Changed
				} else if first != nil {
					r.Ops[0].Changed = first
				}
			})()
		}},
	}
}

type neverEmpty struct{ store.Content }

func (c neverEmpty) Size() int64 { return max(1, c.Content.Size()) }

func flagDefects() []defect {
	return []defect{
		{"leaves \\Draft out of all flags", "FlagsModes", on(func(op *store.SetFlags) {
			if op.Mode == store.FlagsAdd && op.Flags == store.AllFlags && op.Keywords == nil {
				op.Flags &^= store.Draft
			}
		})},
		{"says Missing for the first range alone", "FlagsMissing", results(func(op store.SetFlags, _ store.Change, r *store.Result) {
			if o := &r.Ops[0]; len(o.Missing) == 2 && length(op.UIDs, 4) && op.UnchangedSince == nil && op.Flags == store.Seen {
				o.Missing = o.Missing[:1]
			}
		})},
		{"takes any mode", "FlagsInvalid", accepts(store.ErrInvalid, func(op store.SetFlags, _ store.Change) bool { return op.Mode > store.FlagsReplace })},
		{"takes any number of keywords", "FlagsTooMany", accepts(store.ErrLimit, any1[store.SetFlags])},
		{"flags the first thousand ranges", "FlagsScattered", on(func(op *store.SetFlags) { op.UIDs = op.UIDs[:min(len(op.UIDs), 1000)] })},
		{"flags any number of messages", "FlagsLarge", accepts(store.ErrTooLarge, any1[store.SetFlags])},
		{"forgets what an earlier Op expunged", "ExpungeTwice", results(func(_ store.Expunge, c store.Change, r *store.Result) {
			if hasOps(c, 3) {
				r.Ops[2].Missing = nil
			}
		})},
		{"does not say UIDVALIDITY of a copy in place", "CopySameMailbox", results(func(op store.Copy, _ store.Change, r *store.Result) {
			if op.Source == op.Dest && !op.Move {
				r.Ops[0].UIDValidity = 0
			}
		})},
		{"does not say UIDVALIDITY of a move in place", "MoveSameMailbox", results(func(op store.Copy, _ store.Change, r *store.Result) {
			if op.Source == op.Dest && op.Move {
				r.Ops[0].UIDValidity = 0
			}
		})},
		{"does not say what a move expunged", "MovePairs", results(func(op store.Copy, _ store.Change, r *store.Result) {
			if op.Source != op.Dest && op.Move && len(op.UIDs) == 3 && length(op.UIDs, 3) && length(r.Ops[0].Changed, 3) {
				r.Ops[0].Changed = nil
			}
		})},
		{"says no more than 1000 UIDs of a copy", "CopyWhole", results(func(_ store.Copy, _ store.Change, r *store.Result) {
			if d := r.Ops[0].Dest; d.Len() >= store.MaxChange {
				r.Ops[0].Dest = store.UIDSet{{First: d.Min(), Last: d.Min() + 999}}
			}
		})},
		{"takes a ModSeq for a copy of nothing", "CopyNothing", results(func(op store.Copy, _ store.Change, r *store.Result) {
			if len(r.Ops[0].Source) == 0 && len(r.Ops[0].Held) == 0 && op.Move && length(op.UIDs, 1) && op.UIDs.Min() == 6 {
				r.ModSeq++
			}
		})},
		{"copies to mailboxes that are not there", "CopyNoMailbox", accepts(store.ErrNoMailbox, func(_ store.Copy, c store.Change) bool { return hasOps(c, 1) })},
		{"does some of a refused Change", "ChangeAtomic", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			r, err := b.Account.Apply(ctx, c)
			if op, ok := firstOp[store.PutEntry](c); ok && err != nil && hasOps(c, 3) && op.Value != nil && c.Ops[1] != nil && isEntry(c.Ops[1]) {
				_, _ = b.Account.Apply(ctx, store.Change{Ops: c.Ops[:1]})
			}
			return r, err
		})},
		{"stops after five Ops", "ChangeLaterOps", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			if _, ok := firstOp[store.PutMailbox](c); ok && hasOps(c, 6) {
				r, err := b.Account.Apply(ctx, store.Change{Ops: c.Ops[:5]})
				r.Ops = append(r.Ops, store.OpResult{})
				return r, err
			}
			return b.Account.Apply(ctx, c)
		})},
		{"reports the fourth Op without Source", "ChangeOrder", results(func(_ store.SetFlags, c store.Change, r *store.Result) {
			if hasOps(c, 5) {
				r.Ops[3].Source = nil
			}
		})},
		{"takes a ModSeq for an empty Change", "ChangeEmpty", always(hooks{empty: true, apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			r, err := b.Account.Apply(ctx, c)
			if hasOps(c, 0) && c.Once == "" {
				r.ModSeq++
			}
			return r, err
		}})},
		{"takes a nil Op for nothing", "ChangeNil", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			r, err := b.Account.Apply(ctx, c)
			if c.Ops[0] == nil {
				return store.Result{Ops: make([]store.OpResult, 1)}, nil
			}
			return r, err
		})},
	}
}

func mailboxDefects() []defect {
	is := func(name string, f func(m *store.Mailbox)) func() hooks {
		return rows(func(m *store.Mailbox) {
			if m.Name == name {
				f(m)
			}
		})
	}
	rename := func(name string) func(op store.PutMailbox, _ store.Change) bool {
		return func(op store.PutMailbox, _ store.Change) bool { return !op.Create && op.Name == name }
	}
	return []defect{
		{"does not say UIDVALIDITY at Create with a role", "MailboxCreate", results(func(op store.PutMailbox, c store.Change, r *store.Result) {
			if op.Create && op.Role != nil && hasOps(c, 1) {
				r.Ops[0].UIDValidity = 0
			}
		})},
		{"makes a second INBOX", "MailboxCreateTwice", accepts(store.ErrExists, func(op store.PutMailbox, _ store.Change) bool { return op.Create && op.Name == "inbox" })},
		{"sorts names without case", "MailboxOrder", lists(func(_ store.ModSeq, list []store.Mailbox) []store.Mailbox {
			if len(list) == 10 {
				slices.SortFunc(list, func(x, y store.Mailbox) int { return cmp.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)) })
			}
			return list
		})},
		{"keeps facts in the tombstone of a mailbox", "MailboxSince", is("aa", func(m *store.Mailbox) {
			if m.Gone {
				m.UIDNext = 1
			}
		})},
		{"never takes a role away", "MailboxAttributes", on(func(op *store.PutMailbox) {
			if op.Role != nil && *op.Role == "" {
				op.Role = nil
			}
		})},
		{"deletes INBOX", "MailboxDelete", accepts(store.ErrInbox, any1[store.PutMailbox])},
		{"counts messages of a NoSelect name", "MailboxDeleteChildren", is("top", func(m *store.Mailbox) {
			if m.NoSelect {
				m.Messages = 1
			}
		})},
		{"shows a subscription as a mailbox", "MailboxDeleteSubscribed", is("news", func(m *store.Mailbox) { m.NoSelect = false })},
		{"gives a renamed mailbox another UIDVALIDITY", "MailboxValidity", rows(func(m *store.Mailbox) {
			if strings.HasPrefix(m.Name, "away") {
				m.UIDValidity++
			}
		})},
		{"takes a UIDVALIDITY of the past", "MailboxGivenValidity", accepts(store.ErrConflict, any1[store.PutMailbox])},
		{"takes numbers outside an import", "MailboxInvalid", accepts(store.ErrNotImporting, any1[store.PutMailbox])},
		{"loses the role in a rename", "RenameKeeps", is("new", func(m *store.Mailbox) { m.Role = "" })},
		{"loses a level in a rename", "RenameSubtree", is("x/y/b/c", func(m *store.Mailbox) { m.Name = "x/y/c" })},
		{"renames below itself", "RenameRefused", accepts(store.ErrName, rename("a/x"))},
		{"makes a NoSelect name a mailbox by a rename", "RenameNoSelect", is("moved", func(m *store.Mailbox) { m.NoSelect = false })},
		{"does not say what a rename of INBOX moved", "RenameInbox", results(func(op store.PutMailbox, _ store.Change, r *store.Result) {
			if op.Name == "old-mail" {
				r.Ops[0].Source = nil
			}
		})},
		{"makes names below too long", "RenameTooLong", accepts(store.ErrName, rename(long(500)))},
		{"takes line separators in names", "NameRefused", accepts(store.ErrName, func(op store.PutMailbox, _ store.Change) bool { return strings.Contains(op.Name, "\u2028") })},
		{"forgets tombstones of renamed mailboxes", "RandomReplay", lists(func(since store.ModSeq, list []store.Mailbox) []store.Mailbox {
			return slices.DeleteFunc(list, func(m store.Mailbox) bool { return m.Gone && since > 0 && m.Name != "aa" && m.Name != "news" })
		})},
		{"says that a dropped account's store was closed", "WaitDrop", always(hooks{wait: func(b *brokenAccount, ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
			m, err := b.Account.Wait(ctx, after)
			if errors.Is(err, store.ErrNoAccount) {
				err = store.ErrClosed
			}
			return m, err
		}})},
	}
}

func onceDefects() []defect {
	return []defect{
		{"remembers the last key alone, and others by their number", "OnceMany", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			r, err := b.Account.Apply(ctx, c)
			if r.Repeated && c.Once == "17" && hasOps(c, 1) {
				r.Ops[0].Dest = store.UIDs(1)
			}
			return r, err
		})},
		{"uses up the key of a refused Change", "OnceRefused", func() hooks {
			var refused atomic.Bool
			return hooks{apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
				if c.Once == "o" && refused.Load() {
					return store.Result{Repeated: true, Ops: make([]store.OpResult, len(c.Ops))}, nil
				}
				r, err := b.Account.Apply(ctx, c)
				if c.Once == "o" && errors.Is(err, store.ErrConflict) {
					refused.Store(true)
				}
				return r, err
			}}
		}},
		{"trims Once keys", "OncePerAccount", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			c.Once = strings.TrimSpace(c.Once)
			return b.Account.Apply(ctx, c)
		})},
		{"looks for blobs before it looks for Once", "OnceAfterCollection", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			if op, ok := firstOp[store.Append](c); ok && c.Once != "" && op.Blob != "" {
				x, err := b.b.Store.Blobs().Open(context.WithoutCancel(ctx), op.Blob)
				if err != nil {
					return store.Result{}, store.ErrNoBlob
				}
				x.Close()
			}
			return b.Account.Apply(ctx, c)
		})},
		{"shares the Result that it remembers", "OnceResultIsOwn", func() hooks {
			var mu sync.Mutex
			first := map[string]store.Result{}
			return hooks{apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
				mu.Lock()
				defer mu.Unlock()
				r, err := b.Account.Apply(ctx, c)
				if known, ok := first[c.Once]; ok && r.Repeated && len(known.Ops) > 0 {
					known.Repeated = true
					return known, err
				}
				first[c.Once] = r
				return r, err
			}}
		}},
		{"forgets the key of what changed nothing", "OnceNoChange", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			if _, ok := firstOp[store.Expunge](c); ok {
				c.Once = ""
			}
			return b.Account.Apply(ctx, c)
		})},
	}
}

func quotaDefects() []defect {
	return []defect{
		{"lets one octet too many in", "QuotaBytes", accepts(store.ErrOverQuota, func(op store.Append, _ store.Change) bool { return op.Size == 21 })},
		{"counts a list of Appends as one", "QuotaMessages", accepts(store.ErrOverQuota, func(op store.Append, c store.Change) bool {
			second, ok := c.Ops[len(c.Ops)-1].(store.Append)
			return hasOps(c, 2) && ok && op.Size == 1 && second.Size == 1
		})},
		{"does not count a Copy of all", "QuotaCopy", accepts(store.ErrOverQuota, func(op store.Copy, _ store.Change) bool { return len(op.UIDs) == 1 && op.UIDs[0].Last == 1<<32-1 })},
		{"judges quota when all Ops are done", "QuotaFrees", accepts(store.ErrOverQuota, func(_ store.Append, c store.Change) bool {
			_, expunges := c.Ops[len(c.Ops)-1].(store.Expunge)
			return expunges
		})},
		{"does not count levels made by a rename", "QuotaMailboxes", accepts(store.ErrOverQuota, func(op store.PutMailbox, _ store.Change) bool { return op.Name == "x/c" })},
		{"counts an octet too many in Usage", "QuotaUsage", usages(func(u *store.Usage) {
			if u.Messages == 9 && u.Mailboxes == 2 {
				u.Bytes++
			}
		})},
		{"lets two Ops of a Change write one absent key", "EntryIfAbsent", accepts(store.ErrConflict, func(op store.PutEntry, c store.Change) bool { return hasOps(c, 2) && op.Key == "other" })},
		{"takes entries of any size", "EntryLimits", accepts(store.ErrLimit, any1[store.PutEntry])},
		{"holds a lock over a loop of Entries", "EntryLoop", func() hooks {
			var mu sync.Mutex
			return hooks{
				entries: func(b *brokenAccount, ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
					return func(yield func(store.Entry, error) bool) {
						mu.Lock()
						defer mu.Unlock()
						b.Account.Entries(ctx, q)(yield)
					}
				},
				apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
					if op, ok := firstOp[store.PutEntry](c); ok && strings.HasPrefix(op.Key, "k") && op.Value == nil && !hasOps(c, 2) {
						mu.Lock()
						defer mu.Unlock()
					}
					return b.Account.Apply(ctx, c)
				},
			}
		}},
	}
}

func importDefects() []defect {
	return []defect{
		{"does not know the UID of an imported tombstone", "ImportTombstones", opening(func(b *brokenAccount, ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
			c, err := b.Account.Content(ctx, id, uid)
			if errors.Is(err, store.ErrExpunged) && uid == 5 {
				err = store.ErrNoMessage
			}
			return c, err
		})},
		{"delivers while it imports", "ImportRefused", accepts(store.ErrImporting, any1[store.Append])},
		{"imports a UID twice", "ImportTwice", accepts(store.ErrExists, any1[store.Import])},
		{"imports beyond quota", "ImportQuota", accepts(store.ErrOverQuota, any1[store.Import])},
		{"does not say the ModSeq after an import", "ImportLeaves", results(func(op store.PutAccount, _ store.Change, r *store.Result) {
			if op.State != nil && r.ModSeq > jump {
				r.ModSeq--
			}
		})},
		{"keeps an incomplete log over an import", "ImportLeaves", keepsLogAtImport},
		{"takes another UIDVALIDITY than it is given", "ImportMailbox", rows(func(m *store.Mailbox) {
			if m.UIDValidity == 77 {
				m.UIDValidity++
			}
		})},
	}
}

// keepsLogAtImport shows what changed since before an import ended, as though
// nothing could be missing in that. What was purged it knows.
func keepsLogAtImport() hooks {
	var purged atomic.Bool
	return hooks{
		purge: func(*broken, store.AccountID, store.ModSeq) bool { purged.Store(true); return false },
		boxes: func(b *brokenAccount, ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
			list, now, err := b.Account.Mailboxes(ctx, since)
			if errors.Is(err, store.ErrResync) && !purged.Load() {
				list, now, err = b.Account.Mailboxes(ctx, 0)
				list = slices.DeleteFunc(list, func(m store.Mailbox) bool { return max(m.ModSeq, m.HighestModSeq) <= since })
			}
			return list, now, err
		},
	}
}
