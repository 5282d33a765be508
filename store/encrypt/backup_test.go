package encrypt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/encrypt"
	"github.com/mailstead/mailstead/store/memstore"
	"github.com/mailstead/mailstead/store/storetest"
)

// TestBackup: an archive of an encrypted store, made above the wrapper, is
// restored into a plain store and into one with other keys, and back from
// there; the mail stays what it was, with the Meta that it had.
func TestBackup(t *testing.T) {
	from := newVault(t, nil, encrypt.Options{})
	fill(t, from)
	want := facts(t, from)
	for _, to := range []struct {
		name  string
		store store.Store
	}{
		{"plain", memstore.New(nil)},
		{"other keys", newVault(t, nil, encrypt.Options{})},
		{"compressed", newVault(t, func(b blob.Blobs, ring encrypt.KeyRing) blob.Blobs { return squeezed(t, b, ring) }, encrypt.Options{})},
	} {
		t.Run(to.name, func(t *testing.T) {
			carry(t, from, to.store)
			if got := facts(t, to.store); !slices.Equal(got, want) {
				t.Errorf("restored:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			back := newVault(t, nil, encrypt.Options{})
			carry(t, to.store, back)
			if got := facts(t, back); !slices.Equal(got, want) {
				t.Errorf("and back:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// carry backs from up and restores it into to.
func carry(t *testing.T, from, to store.Store) {
	t.Helper()
	a := &backup.Archive{Target: backup.NewDir(t.TempDir())}
	problem := func(p *backup.Problem) { t.Error(p) }
	b, err := a.Backup(t.Context(), from, backup.BackupOptions{Problem: problem})
	if err != nil || b.Missing > 0 || b.Bodies == 0 {
		t.Fatalf("backup: %+v, %v", b, err)
	}
	r, err := a.Restore(t.Context(), to, backup.RestoreOptions{Problem: problem})
	if err != nil || r.Lost > 0 || r.Accounts != 1 {
		t.Fatalf("restore: %+v, %v", r, err)
	}
}

// fill makes an account with messages that share a body, a copy, and entries.
func fill(t *testing.T, v *vault) {
	t.Helper()
	ctx := t.Context()
	if err := v.Create(ctx, "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	a, inbox := opened(t, v)
	work := store.NewMailboxID()
	for n := range 20 {
		body := fmt.Sprintf("Message-ID: <%d@x>\r\nSubject: number %d\r\n\r\n%s", n/2, n/2, strings.Repeat("text ", n*n*20))
		_, err := store.AppendMessage(ctx, v, a, "", store.NewMessage{
			Mailbox: inbox, Body: strings.NewReader(body), BodySize: -1, Prefix: fmt.Appendf(nil, "Return-Path: <%d@x>\r\n", n), Flags: store.Seen,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := a.Apply(ctx, store.Change{Ops: []store.Op{
		store.PutMailbox{ID: work, Create: true, Name: "Work"},
		store.Copy{Source: inbox, UIDs: store.UIDs(3, 5, 8), Dest: work},
		store.PutEntry{Mailbox: work, Key: "note", Value: []byte("a value")},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func opened(t *testing.T, s store.Store) (store.Account, store.MailboxID) {
	t.Helper()
	a, err := s.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	return a, inbox.ID
}

// facts are those of storetest and the Meta of every message.
func facts(t *testing.T, s store.Store) []string {
	t.Helper()
	a, inbox := opened(t, s)
	out, err := storetest.Facts(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range a.Messages(t.Context(), inbox, store.Query{Fields: store.FieldMeta}) {
		if err != nil || len(m.Meta) == 0 {
			t.Fatalf("message %d without Meta: %v", m.UID, err)
		}
		out = append(out, fmt.Sprintf("meta %d %x", m.UID, m.Meta))
	}
	return out
}

// TestBackupWithoutKeys: messages whose key is not there any more are reported
// one by one, and end no backup.
func TestBackupWithoutKeys(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	fill(t, v)
	v.reopen(t, keyFile(t))
	below, err := v.below.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	work, err := store.MailboxByName(t.Context(), below, "Work")
	if err != nil {
		t.Fatal(err)
	}
	_, err = below.Apply(t.Context(), store.Change{Ops: []store.Op{store.PutEntry{Mailbox: work.ID, Key: "note"}}})
	if err != nil {
		t.Fatal(err)
	}
	problems := 0
	r, err := (&backup.Archive{Target: backup.NewDir(t.TempDir())}).Backup(t.Context(), v, backup.BackupOptions{
		Problem: func(*backup.Problem) { problems++ },
	})
	if err != nil || r.Missing != 23 || problems != 23 {
		t.Errorf("%d problems, %+v, %v", problems, r, err)
	}
}
