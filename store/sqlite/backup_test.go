package sqlite_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/memstore"
	"github.com/mailstead/mailstead/store/storetest"
)

// loadWriter appends messages, each together with an entry that counts them,
// and moves them to and fro, in single Changes: between two Changes the entry
// is the number of its messages, wherever they lie.
type loadWriter struct {
	s     store.Store
	a     store.Account
	name  string
	boxes [2]store.MailboxID
	n     int
}

func (w *loadWriter) step(k int) error {
	ctx := context.Background()
	if k%3 == 2 {
		src, dst := w.boxes[k%2], w.boxes[1-k%2]
		_, err := w.a.Apply(ctx, store.Change{Ops: []store.Op{
			store.Copy{Source: src, UIDs: store.AllUIDs(), Dest: dst, Move: true},
			store.SetFlags{Mailbox: dst, UIDs: store.AllUIDs(), Flags: store.Flags(k % 32), Mode: store.FlagsReplace},
		}})
		return err
	}
	text := fmt.Sprintf("Message-ID: <%s-%d@x>\r\nSubject: %s\r\n\r\n%s", w.name, k, w.name, strings.Repeat("text ", 50*(k%20)))
	op, err := store.PrepareAppend(ctx, w.s, store.NewMessage{Mailbox: w.boxes[k%2], Body: strings.NewReader(text), BodySize: int64(len(text)), Prefix: []byte("W: " + w.name + "\r\n")})
	if err != nil {
		return err
	}
	w.n++
	_, err = w.a.Apply(ctx, store.Change{Ops: []store.Op{op, store.PutEntry{Key: w.name, Value: []byte(strconv.Itoa(w.n))}}})
	return err
}

// counted reports writers whose messages are not as many as their entry says.
func counted(t *testing.T, what string, a store.Account) {
	t.Helper()
	have := map[string]int{}
	boxes, _, err := a.Mailboxes(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, box := range boxes {
		for m, err := range a.Messages(t.Context(), box.ID, store.Query{Fields: store.FieldContent}) {
			if err != nil {
				t.Fatal(err)
			}
			have[string(m.Prefix[3:len(m.Prefix)-2])]++
		}
	}
	for e, err := range a.Entries(t.Context(), store.EntryQuery{Prefix: "w"}) {
		if err != nil {
			t.Fatal(err)
		}
		if want := string(e.Value); strconv.Itoa(have[e.Key]) != want {
			t.Errorf("%s: %d messages of %s, want %s: it is no state between two Changes", what, have[e.Key], e.Key, want)
		}
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

// TestBackupUnderLoad: backups that are made while 8 writers work and bodies
// are collected are states between two Changes; the last one is the store, in
// this engine and in another one.
func TestBackupUnderLoad(t *testing.T) {
	s := open(t, t.TempDir())
	ids := []store.AccountID{"alice", "bob", "carol"}
	var ws []*loadWriter
	for i := range 8 {
		id := ids[i%len(ids)]
		if i < len(ids) {
			newWriter(t, s, id).apply(t, store.PutMailbox{ID: store.MailboxID{1}, Create: true, Name: "Work"})
		}
		a, err := s.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		inbox, err := store.MailboxByName(t.Context(), a, store.Inbox)
		if err != nil {
			t.Fatal(err)
		}
		ws = append(ws, &loadWriter{s: s, a: a, name: fmt.Sprint("w", i), boxes: [2]store.MailboxID{inbox.ID, {1}}})
	}
	holder := &backup.Holder{}
	archive := &backup.Archive{Target: backup.NewDir(t.TempDir())}
	var wg sync.WaitGroup
	for _, w := range ws {
		wg.Go(func() {
			for k := range 60 {
				if err := w.step(k); err != nil {
					t.Errorf("%s: %v", w.name, err)
				}
			}
		})
	}
	loaded := make(chan struct{})
	go func() { wg.Wait(); close(loaded) }()
	collector := &blob.Collector{Blobs: s.Blobs(), Holders: []blob.Holder{s, holder}}
	for running, n := true, 0; running || n < 3; n++ {
		select {
		case <-loaded:
			running = false
		default:
		}
		take(t, archive, s, holder)
		if _, err := collector.Collect(t.Context()); err != nil {
			t.Error(err)
		}
	}
	take(t, archive, s, holder)
	backups, err := archive.IDs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range backups {
		to := memstore.New(nil)
		restore(t, archive, to, id)
		for _, account := range ids {
			a, err := to.Open(t.Context(), account)
			if err != nil {
				t.Fatal(err)
			}
			counted(t, id+" "+string(account), a)
		}
		if id == backups[len(backups)-1] {
			other := open(t, t.TempDir())
			restore(t, archive, other, id)
			sound(t, other)
			for _, account := range ids {
				want := facts(t, s, account)
				if !slices.Equal(facts(t, to, account), want) || !slices.Equal(facts(t, other, account), want) {
					t.Errorf("%s of the last backup is not as in the store", account)
				}
			}
		}
		to.Close()
	}
	t.Logf("%d backups under load", len(backups))
	verify(t, archive, s)
}

func take(t *testing.T, a *backup.Archive, s store.Store, h *backup.Holder) *backup.Report {
	t.Helper()
	r, err := a.Backup(t.Context(), s, backup.BackupOptions{Holder: h, Problem: func(p *backup.Problem) { t.Error(p) }})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func restore(t *testing.T, a *backup.Archive, s store.Store, id string) {
	t.Helper()
	if _, err := a.Restore(t.Context(), s, backup.RestoreOptions{Backup: id, Problem: func(p *backup.Problem) { t.Error(p) }}); err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, a *backup.Archive, s store.Store) {
	t.Helper()
	if _, err := a.Verify(t.Context(), backup.VerifyOptions{Store: s, Problem: func(p *backup.Problem) { t.Error(p) }}); err != nil {
		t.Fatal(err)
	}
}

// TestBackupAfterPurge: an account whose log was shortened beyond the last
// backup is taken in full, and restored as it is.
func TestBackupAfterPurge(t *testing.T) {
	s := open(t, t.TempDir())
	w := newWriter(t, s, "alice")
	archive := &backup.Archive{Target: backup.NewDir(t.TempDir())}
	for k := range 10 {
		w.deliver(t, body(100), uint64(k))
	}
	take(t, archive, s, nil)
	w.apply(t, store.Expunge{Mailbox: w.inbox, UIDs: store.UIDs(1, 2)})
	_, mark, err := w.a.Mailboxes(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	w.apply(t, store.Expunge{Mailbox: w.inbox, UIDs: store.UIDs(3)})
	if err := s.engine.Store().Purge(t.Context(), "alice", mark); err != nil {
		t.Fatal(err)
	}
	if r := take(t, archive, s, nil); r.Full != 1 || r.Bodies != 0 {
		t.Errorf("%+v", r)
	}
	verify(t, archive, s)
	to := memstore.New(nil)
	defer to.Close()
	restore(t, archive, to, "")
	if got, want := facts(t, to, "alice"), facts(t, s, "alice"); !slices.Equal(got, want) {
		t.Errorf("restored:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestBackupReadsExpunged: what is expunged while bodies are copied is in the
// backup.
func TestBackupReadsExpunged(t *testing.T) {
	s := open(t, t.TempDir())
	w := newWriter(t, s, "alice")
	for k := range 20 {
		w.deliver(t, fmt.Appendf(nil, "Subject: %d\r\n\r\n%d", k, k), uint64(k))
	}
	archive := &backup.Archive{Target: backup.NewDir(t.TempDir())}
	once := sync.OnceFunc(func() { w.apply(t, store.Expunge{Mailbox: w.inbox, UIDs: store.AllUIDs()}) })
	r, err := archive.Backup(t.Context(), s, backup.BackupOptions{Progress: func(p backup.Progress) {
		if p.Bodies > 0 {
			once()
		}
	}})
	if err != nil || r.Missing > 0 || r.Bodies != 20 {
		t.Fatalf("%+v, %v", r, err)
	}
	to := memstore.New(nil)
	defer to.Close()
	restore(t, archive, to, "")
	if n := len(facts(t, to, "alice")); n != 21 {
		t.Errorf("%d lines, want 20 messages and INBOX", n)
	}
}

// TestRestoreSpeed logs how fast messages come back into this engine.
func TestRestoreSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("for orientation")
	}
	s := memstore.New(nil)
	defer s.Close()
	if err := s.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	a, err := s.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	const n = 5000
	for k := range n {
		text := fmt.Sprintf("Subject: %d\r\n\r\n%s", k, strings.Repeat("words ", 600))
		m := store.NewMessage{Mailbox: inbox.ID, Body: strings.NewReader(text), BodySize: int64(len(text))}
		if _, err := store.AppendMessage(t.Context(), s, a, "", m); err != nil {
			t.Fatal(err)
		}
	}
	archive := &backup.Archive{Target: backup.NewDir(t.TempDir())}
	began := time.Now()
	take(t, archive, s, nil)
	t.Logf("backup: %.0f messages/s", n/time.Since(began).Seconds())
	to := open(t, t.TempDir())
	began = time.Now()
	restore(t, archive, to, "")
	t.Logf("restore: %.0f messages/s", n/time.Since(began).Seconds())
	sound(t, to)
}
