package storetest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/store"
)

// locker changes what a MaildropLocker does.
type locker struct {
	store.MaildropLocker
	lock   func(ctx context.Context, holder string) (done bool, err error)
	lease  func(time.Duration) time.Duration
	unlock func(holder *string) (done bool)
}

func (l locker) LockMaildrop(ctx context.Context, holder string, d time.Duration) error {
	if l.lock != nil {
		if done, err := l.lock(ctx, holder); done {
			return err
		}
	}
	if l.lease != nil {
		d = l.lease(d)
	}
	return l.MaildropLocker.LockMaildrop(ctx, holder, d)
}

func (l locker) UnlockMaildrop(ctx context.Context, holder string) error {
	if l.unlock != nil && l.unlock(&holder) {
		return nil
	}
	return l.MaildropLocker.UnlockMaildrop(ctx, holder)
}

func locking(f func(b *brokenAccount, sound store.MaildropLocker) locker) func() hooks {
	return always(capable(func(b *brokenAccount, sound store.MaildropLocker) store.MaildropLocker { return f(b, sound) }))
}

func capabilityDefects() []defect {
	return slices.Concat(lockDefects(), metaDefects(), snapshotDefects(), indexDefects())
}

func lockDefects() []defect {
	return []defect{
		{"never unlocks a maildrop", "LockExcludes", locking(func(b *brokenAccount, sound store.MaildropLocker) locker {
			return locker{MaildropLocker: sound, unlock: func(holder *string) bool { return *holder == "one" && !b.b.many }}
		})},
		{"does not prolong a lease", "LockAgain", func() hooks {
			var short atomic.Bool
			return locking(func(_ *brokenAccount, sound store.MaildropLocker) locker {
				return locker{MaildropLocker: sound, lease: func(d time.Duration) time.Duration {
					if was := short.Swap(d == time.Nanosecond); was {
						return time.Nanosecond
					}
					return d
				}}
			})()
		}},
		{"unlocks for anyone", "LockForeign", locking(func(b *brokenAccount, sound store.MaildropLocker) locker {
			return locker{MaildropLocker: sound, unlock: func(holder *string) bool {
				if b.id == "alice" && *holder == "two" {
					*holder = "one"
				}
				return false
			}}
		})},
		{"locks for ever", "LockExpires", locking(func(_ *brokenAccount, sound store.MaildropLocker) locker {
			return locker{MaildropLocker: sound, lease: func(d time.Duration) time.Duration {
				if d == time.Millisecond {
					d = time.Hour
				}
				return d
			}}
		})},
		{"has one lock for all accounts", "LockPerAccount", locking(func(b *brokenAccount, sound store.MaildropLocker) locker {
			return locker{MaildropLocker: sound, lock: func(context.Context, string) (bool, error) { return b.id == "b", store.ErrLocked }}
		})},
		{"keeps locks as entries", "LockNoChange", locking(func(b *brokenAccount, sound store.MaildropLocker) locker {
			return locker{MaildropLocker: sound, lock: func(ctx context.Context, holder string) (bool, error) {
				_, err := b.Account.Apply(ctx, store.Change{Ops: []store.Op{store.PutEntry{Key: "lock", Value: []byte(holder)}}})
				return err != nil, err
			}}
		})},
		{"locks for two at once", "LockRace", locking(func(_ *brokenAccount, sound store.MaildropLocker) locker {
			return locker{MaildropLocker: sound, lock: func(_ context.Context, holder string) (bool, error) { return strings.HasPrefix(holder, "session"), nil }}
		})},
	}
}

// writer changes what a MetaWriter does.
type writer struct {
	store.MetaWriter
	write func(ctx context.Context, id store.MailboxID, uid store.UID, meta []byte) (done bool, err error)
}

func (w writer) WriteMeta(ctx context.Context, id store.MailboxID, uid store.UID, meta []byte) error {
	if done, err := w.write(ctx, id, uid, meta); done {
		return err
	}
	return w.MetaWriter.WriteMeta(ctx, id, uid, meta)
}

func writing(f func(b *brokenAccount, ctx context.Context, id store.MailboxID, uid store.UID, meta []byte) (bool, error)) hooks {
	return capable(func(b *brokenAccount, sound store.MetaWriter) store.MetaWriter {
		return writer{sound, func(ctx context.Context, id store.MailboxID, uid store.UID, meta []byte) (bool, error) {
			return f(b, ctx, id, uid, meta)
		}}
	})
}

// showing yields the last Meta that p took, in place of the one that is kept.
func showing(p func(kept, offered []byte) bool) func() hooks {
	return func() hooks {
		var last atomic.Pointer[[]byte]
		h := writing(func(_ *brokenAccount, _ context.Context, _ store.MailboxID, _ store.UID, meta []byte) (bool, error) {
			last.Store(&meta)
			return false, nil
		})
		h.messages = eachMessage(func(m *store.Message, q store.Query) bool {
			if offered := last.Load(); offered != nil && q.Fields&store.FieldMeta != 0 && len(m.Meta) > 0 && p(m.Meta, *offered) {
				m.Meta = *offered
			}
			return true
		})().messages
		return h
	}
}

func metaDefects() []defect {
	return []defect{
		{"keeps no Meta of another version", "MetaWritten", always(writing(func(_ *brokenAccount, _ context.Context, _ store.MailboxID, _ store.UID, meta []byte) (bool, error) {
			return meta[0] == 2, nil
		}))},
		{"writes over a newer Meta", "MetaNewer", showing(func(kept, _ []byte) bool { return kept[0] == 0xf0 })},
		{"takes a ModSeq for a Meta", "MetaNoModSeq", always(writing(func(b *brokenAccount, ctx context.Context, id store.MailboxID, _ store.UID, _ []byte) (bool, error) {
			if b.sample(ctx, id).Messages == 2 {
				_, _ = b.Account.Apply(ctx, store.Change{Ops: []store.Op{store.PutEntry{Key: "meta", Value: []byte("written")}}})
			}
			return false, nil
		}))},
		{"fails where the message went", "MetaGone", always(writing(func(b *brokenAccount, ctx context.Context, id store.MailboxID, _ store.UID, _ []byte) (bool, error) {
			return b.sample(ctx, id).ID.IsZero(), store.ErrNoMailbox
		}))},
		{"keeps the octets of its caller", "MetaOwn", showing(func(kept, offered []byte) bool { return len(kept) == 5 && len(offered) == 5 })},
	}
}

// film changes what a Snapshot shows.
type film struct {
	store.Snapshot
	b        *brokenAccount
	modSeq   store.ModSeq // added
	boxes    func(since store.ModSeq) bool
	messages func(ctx context.Context, id store.MailboxID, q *store.Query) (live bool)
	skip     func(m *store.Message) bool
	entries  bool // live
	close    func() error
}

func (s film) ModSeq() store.ModSeq { return s.Snapshot.ModSeq() + s.modSeq }

func (s film) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, error) {
	if s.boxes != nil && s.boxes(since) {
		list, _, err := s.b.Account.Mailboxes(ctx, since)
		return list, err
	}
	return s.Snapshot.Mailboxes(ctx, since)
}

func (s film) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	source := s.Snapshot.Messages
	if s.messages != nil && s.messages(ctx, id, &q) {
		source = s.b.Account.Messages
	}
	return func(yield func(*store.Message, error) bool) {
		for m, err := range source(ctx, id, q) {
			if (err != nil || s.skip == nil || !s.skip(m)) && !yield(m, err) {
				return
			}
		}
	}
}

func (s film) Entries(ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
	if s.entries {
		return s.b.Account.Entries(ctx, q)
	}
	return s.Snapshot.Entries(ctx, q)
}

func (s film) Close() error {
	err := s.Snapshot.Close()
	if s.close != nil {
		return s.close()
	}
	return err
}

type filming struct {
	store.Snapshotter
	f func(film) film
	b *brokenAccount
}

func (s filming) Snapshot(ctx context.Context) (store.Snapshot, error) {
	snap, err := s.Snapshotter.Snapshot(ctx)
	return s.f(film{Snapshot: snap, b: s.b}), err
}

func filmed(f func(film) film) func() hooks {
	return always(capable(func(b *brokenAccount, sound store.Snapshotter) store.Snapshotter { return filming{sound, f, b} }))
}

func snapshotDefects() []defect {
	live := func(p func(b *brokenAccount, ctx context.Context, id store.MailboxID, q *store.Query) bool) func() hooks {
		return filmed(func(s film) film {
			s.messages = func(ctx context.Context, id store.MailboxID, q *store.Query) bool { return p(s.b, ctx, id, q) }
			return s
		})
	}
	return []defect{
		{"says the ModSeq after a snapshot", "SnapshotModSeq", filmed(func(s film) film { s.modSeq = 1; return s })},
		{"shows the messages of now in a snapshot", "SnapshotMessages", live(func(b *brokenAccount, ctx context.Context, id store.MailboxID, _ *store.Query) bool {
			return b.sample(ctx, id).Messages == 4
		})},
		{"shows the mailboxes of now in a snapshot", "SnapshotMailboxes", filmed(func(s film) film {
			s.boxes = func(since store.ModSeq) bool { return since == 0 && s.Snapshot.ModSeq() < s.b.now() }
			return s
		})},
		{"shows no mailbox in a snapshot that was deleted since", "SnapshotDeleted", live(func(b *brokenAccount, ctx context.Context, id store.MailboxID, _ *store.Query) bool {
			return b.sample(ctx, id).ID.IsZero()
		})},
		{"shows the entries of now in a snapshot", "SnapshotEntries", filmed(func(s film) film { s.entries = true; return s })},
		{"shows all as changed in a snapshot", "SnapshotSince", live(func(_ *brokenAccount, _ context.Context, _ store.MailboxID, q *store.Query) bool {
			q.Since = 0
			return false
		})},
		{"collects what a snapshot shows", "SnapshotContent", opening(func(b *brokenAccount, ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
			c, err := b.Account.Content(ctx, id, uid)
			if err == nil && c.Size() == int64(len("kept for the backup")) {
				return nil, errors.Join(store.ErrExpunged, c.Close())
			}
			return c, err
		})},
		{"closes a snapshot once", "SnapshotClose", filmed(func(s film) film {
			var closed atomic.Bool
			s.close = func() error {
				if closed.Swap(true) {
					return store.ErrClosed
				}
				return nil
			}
			return s
		})},
		{"loses a message between two mailboxes of a snapshot", "SnapshotWriters", filmed(func(s film) film {
			u, _ := s.b.Account.Usage(context.Background())
			s.skip = func(m *store.Message) bool { return u.Messages == 5 && m.UID%5 == 0 }
			return s
		})},
	}
}

func (a *brokenAccount) now() store.ModSeq {
	_, now, _ := a.Account.Mailboxes(context.Background(), 0)
	return now
}

type searcher func(ctx context.Context, q store.SearchQuery) (store.SearchHits, error)

func (f searcher) SearchText(ctx context.Context, q store.SearchQuery) (store.SearchHits, error) {
	return f(ctx, q)
}

type sorter func(ctx context.Context, q store.SortQuery) ([]store.UID, error)

func (f sorter) SortMessages(ctx context.Context, q store.SortQuery) ([]store.UID, error) {
	return f(ctx, q)
}

func searching(before func(q *store.SearchQuery), after func(q store.SearchQuery, h *store.SearchHits, err *error)) func() hooks {
	return always(capable(func(_ *brokenAccount, sound store.Searcher) store.Searcher {
		return searcher(func(ctx context.Context, q store.SearchQuery) (store.SearchHits, error) {
			before(&q)
			h, err := sound.SearchText(ctx, q)
			after(q, &h, &err)
			return h, err
		})
	}))
}

func sorting(before func(q *store.SortQuery), after func(uids []store.UID, err error) ([]store.UID, error)) func() hooks {
	return always(capable(func(_ *brokenAccount, sound store.Sorter) store.Sorter {
		return sorter(func(ctx context.Context, q store.SortQuery) ([]store.UID, error) {
			before(&q)
			return after(sound.SortMessages(ctx, q))
		})
	}))
}

func indexDefects() []defect {
	plain := func(*store.SearchQuery) {}
	asked := func(*store.SortQuery) {}
	return []defect{
		{"says no where its index cannot tell", "SearchNeverGuesses", searching(plain, func(_ store.SearchQuery, h *store.SearchHits, _ *error) { h.Unknown = nil })},
		{"searches all though it is asked for some", "SearchUIDs", searching(func(q *store.SearchQuery) { q.UIDs = nil }, func(store.SearchQuery, *store.SearchHits, *error) {})},
		{"finds what was expunged", "SearchExpunged", searching(plain, func(q store.SearchQuery, h *store.SearchHits, _ *error) {
			if q.Text == "needle" && q.In == store.TextAnywhere && len(q.UIDs) == 0 {
				h.Match.Add(1)
			}
		})},
		{"finds nothing in a mailbox that is not there", "SearchNoMailbox", searching(plain, func(_ store.SearchQuery, _ *store.SearchHits, err *error) { *err = nil })},
		{"sorts the other way round", "SortOrder", sorting(asked, func(uids []store.UID, err error) ([]store.UID, error) {
			if len(uids) == 3 {
				uids = reversed(uids)
			}
			return uids, err
		})},
		{"sorts all though it is asked for some", "SortUIDs", sorting(func(q *store.SortQuery) { q.UIDs = nil }, func(uids []store.UID, err error) ([]store.UID, error) { return uids, err })},
		{"sorts nothing in a mailbox that is not there", "SortNoMailbox", sorting(asked, func(uids []store.UID, _ error) ([]store.UID, error) { return uids, nil })},
	}
}
