package backup_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
)

// stride spares operations where the test is to be short.
func stride() int {
	if testing.Short() {
		return 7
	}
	return 1
}

// crashed runs do with the power cut at each operation in turn, and after each
// cut hands on what is left. It ends when do comes through.
func crashed(t *testing.T, base *vfs.Mem, do func(a *backup.Archive) error, after func(k int, a *backup.Archive)) {
	t.Helper()
	for k := 1; ; k += stride() {
		m := base.Crash(nil) // a copy
		f := vfs.NewFault(m, vfs.CrashAt(k))
		err := do(&backup.Archive{Target: backup.DirOn(f, "/archive")})
		if err == nil && f.Count() < k {
			return
		}
		if err != nil && !errors.Is(err, vfs.ErrCrashed) {
			t.Fatalf("at operation %d: %v", k, err)
		}
		if err == nil { // closing a file, or removing an empty directory: all is done
			after(k, &backup.Archive{Target: backup.DirOn(m.Crash(nil), "/archive")})
			continue
		}
		for _, rng := range []*rand.Rand{nil, rand.New(rand.NewPCG(uint64(k), 7))} {
			after(k, &backup.Archive{Target: backup.DirOn(m.Crash(rng), "/archive")})
		}
	}
}

// TestBackupCrash: the power is cut at every operation of a backup. What was
// there before stays whole, and the next backup goes on.
func TestBackupCrash(t *testing.T) {
	s := newStore(t)
	alice, bob := newUser(t, s, "alice", 1), newUser(t, s, "bob", 2)
	alice.steps(15)
	bob.steps(15)
	base := vfs.NewMem()
	first := must((&backup.Archive{Target: backup.DirOn(base, "/archive")}).Backup(t.Context(), s, backup.BackupOptions{}))(t).Manifest.ID
	before := dump(t, alice.a)
	alice.steps(15)
	bob.steps(15)
	want := dump(t, alice.a)
	crashed(t, base, func(a *backup.Archive) error {
		_, err := a.Backup(t.Context(), s, backup.BackupOptions{})
		return err
	}, func(k int, a *backup.Archive) {
		same(t, fmt.Sprint("the first backup after a cut at ", k), must(a.Dump(t.Context(), first, "alice"))(t), before)
		must(a.Backup(t.Context(), s, backup.BackupOptions{Problem: func(p *backup.Problem) { t.Error(k, p) }}))(t)
		same(t, fmt.Sprint("the second backup after a cut at ", k), must(a.Dump(t.Context(), "", "alice"))(t), want)
		if r := verified(t, a, s); r.Missing > 0 {
			t.Errorf("cut at %d: %+v", k, r)
		}
	})
}

// TestBackupFails: each operation of a backup fails once. The backup says so,
// or did not need it; the next one is whole.
func TestBackupFails(t *testing.T) {
	s := newStore(t)
	u := newUser(t, s, "alice", 1)
	u.steps(25)
	broken := errors.New("input/output error")
	for k := 1; ; k += stride() {
		m := vfs.NewMem()
		f := vfs.NewFault(m, vfs.FailAt(k, broken))
		_, err := (&backup.Archive{Target: backup.DirOn(f, "/archive")}).Backup(t.Context(), s, backup.BackupOptions{})
		if err != nil && !errors.Is(err, broken) {
			t.Fatalf("operation %d fails: %v", k, err)
		}
		a := &backup.Archive{Target: backup.DirOn(m.AfterKill(), "/archive")}
		must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
		same(t, fmt.Sprint("after operation ", k, " failed"), must(a.Dump(t.Context(), "", "alice"))(t), dump(t, u.a))
		verified(t, a, s)
		if f.Count() < k {
			return
		}
	}
}

// TestPruneCrash: the power is cut at every operation of a prune.
func TestPruneCrash(t *testing.T) {
	s := newStore(t)
	u := newUser(t, s, "alice", 1)
	base := vfs.NewMem()
	a := &backup.Archive{Target: backup.DirOn(base, "/archive")}
	keep := u.put(u.inbox, "stays")
	for range 8 {
		u.put(u.inbox, u.text())
	}
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	u.apply(store.Expunge{Mailbox: u.inbox, UIDs: store.AllUIDs().Minus(store.UIDs(keep))})
	for range 3 {
		u.put(u.inbox, u.text())
		must(a.Backup(t.Context(), s, backup.BackupOptions{Full: true}))(t)
	}
	want := dump(t, u.a)
	crashed(t, base, func(a *backup.Archive) error {
		_, err := a.Prune(t.Context(), backup.Keep{Last: 1})
		return err
	}, func(k int, a *backup.Archive) {
		verified(t, a, s)
		r := must(a.Prune(t.Context(), backup.Keep{Last: 1}))(t)
		if len(r.Kept) != 1 {
			t.Errorf("cut at %d: %+v", k, r)
		}
		same(t, fmt.Sprint("after a cut at ", k), must(a.Dump(t.Context(), "", "alice"))(t), want)
		if v := verified(t, a, s); v.Stray > 0 || v.UnusedBodies > 0 {
			t.Errorf("cut at %d: %+v", k, v)
		}
	})
}

// failing is a store whose Apply and bodies fail at one call.
type failing struct {
	store.Store
	n    *int
	at   int
	lost bool // Apply does its work and says that it is not known
}

var errPower = errors.New("the store is gone")

func (f failing) hit() bool {
	*f.n++
	return *f.n >= f.at
}

// As finds nothing, so that every call is counted.
func (f failing) As(any) bool { return false }

func (f failing) Create(ctx context.Context, id store.AccountID, info store.AccountInfo) error {
	if f.hit() {
		return errPower
	}
	return f.Store.Create(ctx, id, info)
}

func (f failing) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := f.Store.Open(ctx, id)
	return failingAccount{a, f}, err
}

type failingAccount struct {
	store.Account
	f failing
}

func (a failingAccount) As(any) bool { return false }

func (a failingAccount) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	if a.f.hit() {
		if a.f.lost {
			_, _ = a.Account.Apply(ctx, c)
		}
		return store.Result{}, errPower
	}
	return a.Account.Apply(ctx, c)
}

// TestRestoreCrash: the store fails at every call of a restore, before the
// work or after it; the same restore again makes the account whole, with
// nothing twice.
func TestRestoreCrash(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	u := newUser(t, s, "alice", 1)
	u.steps(60)
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	want := facts(t, u.a)
	appended := live(messages(t, u.a, u.inbox))
	for _, lost := range []bool{false, true} {
		for _, o := range []backup.RestoreOptions{{}, {Accounts: []store.AccountID{"alice"}, Mailbox: store.Inbox}} {
			for at, ended := 1, false; !ended; at++ {
				to := newStore(t)
				if o.Mailbox != "" {
					newUser(t, to, "alice", 9)
				}
				n := 0
				_, err := a.Restore(t.Context(), failing{to, &n, at, lost}, o)
				ended = err == nil
				if err != nil && !errors.Is(err, errPower) {
					t.Fatalf("at call %d: %v", at, err)
				}
				r := must(a.Restore(t.Context(), to, o))(t)
				acct := must(to.Open(t.Context(), "alice"))(t)
				what := fmt.Sprintf("failed at call %d (done %v), then %+v", at, lost, r)
				if o.Mailbox == "" {
					same(t, what, facts(t, acct), want)
					continue
				}
				inbox := must(store.MailboxByName(t.Context(), acct, store.Inbox))(t)
				if got := messages(t, acct, inbox.ID); len(got) != len(appended) {
					t.Errorf("%s: %d messages, want %d", what, len(got), len(appended))
				}
			}
		}
	}
}

// TestCancel: a backup and a restore end with their context, and go on.
func TestCancel(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	u := newUser(t, s, "alice", 1)
	for range 40 {
		u.put(u.inbox, u.text())
	}
	for n := range 40 {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := a.Backup(ctx, s, backup.BackupOptions{Progress: func(p backup.Progress) {
			if p.Bodies == int64(n) {
				cancel()
			}
		}})
		if cancel(); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	verified(t, a, s)
	same(t, "the account", must(a.Dump(t.Context(), "", "alice"))(t), dump(t, u.a))
	to := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Restore(ctx, to, backup.RestoreOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Restore: %v", err)
	}
	must(a.Restore(t.Context(), to, backup.RestoreOptions{}))(t)
	same(t, "restored", facts(t, must(to.Open(t.Context(), "alice"))(t)), facts(t, u.a))
}
