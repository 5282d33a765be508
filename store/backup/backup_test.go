package backup_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/blob"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestChainIsTheAccount: every backup of a chain, read again, is the account as
// it was, line for line and ModSeq for ModSeq.
func TestChainIsTheAccount(t *testing.T) {
	for seed := range seeds(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s, a := newStore(t), newArchive(t)
			u := newUser(t, s, "alice", seed)
			var ids []string
			var want [][]string
			for round := range 6 {
				u.steps(30 * (round%3 + 1))
				r := must(a.Backup(t.Context(), s, backup.BackupOptions{Full: round == 4, Problem: func(p *backup.Problem) { t.Error(p) }}))(t)
				if full := round == 0 || round == 4; (r.Full == 1) != full {
					t.Errorf("round %d: %+v", round, r)
				}
				ids, want = append(ids, r.Manifest.ID), append(want, dump(t, u.a))
			}
			for i, id := range ids {
				same(t, id, must(a.Dump(t.Context(), id, "alice"))(t), want[i])
			}
			verified(t, a, s)
		})
	}
}

// TestSecondCopiesNothing: a backup of what did not change writes a manifest
// and nothing else.
func TestSecondCopiesNothing(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	newUser(t, s, "alice", 1).steps(50)
	newUser(t, s, "bob", 2).steps(50)
	first := must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	before := objects(t, a)
	second := must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	if second.Unchanged != 2 || second.Bodies != 0 || second.Messages != 0 {
		t.Errorf("the second backup: %+v", second)
	}
	if n := objects(t, a); n != before+1 {
		t.Errorf("%d objects after the second backup, %d before", n, before)
	}
	if first.Bodies == 0 || first.Full != 2 {
		t.Errorf("the first backup: %+v", first)
	}
	dry := must(a.Backup(t.Context(), s, backup.BackupOptions{Full: true, DryRun: true}))(t)
	if dry.Full != 2 || objects(t, a) != before+1 {
		t.Errorf("dry run: %+v", dry)
	}
	full := must(a.Backup(t.Context(), s, backup.BackupOptions{Full: true}))(t)
	if full.Full != 2 || full.Bodies != 0 {
		t.Errorf("a full backup wrote bodies again: %+v", full)
	}
	verified(t, a, s)
}

func objects(t testing.TB, a *backup.Archive) (n int) {
	t.Helper()
	for _, err := range a.Target.List(context.Background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// TestScopes: a backup of one account keeps what the last one has of others;
// one mailbox has a chain of its own.
func TestScopes(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	alice, bob := newUser(t, s, "alice", 1), newUser(t, s, "bob", 2)
	alice.steps(40)
	bob.steps(40)
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	bobs := dump(t, bob.a)
	alice.steps(20)
	bob.steps(20)
	m := must(a.Backup(t.Context(), s, backup.BackupOptions{Accounts: []store.AccountID{"alice"}}))(t).Manifest
	same(t, "alice", must(a.Dump(t.Context(), m.ID, "alice"))(t), dump(t, alice.a))
	same(t, "bob as before", must(a.Dump(t.Context(), m.ID, "bob"))(t), bobs)

	one := newArchive(t)
	o := backup.BackupOptions{Accounts: []store.AccountID{"alice"}, Mailbox: store.Inbox}
	must(one.Backup(t.Context(), s, o))(t)
	alice.put(alice.inbox, "more")
	r := must(one.Backup(t.Context(), s, o))(t)
	if r.Incremental != 1 || r.Bodies != 1 {
		t.Errorf("a mailbox again: %+v", r)
	}
	verified(t, one, nil)
	verified(t, a, s)
}

// TestAccountMadeAgain: an account of the same id that is another one is taken
// in full.
func TestAccountMadeAgain(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	newUser(t, s, "alice", 1).steps(20)
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	u := &user{t: t, s: s, id: "alice", a: must(s.Open(t.Context(), "alice"))(t)}
	u.apply(store.DropAccount{})
	again := newUser(t, s, "alice", 3)
	again.steps(100)
	r := must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	if r.Full != 1 {
		t.Errorf("%+v", r)
	}
	same(t, "the account", must(a.Dump(t.Context(), "", "alice"))(t), dump(t, again.a))
}

// seeds is how many of n runs are made.
func seeds(n uint64) uint64 {
	if testing.Short() {
		return 2
	}
	return n
}

// TestHolder: while a backup runs the collector gets nothing.
func TestHolder(t *testing.T) {
	s, a, h := newStore(t), newArchive(t), &backup.Holder{}
	u := newUser(t, s, "alice", 1)
	u.put(u.inbox, "x")
	refs := []blob.Ref{"a", "b"}
	during := -1
	must(a.Backup(t.Context(), s, backup.BackupOptions{Holder: h, Progress: func(backup.Progress) {
		during = len(must(h.Holds(t.Context(), refs))(t))
	}}))(t)
	if after := must(h.Holds(t.Context(), refs))(t); during != 2 || len(after) != 0 {
		t.Errorf("%d of 2 held while it ran, %d after it", during, len(after))
	}
}

// TestAfterImport: an account that took messages with old numbers since the
// last backup is taken in full.
func TestAfterImport(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	u := newUser(t, s, "alice", 1)
	u.put(u.inbox, "x")
	for range 10 {
		u.step()
	}
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	op := must(store.PrepareAppend(t.Context(), s, store.NewMessage{Mailbox: u.inbox, Body: strings.NewReader("old"), BodySize: 3}))(t)
	importing, active := store.AccountImporting, store.AccountActive
	u.apply(store.PutAccount{State: &importing}, store.Import{Append: op, UID: 1000, ModSeq: 2}, store.PutAccount{State: &active})
	if r := must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t); r.Full != 1 {
		t.Errorf("%+v", r)
	}
	same(t, "the account", must(a.Dump(t.Context(), "", "alice"))(t), dump(t, u.a))
}

// TestLocked: one writer at a time.
func TestLocked(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	newUser(t, s, "alice", 1).steps(5)
	lock := must(a.Target.Lock(t.Context()))(t)
	if _, err := a.Backup(t.Context(), s, backup.BackupOptions{}); !errors.Is(err, store.ErrInUse) {
		t.Errorf("Backup: %v", err)
	}
	if _, err := a.Prune(t.Context(), backup.Keep{Last: 1}); !errors.Is(err, store.ErrInUse) {
		t.Errorf("Prune: %v", err)
	}
	must(0, lock.Close())(t)
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
}

// plain hides the snapshots of a store.
type plain struct{ store.Store }

func (p plain) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := p.Store.Open(ctx, id)
	return plainAccount{a}, err
}

type plainAccount struct{ store.Account }

func (plainAccount) As(any) bool { return false }

// TestWithoutSnapshots: a store that has none is read until nothing changes;
// the backup is the account all the same, though others write.
func TestWithoutSnapshots(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	u := newUser(t, s, "alice", 4)
	u.steps(60)
	n := 0
	r := must(a.Backup(t.Context(), racing{plain{s}, func() {
		if n++; n < 40 {
			u.step()
		}
	}}, backup.BackupOptions{Problem: func(p *backup.Problem) { t.Error(p) }}))(t)
	if r.Messages == 0 || n < 40 {
		t.Fatalf("%+v, %d steps", r, n)
	}
	same(t, "the account", must(a.Dump(t.Context(), "", "alice"))(t), dump(t, u.a))
	verified(t, a, s)
}

// racing changes the account while it is read.
type racing struct {
	store.Store
	step func()
}

func (r racing) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := r.Store.Open(ctx, id)
	return racingAccount{a, r.step}, err
}

type racingAccount struct {
	store.Account
	step func()
}

func (racingAccount) As(any) bool { return false }

func (a racingAccount) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	list, now, err := a.Account.Mailboxes(ctx, since)
	a.step()
	return list, now, err
}

func (a racingAccount) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	a.step()
	return a.Account.Messages(ctx, id, q)
}
