package backup_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/maildir"
	"github.com/mailstead/mailstead/store/storetest"
)

// facts are what a restore keeps of an account.
func facts(t testing.TB, a store.Account) []string {
	t.Helper()
	return must(storetest.Facts(context.Background(), a))(t)
}

// live drops the lines of tombstones.
func live(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.Contains(l, " gone at ") })
}

// TestRestore: every backup of a chain, restored into an empty store, is the
// account as it was, and the account's numbers go on ahead.
func TestRestore(t *testing.T) {
	for seed := range seeds(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s, a := newStore(t), newArchive(t)
			u := newUser(t, s, "alice", seed)
			var ids []string
			var want [][]string
			for range 4 {
				u.steps(60)
				r := must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
				ids, want = append(ids, r.Manifest.ID), append(want, facts(t, u.a))
			}
			for i, id := range ids {
				to := newStore(t)
				r := must(a.Restore(t.Context(), to, backup.RestoreOptions{Backup: id, Problem: func(p *backup.Problem) { t.Error(p) }}))(t)
				if r.Accounts != 1 || r.Lost > 0 {
					t.Errorf("%+v", r)
				}
				acct := must(to.Open(t.Context(), "alice"))(t)
				same(t, id, facts(t, acct), want[i])
				ahead(t, a, id, acct)
				again := must(a.Restore(t.Context(), to, backup.RestoreOptions{Backup: id}))(t)
				if again.Already != 1 || again.Messages > 0 || again.Bytes > 0 {
					t.Errorf("the second run: %+v", again)
				}
			}
		})
	}
}

// ahead: UIDs and ModSeqs that the account gives out are beyond all that it
// can have given out since the backup.
func ahead(t testing.TB, a *backup.Archive, id string, acct store.Account) {
	t.Helper()
	const jump = 1 << 20
	e := must(a.Manifest(context.Background(), id))(t).Entry("alice", "")
	list, now, err := acct.Mailboxes(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if now < e.ModSeq+jump {
		t.Errorf("ModSeq %d, that of the backup is %d", now, e.ModSeq)
	}
	for _, m := range list {
		if !m.NoSelect && (m.UIDNext < jump || m.HighestModSeq < e.ModSeq+jump) {
			t.Errorf("mailbox %+v", m)
		}
	}
}

// TestRestoreResync: who synchronized before the loss, whether the backup has
// that or not, begins anew, since what was done after the backup is in no log;
// from the restore on the log is whole.
func TestRestoreResync(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	u := newUser(t, s, "alice", 1)
	u.put(u.inbox, "one")
	_, early, _ := u.a.Mailboxes(t.Context(), 0)
	u.apply(store.Expunge{Mailbox: u.inbox, UIDs: store.UIDs(1)})
	u.put(u.inbox, "two")
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	u.put(u.inbox, "not in the backup")
	_, late, _ := u.a.Mailboxes(t.Context(), 0)
	to := newStore(t)
	must(a.Restore(t.Context(), to, backup.RestoreOptions{}))(t)
	acct := must(to.Open(t.Context(), "alice"))(t)
	for _, since := range []store.ModSeq{early, late} {
		if _, _, err := acct.Mailboxes(t.Context(), since); !errors.Is(err, store.ErrResync) {
			t.Errorf("mailboxes since %d: %v, want ErrResync", since, err)
		}
	}
	_, now, err := acct.Mailboxes(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if list, _, err := acct.Mailboxes(t.Context(), now); err != nil || len(list) > 0 {
		t.Errorf("since the restore: %v, %v", list, err)
	}
	r := must(a.Backup(t.Context(), to, backup.BackupOptions{}))(t)
	if r.Full != 1 || r.Incremental > 0 {
		t.Errorf("the next backup: %+v", r)
	}
}

// TestRestoreOverRestored: an account that was restored and emptied, so that its
// purge mark lies high, takes another restore.
func TestRestoreOverRestored(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	u := newUser(t, s, "alice", 1)
	first := must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t).Manifest.ID
	u.put(u.inbox, "one")
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	to := newStore(t)
	must(a.Restore(t.Context(), to, backup.RestoreOptions{Backup: first}))(t)
	must(a.Restore(t.Context(), to, backup.RestoreOptions{}))(t)
	same(t, "restored", facts(t, must(to.Open(t.Context(), "alice"))(t)), facts(t, u.a))
}

// TestRestoreState: limits, state and holds come back.
func TestRestoreState(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	u := newUser(t, s, "alice", 1)
	u.steps(30)
	closed := store.AccountClosed
	u.apply(store.PutAccount{Limits: &store.Limits{Messages: 3, Bytes: 1000}, State: &closed})
	holds := []store.Hold{
		{Name: "account", Reason: "case 7", Until: time.Now().Add(time.Hour).Round(0)},
		{Name: "inbox", Mailbox: u.inbox, UIDs: store.UIDSet{{First: 1, Last: 3}, {First: 9, Last: 9}}, Keep: time.Hour},
	}
	for _, h := range holds {
		if err := store.PutHold(t.Context(), u.a, h); err != nil {
			t.Fatal(err)
		}
	}
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	to := newStore(t)
	must(a.Restore(t.Context(), to, backup.RestoreOptions{Accounts: []store.AccountID{"alice"}, As: "carol"}))(t)
	for info := range to.Accounts(t.Context(), "") {
		if info.ID != "carol" || info.State != closed || info.Limits.Messages != 3 || info.Limits.Bytes != 1000 {
			t.Errorf("%+v", info)
		}
	}
	acct := must(to.Open(t.Context(), "carol"))(t)
	inbox := must(store.MailboxByName(t.Context(), acct, store.Inbox))(t)
	got := must(store.ListHolds(t.Context(), acct))(t)
	if len(got) != 2 || got[1].Mailbox != inbox.ID || got[1].UIDs.String() != "1:3,9" || got[1].Keep != time.Hour || !got[0].Until.Equal(holds[0].Until) {
		t.Errorf("%+v", got)
	}
}

// TestRestoreAppend: messages of a mailbox come into an account in use, once,
// with new UIDs and with flags and dates.
func TestRestoreAppend(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	u := newUser(t, s, "alice", 1)
	for i := range 10 {
		u.put(u.inbox, fmt.Sprintf("Subject: %d\r\n\r\n%d", i, i))
	}
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	u.apply(store.Expunge{Mailbox: u.inbox, UIDs: store.UIDSet{{First: 1, Last: 5}}})
	before := facts(t, u.a)
	o := backup.RestoreOptions{Accounts: []store.AccountID{"alice"}, Mailbox: store.Inbox, UIDs: store.UIDs(2, 3, 4), Into: "Back/Again"}
	r := must(a.Restore(t.Context(), s, o))(t)
	if r.Messages != 3 || r.Mailboxes != 1 {
		t.Errorf("%+v", r)
	}
	if again := must(a.Restore(t.Context(), s, o))(t); again.Messages != 0 || again.Skipped != 3 || again.Bytes != 0 {
		t.Errorf("again: %+v", again)
	}
	o.Run = "once more"
	if more := must(a.Restore(t.Context(), s, o))(t); more.Messages != 3 {
		t.Errorf("another run: %+v", more)
	}
	m := must(store.MailboxByName(t.Context(), u.a, "Back/Again"))(t)
	got := live(messages(t, u.a, m.ID))
	if len(got) != 6 {
		t.Errorf("%d messages", len(got))
	}
	for _, l := range before {
		if !slices.Contains(facts(t, u.a), l) {
			t.Errorf("changed: %s", l)
		}
	}
	if _, err := a.Restore(t.Context(), s, backup.RestoreOptions{}); !errors.Is(err, backup.ErrNotEmpty) {
		t.Errorf("a whole account over one in use: %v", err)
	}
	u.apply(store.PutAccount{Limits: &store.Limits{Messages: 1}})
	o.Run = "over quota"
	if _, err := a.Restore(t.Context(), s, o); !errors.Is(err, store.ErrOverQuota) {
		t.Errorf("over quota: %v", err)
	}
	dry := must(a.Restore(t.Context(), newStore(t), backup.RestoreOptions{DryRun: true}))(t)
	if dry.Messages != 10 || dry.Accounts != 1 {
		t.Errorf("dry run: %+v", dry)
	}
}

// TestRestoreIntoEmptyAccount: an account that was just made takes a restore;
// its empty mailboxes give way to those of the backup.
func TestRestoreIntoEmptyAccount(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	u := newUser(t, s, "alice", 1)
	u.steps(80)
	u.apply(store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "Sent"})
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	to := newStore(t)
	fresh := newUser(t, to, "alice", 2)
	fresh.apply(store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "Sent"})
	must(a.Restore(t.Context(), to, backup.RestoreOptions{}))(t)
	same(t, "restored", facts(t, fresh.a), facts(t, u.a))
}

// TestPrune: what stays can be restored, what goes takes no space.
func TestPrune(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	u := newUser(t, s, "alice", 1)
	var ids []string
	want := map[string][]string{}
	first := u.put(u.inbox, "one that stays")
	if err := store.PutHold(t.Context(), u.a, store.Hold{Name: "it", Mailbox: u.inbox, UIDs: store.UIDs(first)}); err != nil {
		t.Fatal(err)
	}
	for round := range 8 {
		u.steps(40)
		if round == 3 { // most of what the first packs have goes
			for _, m := range u.boxes() {
				uids := store.AllUIDs()
				if m.ID == u.inbox {
					uids = uids.Minus(store.UIDs(first))
				}
				u.apply(store.Expunge{Mailbox: m.ID, UIDs: uids})
			}
		}
		r := must(a.Backup(t.Context(), s, backup.BackupOptions{Full: round == 4}))(t)
		ids = append(ids, r.Manifest.ID)
		want[r.Manifest.ID] = dump(t, u.a)
	}
	dry := must(a.Prune(t.Context(), backup.Keep{Last: 3, DryRun: true}))(t)
	before := objects(t, a)
	r := must(a.Prune(t.Context(), backup.Keep{Last: 3}))(t)
	if !slices.Equal(r.Kept, ids[5:]) || !slices.Equal(r.Removed, dry.Removed) || r.Objects < dry.Objects || r.Repacked == 0 || objects(t, a) >= before {
		t.Errorf("%+v, dry run %+v", r, dry)
	}
	v := verified(t, a, s)
	if v.Stray > 0 {
		t.Errorf("left: %+v", v)
	}
	for _, id := range ids[5:] {
		same(t, id, must(a.Dump(t.Context(), id, "alice"))(t), want[id])
	}
	if _, err := a.Prune(t.Context(), backup.Keep{}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("Prune of everything: %v", err)
	}
	u.steps(20)
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	verified(t, a, s)
}

// TestEngines: an archive of one engine restores into another, and the archive
// of that into a third.
func TestEngines(t *testing.T) {
	s, a := newStore(t), newArchive(t)
	u := newUser(t, s, "alice@example.org", 3)
	u.steps(60)
	must(a.Backup(t.Context(), s, backup.BackupOptions{}))(t)
	want := facts(t, u.a)
	dir := must(maildir.Open(t.TempDir(), memblob.New(), maildir.Options{}))(t)
	t.Cleanup(func() { dir.Close() })
	must(a.Restore(t.Context(), dir, backup.RestoreOptions{}))(t)
	same(t, "maildir", facts(t, must(dir.Open(t.Context(), u.id))(t)), want)

	back, third := newArchive(t), newStore(t)
	must(back.Backup(t.Context(), dir, backup.BackupOptions{Problem: func(p *backup.Problem) { t.Error(p) }}))(t)
	verified(t, back, dir)
	must(back.Restore(t.Context(), third, backup.RestoreOptions{}))(t)
	same(t, "back in memory", facts(t, must(third.Open(t.Context(), u.id))(t)), want)
}
