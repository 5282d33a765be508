package maildir

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store"
)

// account is every handle on one account.
type account struct {
	s   *Store
	id  store.AccountID
	dir string

	mu      sync.Mutex
	now     *state
	journal *journal
	broken  error         // a write to the index failed: nothing is acknowledged any more
	dropped bool          //
	behind  bool          // the tree is not what the index says
	scanned time.Time     // when the tree was last looked at
	changed chan struct{} // closed when modSeq grows; nil = nobody waits
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
	if a.broken == nil && (a.behind || time.Since(a.scanned) > a.s.opts.ScanInterval) {
		if err := a.scanLocked(); err != nil {
			return nil, err
		}
	}
	return a.now, nil
}

// Mailboxes implements store.Account.
func (a *account) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	st, err := a.look(ctx)
	if err != nil {
		return nil, 0, a.fail("mailboxes", err)
	}
	var list []store.Mailbox
	for _, b := range st.boxes {
		if max(b.ModSeq, b.HighestModSeq) > since && (since > 0 || !b.Gone) {
			list = append(list, b.Mailbox)
		}
	}
	slices.SortFunc(list, func(x, y store.Mailbox) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), slices.Compare(x.ID[:], y.ID[:]))
	})
	return list, st.modSeq, nil
}

// Messages implements store.Account. It reads one state of the account.
func (a *account) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	return func(yield func(*store.Message, error) bool) {
		st, err := a.look(ctx)
		var b *box
		if err == nil {
			b, err = st.box(id)
		}
		if err != nil {
			yield(nil, &store.Error{Op: "messages", Account: a.id, Mailbox: id.String(), Err: err})
			return
		}
		var out store.Message
		for _, uid := range slices.Sorted(maps.Keys(b.msgs)) {
			m := b.msgs[uid]
			if m.ModSeq <= q.Since || m.Gone && q.Since == 0 || len(q.UIDs) > 0 && !q.UIDs.Contains(uid) {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(nil, a.fail("messages", err))
				return
			}
			m.show(&out, q.Fields)
			if !yield(&out, nil) {
				return
			}
		}
	}
}

// show copies m into out, with the parts that were asked for.
func (m *message) show(out *store.Message, f store.Fields) {
	*out = store.Message{UID: m.UID, ModSeq: m.ModSeq, Gone: m.Gone}
	if m.Gone {
		return
	}
	out.Flags, out.Keywords, out.Size = m.Flags, slices.Clone(m.Keywords), m.Size
	if f&store.FieldDates != 0 {
		out.Received, out.Saved = m.Received, m.Saved
	}
	if f&store.FieldIDs != 0 {
		out.EmailID, out.ThreadID = m.EmailID, m.ThreadID
	}
	if f&store.FieldContent != 0 {
		out.Blob, out.Key, out.Prefix = m.ref, slices.Clone(m.Key), slices.Clone(m.prefix)
	}
	if f&store.FieldMeta != 0 {
		out.Meta = slices.Clone(m.Meta)
	}
}

// Entries implements store.Account.
func (a *account) Entries(ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		st, err := a.look(ctx)
		if err == nil && !q.All && !q.Mailbox.IsZero() {
			_, err = st.box(q.Mailbox)
		}
		if err != nil {
			yield(store.Entry{}, a.fail("entries", err))
			return
		}
		for _, e := range st.listEntries(q) {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (st *state) listEntries(q store.EntryQuery) (list []store.Entry) {
	now := time.Now()
	for _, e := range st.entries {
		if (q.All || e.Mailbox == q.Mailbox) && strings.HasPrefix(e.Key, q.Prefix) && e.ModSeq > q.Since &&
			(e.Present(now) || e.Gone && q.Since > 0) {
			e.Value = slices.Clone(e.Value)
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(x, y store.Entry) int {
		return cmp.Or(slices.Compare(x.Mailbox[:], y.Mailbox[:]), cmp.Compare(x.Key, y.Key))
	})
	return list
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
		if st.modSeq > after {
			return st.modSeq, nil
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
	return st.usage(), nil
}
