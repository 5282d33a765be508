package storetest

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"strings"
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
}

type hooks struct {
	apply     func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error)
	messages  func(b *brokenAccount, ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error]
	mailboxes func(since store.ModSeq, list []store.Mailbox, now store.ModSeq) ([]store.Mailbox, store.ModSeq)
	content   func(c store.Content) store.Content
	open      func(b *brokenAccount, ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error)
	entries   func(b *brokenAccount, ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error]
	wait      func(b *brokenAccount, ctx context.Context, after store.ModSeq) (store.ModSeq, error)
	holds     func(s store.Store, ctx context.Context, refs []blob.Ref) ([]blob.Ref, error)
	accounts  func(s store.Store, ctx context.Context, after store.AccountID) iter.Seq2[store.AccountInfo, error]
}

type brokenAccount struct {
	store.Account
	b *broken
}

func (b *broken) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := b.Store.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	return &brokenAccount{a, b}, nil
}

func (b *broken) Holds(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
	if b.holds == nil {
		return b.Store.Holds(ctx, refs)
	}
	return b.holds(b.Store, ctx, refs)
}

func (b *broken) Accounts(ctx context.Context, after store.AccountID) iter.Seq2[store.AccountInfo, error] {
	if b.accounts == nil {
		return b.Store.Accounts(ctx, after)
	}
	return b.accounts(b.Store, ctx, after)
}

func (a *brokenAccount) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	if a.b.apply == nil {
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

// failures runs one check and returns what it says.
func failures(t *testing.T, c Config, name string) []string {
	for _, k := range checks() {
		if k.name != name {
			continue
		}
		r := &recorder{}
		done := make(chan struct{})
		go func() { defer close(done); runCheck(t, r, c, k) }()
		<-done
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.said
	}
	t.Fatalf("no check is named %s", name)
	return nil
}

func newMemstore(t *testing.T) store.Store {
	s := memstore.New(nil)
	t.Cleanup(func() { s.Close() })
	return s
}

// TestBrokenStores has one store for each defect, and the check that must find
// it and say which rule it broke.
func TestBrokenStores(t *testing.T) {
	for _, d := range defects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := Config{
				New:      func(t *testing.T) store.Store { return &broken{newMemstore(t), d.hooks()} },
				Purge:    purge,
				Has:      Everything,
				Patience: time.Second,
			}
			said := failures(t, c, d.check)
			if len(said) == 0 {
				t.Fatalf("%s finds nothing wrong with a store that %s", d.check, d.name)
			}
			if !strings.HasPrefix(said[0], "rule broken: ") {
				t.Errorf("the failure does not begin with the rule: %s", said[0])
			}
		})
	}
}

func purge(t *testing.T, s store.Store, id store.AccountID, upTo store.ModSeq) {
	if b, ok := s.(*broken); ok {
		s = b.Store
	}
	if err := s.(*memstore.Store).Purge(t.Context(), id, upTo); err != nil {
		t.Error(err)
	}
}

// TestSound runs all checks on a sound store, as if it were persistent.
func TestSound(t *testing.T) {
	Run(t, Config{
		New:    newMemstore,
		Reopen: func(t *testing.T, s store.Store) store.Store { return s },
		Purge:  purge,
		Has:    Everything,
	})
}

// TestForgetful runs the checks of persistence on a store that forgets.
func TestForgetful(t *testing.T) {
	c := Config{
		New:    newMemstore,
		Reopen: func(t *testing.T, s store.Store) store.Store { return newMemstore(t) },
		Has:    Everything,
	}
	for _, k := range checks() {
		if k.persistent && len(failures(t, c, k.name)) == 0 {
			t.Errorf("%s finds nothing wrong with a store that forgets everything", k.name)
		}
	}
}

// TestUndeclared: a backend may leave out what it does not declare.
func TestUndeclared(t *testing.T) {
	Run(t, Config{New: func(t *testing.T) store.Store {
		return &broken{newMemstore(t), hooks{apply: mapOps(func(op store.Op) store.Op {
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
