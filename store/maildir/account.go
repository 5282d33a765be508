package maildir

import (
	"context"
	"iter"
	"maps"
	"path/filepath"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/rows"
)

// account is every handle on one account.
type account struct {
	s   *Store
	id  store.AccountID
	dir string

	mu       sync.Mutex
	now      *state
	journal  *journal
	threads  threads
	broken   error // a write to the index failed: it is written anew before anything is acknowledged
	dropped  bool
	stamps   map[store.MailboxID]stamp // of mailboxes that need no look while it is theirs
	warned   map[string]bool           // directories that were complained about
	behind   bool                      // the tree is not what the index says
	unsynced bool                      // a name in dir may not be durable
	scanned  time.Time                 // when the tree was last looked at
	changed  chan struct{}             // closed when modSeq grows; nil = nobody waits
}

// path is a path below the account's directory.
func (a *account) path(elem ...string) string {
	return filepath.Join(append([]string{a.dir}, elem...)...)
}

func (a *account) fail(op string, err error) error {
	return &store.Error{Op: op, Account: a.id, Err: err}
}

// look returns the state of this moment, with what others did to the tree.
func (a *account) look(ctx context.Context) (*state, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.freshLocked()
}

func (a *account) freshLocked() (*state, error) {
	select {
	case <-a.s.done:
		return nil, store.ErrClosed
	default:
	}
	if a.dropped {
		return nil, store.ErrNoAccount
	}
	if a.behind || time.Since(a.scanned) > a.s.opts.ScanInterval {
		if err := a.scanLocked(); err != nil {
			return nil, err
		}
	}
	return a.now, nil
}

// Mailboxes implements store.Account.
func (a *account) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	st, err := a.look(ctx)
	if err == nil {
		err = st.Since(since)
	}
	if err != nil {
		return nil, 0, a.fail("mailboxes", err)
	}
	return rows.Mailboxes(st.rows(), since), st.ModSeq, nil
}

// Messages implements store.Account. It reads one state of the account.
func (a *account) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	return func(yield func(*store.Message, error) bool) {
		st, err := a.look(ctx)
		var b *box
		if err == nil {
			b, err = st.box(id)
		}
		if err == nil {
			err = st.Since(q.Since)
		}
		if err != nil {
			yield(nil, &store.Error{Op: "messages", Account: a.id, Mailbox: id.String(), Err: err})
			return
		}
		set := q.UIDs
		if len(set) == 0 {
			set = store.AllUIDs()
		}
		var out store.Message
		for m := range b.in(set) {
			if !rows.Wanted(&m.Message, q) {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(nil, a.fail("messages", err))
				return
			}
			rows.Show(&m.Message, &out, q.Fields)
			if !yield(&out, nil) {
				return
			}
		}
	}
}

// Entries implements store.Account.
func (a *account) Entries(ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
	return rows.Each(ctx, func() ([]store.Entry, error) {
		st, err := a.look(ctx)
		if err == nil && !q.All && !q.Mailbox.IsZero() {
			_, err = st.box(q.Mailbox)
		}
		if err == nil {
			err = st.Since(q.Since)
		}
		if err != nil {
			return nil, a.fail("entries", err)
		}
		return rows.Entries(maps.Values(st.entries), q), nil
	})
}

// Wait implements store.Account. While it waits it looks at the tree, as
// nobody says when another program changed it.
func (a *account) Wait(ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
	every := max(a.s.opts.ScanInterval, 100*time.Millisecond)
	for {
		st, changed, err := a.watch(ctx)
		if err != nil {
			return 0, a.fail("wait", err)
		}
		if st.ModSeq > after {
			return st.ModSeq, nil
		}
		select {
		case <-changed:
		case <-time.After(every):
		case <-ctx.Done():
		case <-a.s.done:
		}
	}
}

// watch takes the state and the channel under one lock, so that no change
// falls between them (I14).
func (a *account) watch(ctx context.Context) (*state, <-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	st, err := a.freshLocked()
	if a.changed == nil {
		a.changed = make(chan struct{})
	}
	return st, a.changed, err
}

func (a *account) wakeLocked() {
	if a.changed != nil {
		close(a.changed)
		a.changed = nil
	}
}

// Usage implements store.Account.
func (a *account) Usage(ctx context.Context) (store.Usage, error) {
	st, err := a.look(ctx)
	if err != nil {
		return store.Usage{}, a.fail("usage", err)
	}
	return rows.Usage(st.rows(), st.Info.Limits), nil
}
