package storetest

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/memstore"
)

// broken is a store with one defect: the hooks that are not nil stand in for
// the store's own methods.
type broken struct {
	store.Store
	hooks
	rig  *rig
	node int  // 0 for the first or only one
	many bool // there are several
}

type hooks struct {
	apply     func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error)
	messages  func(b *brokenAccount, ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error]
	mailboxes func(since store.ModSeq, list []store.Mailbox, now store.ModSeq) ([]store.Mailbox, store.ModSeq)
	content   func(c store.Content) store.Content
	open      func(b *brokenAccount, ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error)
	entries   func(b *brokenAccount, ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error]
	wait      func(b *brokenAccount, ctx context.Context, after store.ModSeq) (store.ModSeq, error)
	holds     func(b *broken, ctx context.Context, refs []blob.Ref) ([]blob.Ref, error)
	empty     bool // apply is called for a Change without Ops, too
	as        func(b *brokenAccount, target any) (handled, ok bool)
	create    func(b *broken, ctx context.Context, id store.AccountID, info store.AccountInfo) error
	usage     func(b *brokenAccount, ctx context.Context) (store.Usage, error)
	openAcct  func(b *broken, ctx context.Context, id store.AccountID) (store.Account, error)
	blobs     func(b *broken) blob.Blobs
	reopen    func(t *testing.T, b *broken)
	fault     func(b *broken, f Fault)
	boxes     func(b *brokenAccount, ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error)
	purge     func(b *broken, id store.AccountID, upTo store.ModSeq) bool // handled
	close     func(b *broken) error
	accounts  func(s store.Store, ctx context.Context, after store.AccountID) iter.Seq2[store.AccountInfo, error]
}

type brokenAccount struct {
	store.Account
	b  *broken
	id store.AccountID
}

func (b *broken) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	if b.openAcct != nil {
		return b.openAcct(b, ctx, id)
	}
	a, err := b.Store.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	return &brokenAccount{a, b, id}, nil
}

func (b *broken) Create(ctx context.Context, id store.AccountID, info store.AccountInfo) error {
	if b.create == nil {
		return b.Store.Create(ctx, id, info)
	}
	return b.create(b, ctx, id, info)
}

func (b *broken) Blobs() blob.Blobs {
	if b.blobs == nil {
		return b.Store.Blobs()
	}
	return b.blobs(b)
}

func (b *broken) Close() error {
	if b.close == nil {
		return b.Store.Close()
	}
	return b.close(b)
}

// As lets through what the sound store has, unless a hook stands in.
func (a *brokenAccount) As(target any) bool {
	if a.b.as != nil {
		if handled, ok := a.b.as(a, target); handled {
			return ok
		}
	}
	return forward(a.Account, target)
}

func (a *brokenAccount) Usage(ctx context.Context) (store.Usage, error) {
	if a.b.usage == nil {
		return a.Account.Usage(ctx)
	}
	return a.b.usage(a, ctx)
}

func (b *broken) Holds(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
	if b.holds == nil {
		return b.Store.Holds(ctx, refs)
	}
	return b.holds(b, ctx, refs)
}

func (b *broken) Accounts(ctx context.Context, after store.AccountID) iter.Seq2[store.AccountInfo, error] {
	if b.accounts == nil {
		return b.Store.Accounts(ctx, after)
	}
	return b.accounts(b.Store, ctx, after)
}

func (a *brokenAccount) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	if a.b.apply == nil || len(c.Ops) == 0 && !a.b.empty {
		return a.Account.Apply(ctx, c)
	}
	return a.b.apply(a, ctx, c)
}

func (a *brokenAccount) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	if a.b.messages == nil {
		return a.Account.Messages(ctx, id, q)
	}
	return a.b.messages(a, ctx, id, q)
}

func (a *brokenAccount) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	if a.b.boxes != nil {
		return a.b.boxes(a, ctx, since)
	}
	list, now, err := a.Account.Mailboxes(ctx, since)
	if a.b.mailboxes != nil && err == nil {
		list, now = a.b.mailboxes(since, list, now)
	}
	return list, now, err
}

func (a *brokenAccount) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	if a.b.open != nil {
		return a.b.open(a, ctx, id, uid)
	}
	c, err := a.Account.Content(ctx, id, uid)
	if a.b.content != nil && err == nil {
		c = a.b.content(c)
	}
	return c, err
}

func (a *brokenAccount) Entries(ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
	if a.b.entries == nil {
		return a.Account.Entries(ctx, q)
	}
	return a.b.entries(a, ctx, q)
}

func (a *brokenAccount) Wait(ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
	if a.b.wait == nil {
		return a.Account.Wait(ctx, after)
	}
	return a.b.wait(a, ctx, after)
}

// recorder is a reporter that listens.
type recorder struct {
	mu   sync.Mutex
	said []string
}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) FailNow()            { runtime.Goexit() }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failures runs one check and returns what it says; a panic is a failure too.
func failures(t *testing.T, c Config, k check) []string {
	r := &recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				r.Errorf("rule broken: %s\n\tpanic: %v", k.rule, p)
			}
		}()
		runCheck(t, r, c, k)
	}()
	<-done
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said
}

func newMemstore(t *testing.T) *memstore.Store {
	s := memstore.New(nil)
	t.Cleanup(func() { s.Close() })
	return s
}

// everything that a Config can declare.
const optionals = Searches | Sorts | Locks | Metas | Snapshots | Retains | Keys

// brokenConfig makes stores with the hooks of a defect.
func brokenConfig(make func() hooks) Config {
	return Config{
		New: func(t *testing.T) store.Store {
			r := newRig(t)
			return &broken{Store: r, hooks: make(), rig: r}
		},
		Nodes: func(t *testing.T, n int) (nodes []store.Store) {
			r := newRig(t)
			for i := range n {
				nodes = append(nodes, &broken{Store: r, hooks: make(), rig: r, node: i, many: n > 1})
			}
			return nodes
		},
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if b := s.(*broken); b.hooks.reopen != nil {
				b.hooks.reopen(t, b)
			}
			return s
		},
		Faults: func(t *testing.T, s store.Store, f Fault) {
			b := s.(*broken)
			if b.hooks.fault != nil {
				b.hooks.fault(b, f)
				return
			}
			b.rig.setFault(f)
		},
		Purge:    purge,
		Has:      Everything | optionals,
		Patience: 400 * time.Millisecond,
		small:    true,
		slow:     true,
	}
}

func purge(t *testing.T, s store.Store, id store.AccountID, upTo store.ModSeq) {
	b := s.(*broken)
	if b.hooks.purge != nil && b.hooks.purge(b, id, upTo) {
		return
	}
	if err := b.rig.Purge(t.Context(), id, upTo); err != nil {
		t.Error(err)
	}
}

// TestSound runs all checks on a sound store with everything.
func TestSound(t *testing.T) {
	c := brokenConfig(func() hooks { return hooks{} })
	c.small, c.Patience = false, 0
	Run(t, c)
}

// TestSoundSmall: what the broken stores are held against finds no fault in a
// sound one.
func TestSoundSmall(t *testing.T) {
	c := brokenConfig(func() hooks { return hooks{} })
	c.Patience = 30 * time.Second
	Run(t, c)
}

// TestForgetful runs the checks of persistence on a store that forgets.
func TestForgetful(t *testing.T) {
	c := Config{
		New:    func(t *testing.T) store.Store { return newMemstore(t) },
		Reopen: func(t *testing.T, s store.Store) store.Store { return newMemstore(t) },
		Has:    Everything,
	}
	for _, k := range checks() {
		if k.persistent && c.lacks(k) == "" && len(failures(t, c, k)) == 0 {
			t.Errorf("%s finds nothing wrong with a store that forgets everything", k.name)
		}
	}
}

// TestUndeclared: a backend may leave out what it does not declare.
func TestUndeclared(t *testing.T) {
	Run(t, Config{New: func(t *testing.T) store.Store {
		return &broken{Store: bareStore{newMemstore(t)}, hooks: hooks{as: func(*brokenAccount, any) (bool, bool) { return true, false }, apply: mapOps(func(op store.Op) store.Op {
			if a, ok := op.(store.Append); ok && len(a.ThreadKeys) <= store.MaxThreadKeys {
				a.ThreadKeys = nil
				return a
			}
			return op
		})}}
	}})
}

// TestNames: every check has a name and a rule of its own.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range checks() {
		if seen[k.name] || k.name == "" || k.rule == "" || k.run == nil {
			t.Errorf("check %q: repeated or incomplete", k.name)
		}
		seen[k.name] = true
	}
}

// bareStore hides that a store is a memstore.
type bareStore struct{ store.Store }
