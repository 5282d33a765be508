package memstore

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/mailstead/mailstead/store"
)

// account is the state of one account and at the same time every handle on it.
type account struct {
	store *Store
	id    store.AccountID

	mu       sync.Mutex
	counters                              // all that a refused Change restores as one value
	boxes    map[store.MailboxID]*mailbox // tombstones included
	names    map[string]*mailbox          // those that are there
	threads  map[threadKey][]*threadNode
	entries  map[entryKey]store.Entry // tombstones included
	once     onceLog
	holds    map[string]store.Hold // by name
	maildrop lease
	changed  chan struct{} // closed when modSeq grows; nil = nobody waits
}

// counters are the numbers of an account.
type counters struct {
	info    store.AccountInfo
	modSeq  store.ModSeq
	purged  store.ModSeq // changes up to here have lost their tombstones
	usage   store.Usage  // Limits unused
	order   uint64       // counts messages in the order of their arrival
	dropped bool
}

// mailbox is a row of Mailboxes with its messages.
type mailbox struct {
	store.Mailbox
	msgs []*message // ascending UID, tombstones included
}

func newAccount(s *Store, info store.AccountInfo, v store.UIDValidity) *account {
	a := &account{
		store:   s,
		id:      info.ID,
		boxes:   make(map[store.MailboxID]*mailbox),
		names:   make(map[string]*mailbox),
		threads: make(map[threadKey][]*threadNode),
		entries: make(map[entryKey]store.Entry),
	}
	a.info, a.modSeq = info, 1
	inbox := newMailbox(store.NewMailboxID(), store.Inbox, v, 1)
	a.boxes[inbox.ID], a.names[inbox.Name] = inbox, inbox
	a.usage.Mailboxes = 1
	return a
}

func newMailbox(id store.MailboxID, name string, v store.UIDValidity, at store.ModSeq) *mailbox {
	return &mailbox{Mailbox: store.Mailbox{
		ID: id, Name: name, UIDValidity: v, UIDNext: 1, RecentFrom: 1, ModSeq: at, HighestModSeq: at,
	}}
}

// enter locks the account for a call. The caller unlocks when err is nil.
func (a *account) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-a.store.closed:
		return store.ErrClosed
	default:
	}
	a.mu.Lock()
	if a.dropped {
		a.mu.Unlock()
		return store.ErrNoAccount
	}
	return nil
}

func (a *account) fail(op string, err error) error {
	return &store.Error{Op: op, Account: a.id, Err: err}
}

func (a *account) snapshotInfo() store.AccountInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.info
}

// Mailboxes implements store.Account.
func (a *account) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	if err := a.enter(ctx); err != nil {
		return nil, 0, a.fail("mailboxes", err)
	}
	defer a.mu.Unlock()
	if since > 0 && since < a.purged {
		return nil, 0, a.fail("mailboxes", store.ErrResync)
	}
	var out []store.Mailbox
	for _, m := range a.boxes {
		if m.changedAt() > since && (since > 0 || !m.Gone) {
			out = append(out, m.Mailbox)
		}
	}
	slices.SortFunc(out, func(x, y store.Mailbox) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), slices.Compare(x.ID[:], y.ID[:]))
	})
	return out, a.modSeq, nil
}

// changedAt is the ModSeq of the last change to the mailbox or its messages.
func (m *mailbox) changedAt() store.ModSeq { return max(m.ModSeq, m.HighestModSeq) }

// Usage implements store.Account.
func (a *account) Usage(ctx context.Context) (store.Usage, error) {
	if err := a.enter(ctx); err != nil {
		return store.Usage{}, a.fail("usage", err)
	}
	defer a.mu.Unlock()
	u := a.usage
	u.Limits = a.info.Limits
	return u, nil
}

// Wait implements store.Account. The channel is taken under the lock that
// also guards the counter, so no change falls between the look and the wait.
func (a *account) Wait(ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
	for {
		if err := a.enter(ctx); err != nil {
			return 0, a.fail("wait", err)
		}
		now, changed := a.modSeq, a.changed
		if now <= after && changed == nil {
			changed = make(chan struct{})
			a.changed = changed
		}
		a.mu.Unlock()
		if now > after {
			return now, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-a.store.closed:
		}
	}
}

// wakeLocked lets every Wait look again.
func (a *account) wakeLocked() {
	if a.changed != nil {
		close(a.changed)
		a.changed = nil
	}
}
