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

func readDefects() []defect {
	return []defect{
		{"leaves out tombstones", "ExpungeTombstones +", eachMessage(func(m *store.Message, _ store.Query) bool { return !m.Gone })},
		{"yields tombstones with their facts", "ExpungeTombstones +", eachMessage(func(m *store.Message, _ store.Query) bool {
			m.Size += 5
			return true
		})},
		{"leaves out the blob's Ref", "MessagesFields +", eachMessage(func(m *store.Message, _ store.Query) bool { m.Blob = ""; return true })},
		{"does not sort keywords", "AppendFields +", eachMessage(func(m *store.Message, _ store.Query) bool { slices.Reverse(m.Keywords); return true })},
		{"counts the blob alone as RFC822.SIZE", "AppendDefaults +", eachMessage(func(m *store.Message, _ store.Query) bool {
			m.Size -= int64(len(m.Prefix))
			return true
		})},
		{"shows each second UID later than the rest", "ConcurrentAppend +", hideFirst},
		{"takes Since for at or after", "MessagesSince +", changeQuery(func(q *store.Query) {
			if q.Since > 1 {
				q.Since--
			}
		})},
		{"ignores Query.UIDs", "MessagesUIDs +", changeQuery(func(q *store.Query) { q.UIDs = nil })},
		{"ignores Query.UIDs where Since is given", "MessagesSince +", changeQuery(func(q *store.Query) {
			if q.Since > 0 {
				q.UIDs = nil
			}
		})},
		{"ignores Since", "RandomReplay +", changeQuery(func(q *store.Query) { q.Since = 0 })},
		{"holds a lock over the loop body", "MessagesApplyInside +", lockedLoop},
		{"follows what comes while the loop runs", "MessagesEnds +", endlessLoop},
		{"yields only the first page", "MessagesOrder +", firstPage},
		{"opens the blob without the prefix", "ContentIsPrefixAndBlob +", func() hooks { return hooks{content: func(c store.Content) store.Content { return tail{c} }} }},
		{"reads short without an error", "ContentReadAt", func() hooks { return hooks{content: func(c store.Content) store.Content { return short{c} }} }},
		{"hides expunged messages", "ContentExpunged +", func() hooks { return hooks{open: openLive} }},
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
		{"waits for the next Change alone", "WaitReturnsAtOnce +", func() hooks {
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
		{"does not wake for changes of flags and messages", "WaitWakes +", func() hooks {
			return hooks{wait: func(b *brokenAccount, ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			}}
		}},
		{"holds nothing", "HoldsLive +", func() hooks {
			return hooks{holds: func(*broken, context.Context, []blob.Ref) ([]blob.Ref, error) { return nil, nil }}
		}},
		{"holds everything", "HoldsLive +", func() hooks {
			return hooks{holds: func(_ *broken, _ context.Context, refs []blob.Ref) ([]blob.Ref, error) { return refs, nil }}
		}},
		{"lets go at once", "HoldsReleased +", func() hooks { return hooks{holds: holdLive} }},
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
func holdLive(s *broken, ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
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
	return []defect{
		{"returns mailboxes in any order", "MailboxOrder +", func() hooks {
			return hooks{mailboxes: func(_ store.ModSeq, list []store.Mailbox, now store.ModSeq) ([]store.Mailbox, store.ModSeq) {
				slices.Reverse(list)
				return list, now
			}}
		}},
		{"forgets deleted mailboxes", "MailboxSince +", func() hooks {
			return hooks{mailboxes: func(_ store.ModSeq, list []store.Mailbox, now store.ModSeq) ([]store.Mailbox, store.ModSeq) {
				return slices.DeleteFunc(list, func(m store.Mailbox) bool { return m.Gone }), now
			}}
		}},
		{"says a ModSeq that is not there yet", "AppendModSeqsAscend +", func() hooks {
			return hooks{mailboxes: func(_ store.ModSeq, list []store.Mailbox, now store.ModSeq) ([]store.Mailbox, store.ModSeq) {
				return list, now + 1
			}}
		}},
		{"counts \\Deleted messages as unseen", "RandomModel", rows(func(m *store.Mailbox) { m.Unseen = max(m.Unseen, m.Deleted) })},
		{"does not count octets", "RandomModel +", rows(func(m *store.Mailbox) { m.Bytes = m.Messages })},
		{"says UIDNEXT one too low", "AppendUIDsAscend +", rows(func(m *store.Mailbox) { m.UIDNext-- })},
		{"gives all mailboxes one UIDVALIDITY", "MailboxValidity +", rows(func(m *store.Mailbox) { m.UIDValidity = 1 })},
		{"gives UIDVALIDITY by the clock alone", "AccountValidityAfterDrop +", rows(func(m *store.Mailbox) { m.UIDValidity = store.UIDValidity(time.Now().Unix()) })},
		{"keeps names as they come", "NameClean", rows(func(m *store.Mailbox) { m.Name = strings.ReplaceAll(m.Name, "\u00e9", "e\u0301") })},
		{"shows NoSelect names as mailboxes", "MailboxDeleteChildren +", rows(func(m *store.Mailbox) { m.NoSelect = false })},
		{"says HIGHESTMODSEQ of the mailbox row alone", "AppendModSeqsAscend +", rows(func(m *store.Mailbox) { m.HighestModSeq = m.ModSeq })},
	}
}
