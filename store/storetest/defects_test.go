package storetest

import (
	"context"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// defect is a fault of a store and the check that must find it.
type defect struct {
	name  string // completes "a store that ..."
	check string
	hooks func() hooks // fresh for each store
}

func defects() []defect {
	return slices.Concat(applyDefects(), readDefects(), stateDefects())
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
		{"ignores UNCHANGEDSINCE", "FlagsUnchangedSince", on(func(op *store.SetFlags) { op.UnchangedSince = nil })},
		{"takes UNCHANGEDSINCE for one more", "FlagsUnchangedSince", on(func(op *store.SetFlags) {
			if op.UnchangedSince != nil {
				since := *op.UnchangedSince + 1
				op.UnchangedSince = &since
			}
		})},
		{"expunges without \\Deleted", "ExpungeOnlyDeleted", on(func(op *store.Expunge) { op.OnlyDeleted = false })},
		{"ignores IgnoreQuota", "QuotaIgnore", on(func(op *store.Append) { op.IgnoreQuota = false })},
		{"does not count Append against quota", "QuotaMessages", on(func(op *store.Append) { op.IgnoreQuota = true })},
		{"does not count Copy against quota", "QuotaCopy", on(func(op *store.Copy) { op.IgnoreQuota = true })},
		{"copies where it should move", "MovePairs", on(func(op *store.Copy) { op.Move = false })},
		{"ignores IfAbsent", "EntryIfAbsent", on(func(op *store.PutEntry) { op.IfAbsent = false })},
		{"ignores IfModSeq", "EntryIfModSeq", on(func(op *store.PutEntry) { op.IfModSeq = nil })},
		{"ignores Expires", "EntryExpires", on(func(op *store.PutEntry) { op.Expires = time.Time{} })},
		{"takes an empty value for removal", "EntryPut", on(func(op *store.PutEntry) {
			if len(op.Value) == 0 {
				op.Value = nil
			}
		})},
		{"threads without the subject", "ThreadJoins", on(func(op *store.Append) { op.SubjectHash = 0 })},
		{"threads by the first key alone", "ThreadJoins", on(func(op *store.Append) { op.ThreadKeys = op.ThreadKeys[:min(1, len(op.ThreadKeys))] })},
		{"chooses ModSeqs at Import", "ImportNumbers", on(func(op *store.Import) { op.ModSeq = 0 })},
		{"chooses threads at Import", "ImportNumbers", on(func(op *store.Import) { op.ThreadID = store.ThreadID{} })},
		{"loses the zone of Received", "AppendFields", on(func(op *store.Append) { op.Received = op.Received.UTC() })},
		{"makes keywords lower case", "FlagsKeywordCase", on(func(op *store.Append) {
			op.Keywords = slices.Clone(op.Keywords)
			for i, kw := range op.Keywords {
				op.Keywords[i] = strings.ToLower(kw)
			}
		})},
		{"forgets that a mailbox is subscribed when it is deleted", "MailboxDeleteSubscribed", on(func(op *store.PutMailbox) { op.Subscribed = nil })},
		{"lets Create choose the UIDVALIDITY", "ImportMailbox", on(func(op *store.PutMailbox) { op.UIDValidity = 0 })},
		{"ignores Once", "OnceRepeats", func() hooks {
			return hooks{apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
				c.Once = ""
				return b.Account.Apply(ctx, c)
			}}
		}},
		{"splits a Change", "ChangeAtomic", func() hooks { return hooks{apply: splitChange} }},
		{"takes a ModSeq for every SetFlags", "FlagsNoChange", func() hooks { return hooks{apply: touchAlways} }},
		{"applies what was cancelled before", "ChangeCancelled", func() hooks {
			return hooks{apply: func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
				return b.Account.Apply(context.WithoutCancel(ctx), c)
			}}
		}},
		{"copies from the last to the first", "CopyPairs", func() hooks { return hooks{apply: copyBackwards} }},
		{"remembers Once of a refused Change", "OnceRefused", func() hooks { return onceMap(func(*brokenAccount) string { return "" }, true) }},
		{"shares Once keys between accounts", "OncePerAccount", func() hooks { return onceMap(func(*brokenAccount) string { return "" }, false) }},
		{"renames by making another mailbox", "RenameKeeps", func() hooks { return hooks{apply: renameByCopy} }},
		{"does not claim what is recent", "RecentClaim", func() hooks { return hooks{apply: claimNothing} }},
		{"keeps a dropped account", "AccountDrop", func() hooks {
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

func readDefects() []defect {
	return []defect{
		{"leaves out tombstones", "ExpungeTombstones", eachMessage(func(m *store.Message, _ store.Query) bool { return !m.Gone })},
		{"yields tombstones with their facts", "ExpungeTombstones", eachMessage(func(m *store.Message, _ store.Query) bool {
			m.Size += 5
			return true
		})},
		{"leaves out the blob's Ref", "MessagesFields", eachMessage(func(m *store.Message, _ store.Query) bool { m.Blob = ""; return true })},
		{"does not sort keywords", "AppendFields", eachMessage(func(m *store.Message, _ store.Query) bool { slices.Reverse(m.Keywords); return true })},
		{"counts the blob alone as RFC822.SIZE", "AppendDefaults", eachMessage(func(m *store.Message, _ store.Query) bool {
			m.Size -= int64(len(m.Prefix))
			return true
		})},
		{"shows each second UID later than the rest", "ConcurrentAppend", hideFirst},
		{"takes Since for at or after", "MessagesSince", changeQuery(func(q *store.Query) {
			if q.Since > 1 {
				q.Since--
			}
		})},
		{"ignores Query.UIDs", "MessagesUIDs", changeQuery(func(q *store.Query) { q.UIDs = nil })},
		{"ignores Query.UIDs where Since is given", "MessagesSince", changeQuery(func(q *store.Query) {
			if q.Since > 0 {
				q.UIDs = nil
			}
		})},
		{"ignores Since", "RandomReplay", changeQuery(func(q *store.Query) { q.Since = 0 })},
		{"holds a lock over the loop body", "MessagesApplyInside", lockedLoop},
		{"follows what comes while the loop runs", "MessagesEnds", endlessLoop},
		{"yields only the first page", "MessagesOrder", firstPage},
		{"opens the blob without the prefix", "ContentIsPrefixAndBlob", func() hooks { return hooks{content: func(c store.Content) store.Content { return tail{c} }} }},
		{"reads short without an error", "ContentReadAt", func() hooks { return hooks{content: func(c store.Content) store.Content { return short{c} }} }},
		{"hides expunged messages", "ContentExpunged", func() hooks { return hooks{open: openLive} }},
		{"takes an entry's prefix for a pattern", "EntryOrder", func() hooks {
			return hooks{entries: func(b *brokenAccount, ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
				q.Prefix, _, _ = strings.Cut(q.Prefix, "%")
				return b.Account.Entries(ctx, q)
			}}
		}},
		{"forgets the removal of entries", "EntrySince", func() hooks {
			return hooks{entries: func(b *brokenAccount, ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
				return func(yield func(store.Entry, error) bool) {
					for e, err := range b.Account.Entries(ctx, q) {
						if !e.Gone && !yield(e, err) {
							return
						}
					}
				}
			}}
		}},
		{"waits for the next Change alone", "WaitReturnsAtOnce", func() hooks {
			return hooks{wait: func(b *brokenAccount, ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
				_, now, err := b.Account.Mailboxes(ctx, 0)
				if err != nil {
					return 0, err
				}
				return b.Account.Wait(ctx, now)
			}}
		}},
		{"waits on when cancelled", "WaitCancel", func() hooks {
			return hooks{wait: func(b *brokenAccount, ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
				return b.Account.Wait(context.WithoutCancel(ctx), after)
			}}
		}},
		{"does not wake for changes of flags and messages", "WaitWakes", func() hooks {
			return hooks{wait: func(b *brokenAccount, ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			}}
		}},
		{"holds nothing", "HoldsLive", func() hooks {
			return hooks{holds: func(store.Store, context.Context, []blob.Ref) ([]blob.Ref, error) { return nil, nil }}
		}},
		{"holds everything", "HoldsLive", func() hooks {
			return hooks{holds: func(_ store.Store, _ context.Context, refs []blob.Ref) ([]blob.Ref, error) { return refs, nil }}
		}},
		{"lets go at once", "HoldsReleased", func() hooks { return hooks{holds: holdLive} }},
		{"lists accounts from the beginning", "AccountList", func() hooks {
			return hooks{accounts: func(s store.Store, ctx context.Context, _ store.AccountID) iter.Seq2[store.AccountInfo, error] {
				return s.Accounts(ctx, "")
			}}
		}},
	}
}

// eachMessage changes or leaves out what Messages yields.
func eachMessage(f func(m *store.Message, q store.Query) bool) func() hooks {
	return func() hooks {
		return hooks{messages: func(b *brokenAccount, ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
			return func(yield func(*store.Message, error) bool) {
				for m, err := range b.Account.Messages(ctx, id, q) {
					if (err != nil || f(m, q)) && !yield(m, err) {
						return
					}
				}
			}
		}}
	}
}

func changeQuery(f func(q *store.Query)) func() hooks {
	return func() hooks {
		return hooks{messages: func(b *brokenAccount, ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
			f(&q)
			return b.Account.Messages(ctx, id, q)
		}}
	}
}

// hideFirst leaves out each even UID the first time it would be seen.
func hideFirst() hooks {
	seen := map[store.UID]bool{}
	return eachMessage(func(m *store.Message, _ store.Query) bool {
		hide := m.UID%2 == 0 && !seen[m.UID]
		seen[m.UID] = true
		return !hide
	})()
}

func lockedLoop() hooks {
	var mu sync.Mutex
	h := hooks{}
	h.messages = func(b *brokenAccount, ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
		return func(yield func(*store.Message, error) bool) {
			mu.Lock()
			defer mu.Unlock()
			for m, err := range b.Account.Messages(ctx, id, q) {
				if !yield(m, err) {
					return
				}
			}
		}
	}
	h.apply = func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		return b.Account.Apply(ctx, c)
	}
	return h
}

func endlessLoop() hooks {
	return hooks{messages: func(b *brokenAccount, ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
		return func(yield func(*store.Message, error) bool) {
			q.UIDs = store.AllUIDs()
			for last := store.UID(0); ; q.UIDs = (store.UIDSet{{First: last + 1, Last: 1<<32 - 1}}) {
				n := 0
				for m, err := range b.Account.Messages(ctx, id, q) {
					if n, last = n+1, m.UID; !yield(m, err) {
						return
					}
				}
				if n == 0 {
					return
				}
			}
		}
	}}
}

func firstPage() hooks {
	return hooks{messages: func(b *brokenAccount, ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
		return func(yield func(*store.Message, error) bool) {
			n := 0
			for m, err := range b.Account.Messages(ctx, id, q) {
				if n++; n > 1000 || !yield(m, err) {
					return
				}
			}
		}
	}}
}

// tail loses the first octets, short a part of what was asked for.
type tail struct{ store.Content }

func (c tail) ReadAt(p []byte, off int64) (int, error) { return c.Content.ReadAt(p, off+5) }

type short struct{ store.Content }

func (c short) ReadAt(p []byte, off int64) (int, error) {
	if off < 6 && off+int64(len(p)) > 6 {
		n, err := c.Content.ReadAt(p[:6-off], off)
		return n, err
	}
	n, err := c.Content.ReadAt(p, off)
	if n == len(p) && err == io.EOF {
		err = nil
	}
	return n, err
}

func openLive(b *brokenAccount, ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	for range b.Account.Messages(ctx, id, store.Query{UIDs: store.UIDs(uid)}) {
		return b.Account.Content(ctx, id, uid)
	}
	return nil, store.ErrExpunged
}

// holdLive names what a message refers to now, and nothing that was released.
func holdLive(s store.Store, ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
	live := map[blob.Ref]bool{}
	for info := range s.Accounts(ctx, "") {
		a, err := s.Open(ctx, info.ID)
		if err != nil {
			return nil, err
		}
		boxes, _, err := a.Mailboxes(ctx, 0)
		if err != nil {
			return nil, err
		}
		for _, m := range boxes {
			for msg := range a.Messages(ctx, m.ID, store.Query{Fields: store.FieldContent}) {
				live[msg.Blob] = true
			}
		}
	}
	maps.DeleteFunc(live, func(ref blob.Ref, _ bool) bool { return !slices.Contains(refs, ref) })
	return slices.Collect(maps.Keys(live)), nil
}

func stateDefects() []defect {
	rows := func(f func(m *store.Mailbox)) func() hooks {
		return func() hooks {
			return hooks{mailboxes: func(_ store.ModSeq, list []store.Mailbox, now store.ModSeq) ([]store.Mailbox, store.ModSeq) {
				for i := range list {
					f(&list[i])
				}
				return list, now
			}}
		}
	}
	return []defect{
		{"returns mailboxes in any order", "MailboxOrder", func() hooks {
			return hooks{mailboxes: func(_ store.ModSeq, list []store.Mailbox, now store.ModSeq) ([]store.Mailbox, store.ModSeq) {
				slices.Reverse(list)
				return list, now
			}}
		}},
		{"forgets deleted mailboxes", "MailboxSince", func() hooks {
			return hooks{mailboxes: func(_ store.ModSeq, list []store.Mailbox, now store.ModSeq) ([]store.Mailbox, store.ModSeq) {
				return slices.DeleteFunc(list, func(m store.Mailbox) bool { return m.Gone }), now
			}}
		}},
		{"says a ModSeq that is not there yet", "AppendModSeqsAscend", func() hooks {
			return hooks{mailboxes: func(_ store.ModSeq, list []store.Mailbox, now store.ModSeq) ([]store.Mailbox, store.ModSeq) {
				return list, now + 1
			}}
		}},
		{"counts \\Deleted messages as unseen", "RandomModel", rows(func(m *store.Mailbox) { m.Unseen = max(m.Unseen, m.Deleted) })},
		{"does not count octets", "RandomModel", rows(func(m *store.Mailbox) { m.Bytes = m.Messages })},
		{"says UIDNEXT one too low", "AppendUIDsAscend", rows(func(m *store.Mailbox) { m.UIDNext-- })},
		{"gives all mailboxes one UIDVALIDITY", "MailboxValidity", rows(func(m *store.Mailbox) { m.UIDValidity = 1 })},
		{"gives UIDVALIDITY by the clock alone", "AccountValidityAfterDrop", rows(func(m *store.Mailbox) { m.UIDValidity = store.UIDValidity(time.Now().Unix()) })},
		{"keeps names as they come", "NameClean", rows(func(m *store.Mailbox) { m.Name = strings.ReplaceAll(m.Name, "\u00e9", "e\u0301") })},
		{"shows NoSelect names as mailboxes", "MailboxDeleteChildren", rows(func(m *store.Mailbox) { m.NoSelect = false })},
		{"says HIGHESTMODSEQ of the mailbox row alone", "AppendModSeqsAscend", rows(func(m *store.Mailbox) { m.HighestModSeq = m.ModSeq })},
	}
}
