package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/memstore"
	"github.com/mailstead/mailstead/store/storetest"
)

// TestBackup: backups of one node, made while another one works, come back in
// this engine and in another one as the store is.
func TestBackup(t *testing.T) {
	s := fresh(t)
	beside := open(t, s.dsn, s.blobs)
	ids := []store.AccountID{"alice", "bob"}
	for _, id := range ids {
		if err := s.Create(t.Context(), id, store.AccountInfo{}); err != nil {
			t.Fatal(err)
		}
	}
	archive := &backup.Archive{Target: backup.NewDir(t.TempDir())}
	var work sync.WaitGroup
	for _, id := range ids {
		work.Go(func() { busy(t, beside, id, 80) })
	}
	take(t, archive, s)
	work.Wait()
	if r := take(t, archive, s); r.Missing > 0 || r.Full > 0 {
		t.Errorf("the second backup is not incremental, or misses a body: %+v", r)
	}
	other := memstore.New(nil)
	defer other.Close()
	again := fresh(t)
	for name, to := range map[string]store.Store{"memory store": other, "PostgreSQL": again} {
		restore(t, archive, to)
		for _, id := range ids {
			if got, want := facts(t, to, id), facts(t, s, id); !slices.Equal(got, want) {
				t.Errorf("%s of %s:\n%s\nwant:\n%s", id, name, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
	if _, err := archive.Verify(t.Context(), backup.VerifyOptions{Store: again, Problem: func(p *backup.Problem) { t.Error(p) }}); err != nil {
		t.Error(err)
	}
}

// busy appends, flags, moves and expunges n times.
func busy(t *testing.T, s store.Store, id store.AccountID, n int) {
	a, err := s.Open(t.Context(), id)
	if err != nil {
		t.Error(err)
		return
	}
	inbox, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Error(err)
		return
	}
	work := store.NewMailboxID()
	ops := []store.Op{store.PutMailbox{ID: work, Create: true, Name: "Work"}}
	for k := range n {
		text := fmt.Sprintf("Subject: %s %d\r\n\r\n%s", id, k, strings.Repeat("text ", 20*(k%30)))
		op, err := store.PrepareAppend(t.Context(), s, store.NewMessage{Mailbox: inbox.ID, Body: strings.NewReader(text), BodySize: int64(len(text))})
		if err != nil {
			t.Error(err)
			return
		}
		ops = append(ops, op, store.PutEntry{Key: fmt.Sprint(k % 7), Value: []byte(text[:10])})
		switch k % 8 {
		case 3:
			ops = append(ops, store.SetFlags{Mailbox: inbox.ID, UIDs: store.AllUIDs(), Mode: store.FlagsAdd, Flags: store.Seen, Keywords: []string{"k"}})
		case 5:
			ops = append(ops, store.Copy{Source: inbox.ID, UIDs: store.AllUIDs(), Dest: work, Move: k%16 == 5})
		case 7:
			ops = append(ops, store.Expunge{Mailbox: work, UIDs: store.UIDs(store.UID(k))})
		}
		if _, err := a.Apply(t.Context(), store.Change{Ops: ops}); err != nil {
			t.Error(err)
			return
		}
		ops = nil
	}
}

func take(t *testing.T, a *backup.Archive, s store.Store) *backup.Report {
	t.Helper()
	r, err := a.Backup(t.Context(), s, backup.BackupOptions{Problem: func(p *backup.Problem) { t.Error(p) }})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func restore(t *testing.T, a *backup.Archive, to store.Store) {
	t.Helper()
	if _, err := a.Restore(t.Context(), to, backup.RestoreOptions{Problem: func(p *backup.Problem) { t.Error(p) }}); err != nil {
		t.Fatal(err)
	}
}

func facts(t *testing.T, s store.Store, id store.AccountID) []string {
	t.Helper()
	a, err := s.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	out, err := storetest.Facts(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
