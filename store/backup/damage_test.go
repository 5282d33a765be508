package backup_test

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
)

// archived is an archive in a directory with two accounts in a chain.
func archived(t *testing.T) (dir string, s store.Store, alice *user) {
	t.Helper()
	dir = t.TempDir()
	m := newStore(t)
	alice = newUser(t, m, "alice", 5)
	bob := newUser(t, m, "bob", 6)
	a := &backup.Archive{Target: backup.NewDir(dir)}
	for range 3 {
		alice.steps(40)
		bob.steps(10)
		must(a.Backup(t.Context(), m, backup.BackupOptions{}))(t)
	}
	return dir, m, alice
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), ".") {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestDamage: every object is damaged in turn, in several ways. Verify names
// it, a strict restore of what needs it fails, and a partial one restores
// nothing but what was there, and says what it left out.
func TestDamage(t *testing.T) {
	dir, _, alice := archived(t)
	want := facts(t, alice.a)
	for _, name := range files(t, dir) {
		for how, damage := range map[string]func(b []byte) []byte{
			"flipped":   func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
			"beginning": func(b []byte) []byte { b[3] ^= 1; return b },
			"end":       func(b []byte) []byte { b[len(b)-20] ^= 1; return b },
			"frame":     func(b []byte) []byte { b[30] ^= 1; return b },
			"short":     func(b []byte) []byte { return b[:len(b)*2/3] },
			"empty":     func([]byte) []byte { return nil },
			"missing":   nil,
		} {
			if testing.Short() && how != "flipped" && how != "missing" {
				continue
			}
			t.Run(name+" "+how, func(t *testing.T) {
				at := copyDir(t, dir)
				file := filepath.Join(at, filepath.FromSlash(name))
				b := must(os.ReadFile(file))(t)
				if damage == nil {
					must(0, os.Remove(file))(t)
				} else {
					must(0, os.WriteFile(file, damage(b), 0o600))(t)
				}
				judgeDamage(t, &backup.Archive{Target: backup.NewDir(at)}, name, want)
			})
		}
	}
}

func judgeDamage(t *testing.T, a *backup.Archive, name string, want []string) {
	t.Helper()
	newest := must(a.IDs(t.Context()))(t)
	var named bool
	_, err := a.Verify(t.Context(), backup.VerifyOptions{Problem: func(p *backup.Problem) {
		named = named || p.Object == name
		if !errors.Is(p, backup.ErrDamaged) {
			t.Errorf("Verify: %v", p)
		}
	}})
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	manifest := strings.HasPrefix(name, "manifests/")
	if !named && !(manifest && len(newest) < 3) { // a manifest that is not there is no backup
		t.Errorf("Verify does not name %s", name)
	}
	to := newStore(t)
	_, err = a.Restore(t.Context(), to, backup.RestoreOptions{Accounts: []store.AccountID{"alice"}})
	if err != nil && !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("strict: %v", err)
	}
	if manifest {
		return // the newest cannot be had, or an older one is the newest
	}
	strict := err
	to = newStore(t)
	problems := 0
	r, err := a.Restore(t.Context(), to, backup.RestoreOptions{
		Accounts: []store.AccountID{"alice"}, Partial: true, Problem: func(*backup.Problem) { problems++ },
	})
	if err != nil {
		t.Fatalf("partial: %v", err)
	}
	if (strict != nil) != (problems > 0) && r.Lost == 0 {
		t.Errorf("strict says %v, and partial reports %d problems", strict, problems)
	}
	acct := must(to.Open(t.Context(), "alice"))(t)
	for _, l := range facts(t, acct) {
		if strings.HasPrefix(l, "message") && !slices.Contains(want, l) && strict == nil {
			t.Errorf("restored what was not there: %s", l)
		}
	}
	if strict == nil {
		same(t, "the account", facts(t, acct), want)
	}
}

// TestNewerVersion: what a newer version wrote is refused by name.
func TestNewerVersion(t *testing.T) {
	dir, _, _ := archived(t)
	for _, kind := range []string{"manifests/", ".rows", ".pack"} {
		at := copyDir(t, dir)
		for _, name := range files(t, at) {
			if !strings.Contains(name, kind) {
				continue
			}
			file := filepath.Join(at, filepath.FromSlash(name))
			b := must(os.ReadFile(file))(t)
			if kind == "manifests/" {
				b = []byte(strings.Replace(string(b), `"version":1`, `"version":2`, 1))
			} else {
				b[8] = 2
			}
			must(0, os.WriteFile(file, b, 0o600))(t)
		}
		a := &backup.Archive{Target: backup.NewDir(at)}
		if _, err := a.Restore(t.Context(), newStore(t), backup.RestoreOptions{Partial: true}); !errors.Is(err, store.ErrVersion) {
			t.Errorf("%s of version 2: %v", kind, err)
		}
	}
}

// rotten is a store in which some bodies cannot be read.
type rotten struct {
	store.Store
	bad func(store.UID) bool
}

func (r rotten) As(any) bool { return false }

func (r rotten) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := r.Store.Open(ctx, id)
	return rottenAccount{a, r.bad}, err
}

type rottenAccount struct {
	store.Account
	bad func(store.UID) bool
}

func (a rottenAccount) As(any) bool { return false }

func (a rottenAccount) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	if a.bad(uid) {
		return nil, &store.Error{Op: "content", Err: store.ErrCorrupt}
	}
	return a.Account.Content(ctx, id, uid)
}

// TestRottenStore: a body that cannot be read is named, and all others are
// taken; the next backup tries it again.
func TestRottenStore(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	u := newUser(t, s, "alice", 1)
	for range 5 {
		u.put(u.inbox, u.text())
	}
	var named []store.UID
	bad := rotten{s, func(uid store.UID) bool { return uid == 3 }}
	r := must(a.Backup(t.Context(), bad, backup.BackupOptions{Problem: func(p *backup.Problem) {
		named = append(named, p.UID)
		if !errors.Is(p, store.ErrCorrupt) || p.Account != "alice" {
			t.Errorf("%v", p)
		}
	}}))(t)
	if r.Missing != 1 || len(named) != 1 || named[0] != 3 || r.Bodies != 4 {
		t.Errorf("%+v, named %v", r, named)
	}
	rep := must(a.Restore(t.Context(), newStore(t), backup.RestoreOptions{}))(t)
	if rep.Lost != 1 || rep.Messages != 4 {
		t.Errorf("restored: %+v", rep)
	}
	if v := verified(t, a, s); v.Missing != 1 {
		t.Errorf("verified: %+v", v)
	}
	if r := must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t); r.Missing != 0 || r.Full != 1 || r.Bodies != 1 {
		t.Errorf("again: %+v", r)
	}
}

// TestCompareFinds: a store that lost or changed a message is told.
func TestCompareFinds(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	u := newUser(t, s, "alice", 1)
	for range 5 {
		u.put(u.inbox, u.text())
	}
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	u.apply(store.Expunge{Mailbox: u.inbox, UIDs: store.UIDs(1)}, store.SetFlags{Mailbox: u.inbox, UIDs: store.UIDs(2), Flags: store.Draft})
	u.put(u.inbox, "new")
	verified(t, a, s)
	other := newStore(t)
	must(a.Restore(t.Context(), other, backup.RestoreOptions{}))(t)
	for what, lie := range map[string]func(m *store.Message) bool{
		"lost":    func(m *store.Message) bool { return m.UID != 4 },
		"flags":   func(m *store.Message) bool { m.Flags ^= store.Seen; return true },
		"another": func(m *store.Message) bool { m.EmailID[0]++; return true },
	} {
		n := 0
		_, err := a.Verify(t.Context(), backup.VerifyOptions{Quick: true, Store: lying{s, lie}, Problem: func(*backup.Problem) { n++ }})
		if err != nil || n == 0 {
			t.Errorf("%s: %d problems, %v", what, n, err)
		}
	}
}

// lying is a store whose messages are not what they were.
type lying struct {
	store.Store
	lie func(m *store.Message) bool
}

func (l lying) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := l.Store.Open(ctx, id)
	return lyingAccount{a, l.lie}, err
}

type lyingAccount struct {
	store.Account
	lie func(m *store.Message) bool
}

func (a lyingAccount) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	return func(yield func(*store.Message, error) bool) {
		for m, err := range a.Account.Messages(ctx, id, q) {
			if err == nil && !a.lie(m) {
				continue
			}
			if !yield(m, err) {
				return
			}
		}
	}
}
