package maildir_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/maildir"
)

// worker makes the same Changes every time and keeps what was acknowledged.
type worker struct {
	s      *maildir.Store
	a      store.Account
	bodies map[store.UID]string // acknowledged in INBOX
	flags  map[store.UID]store.Flags
	gone   map[store.UID]bool
	tried  map[store.UID]bool // changes that were not acknowledged
	inWork int
}

func body(i int) string {
	return fmt.Sprintf("Subject: %d\r\n\r\n%s\r\n", i, strings.Repeat("text ", 10*i))
}

func openStore(t testing.TB, f vfs.FS, blobs *memblob.Blobs) (*maildir.Store, error) {
	t.Helper()
	return maildir.Open("/mail", blobs, maildir.Options{}.On(f))
}

func (w *worker) run(ctx context.Context) {
	inbox, err := store.MailboxByName(ctx, w.a, store.Inbox)
	if err != nil {
		return
	}
	work := store.NewMailboxID()
	_, _ = w.a.Apply(ctx, store.Change{Ops: []store.Op{store.PutMailbox{ID: work, Create: true, Name: "Work"}}})
	for i := range 4 {
		m := store.NewMessage{Mailbox: inbox.ID, Body: strings.NewReader(body(i)), BodySize: -1, Prefix: []byte("P: 1\r\n"), Keywords: []string{"$k"}}
		if r, err := store.AppendMessage(ctx, w.s, w.a, "", m); err == nil {
			w.bodies[r.Ops[0].Dest.Min()] = "P: 1\r\n" + body(i)
		}
	}
	for uid, f := range map[store.UID]store.Flags{1: store.Seen, 2: store.Flagged} {
		w.tried[uid] = true
		if r, err := w.a.Apply(ctx, store.Change{Ops: []store.Op{store.SetFlags{Mailbox: inbox.ID, UIDs: store.UIDs(uid), Flags: f}}}); err == nil && len(r.Ops[0].Changed) > 0 {
			w.flags[uid] = f
			delete(w.tried, uid)
		}
	}
	if r, err := w.a.Apply(ctx, store.Change{Ops: []store.Op{store.Copy{Source: inbox.ID, UIDs: store.UIDs(1, 2), Dest: work}}}); err == nil {
		w.inWork = int(r.Ops[0].Dest.Len())
	}
	w.tried[3] = true
	if r, err := w.a.Apply(ctx, store.Change{Ops: []store.Op{store.Expunge{Mailbox: inbox.ID, UIDs: store.UIDs(3)}}}); err == nil && len(r.Ops[0].Changed) > 0 {
		w.gone[3] = true
	}
	_, _ = w.a.Apply(ctx, store.Change{Ops: []store.Op{store.PutMailbox{ID: work, Name: "Other/Place"}}})
}

// check holds what a reopened store has against what was acknowledged.
func (w *worker) check(ctx context.Context, a store.Account) error {
	boxes, _, err := a.Mailboxes(ctx, 0)
	if err != nil {
		return err
	}
	for _, b := range boxes {
		n := 0
		for m, err := range a.Messages(ctx, b.ID, store.Query{}) {
			if err != nil {
				return err
			}
			n++
			text, err := content(ctx, a, b.ID, m.UID)
			if err != nil || !strings.HasPrefix(text, "P: 1\r\nSubject: ") || !strings.HasSuffix(text, "\r\n") {
				return fmt.Errorf("%s UID %d reads %.40q, %w", b.Name, m.UID, text, err)
			}
			if b.Name != store.Inbox {
				continue
			}
			if want, ok := w.bodies[m.UID]; ok && text != want {
				return fmt.Errorf("UID %d is %q, want %q", m.UID, text, want)
			}
			if f := w.flags[m.UID]; m.Flags != f && !w.tried[m.UID] {
				return fmt.Errorf("UID %d has flags %b, want %b", m.UID, m.Flags, f)
			}
			if w.gone[m.UID] {
				return fmt.Errorf("UID %d is back", m.UID)
			}
			delete(w.bodies, m.UID)
		}
		if int64(n) != b.Messages {
			return fmt.Errorf("%s counts %d messages and has %d", b.Name, b.Messages, n)
		}
		if b.Name == store.Inbox && n > 4 || b.Name != store.Inbox && n > 2 {
			return fmt.Errorf("%s has %d messages: some twice", b.Name, n)
		}
		if (b.Name == "Work" || b.Name == "Other/Place") && n < w.inWork {
			return fmt.Errorf("%s has %d messages, want %d", b.Name, n, w.inWork)
		}
	}
	for uid := range w.bodies {
		if !w.gone[uid] && !w.tried[uid] {
			return fmt.Errorf("acknowledged UID %d is lost", uid)
		}
	}
	return nil
}

func content(ctx context.Context, a store.Account, id store.MailboxID, uid store.UID) (string, error) {
	c, err := a.Content(ctx, id, uid)
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	return string(b), err
}

// TestCrash cuts the power, and fails, at every k-th operation.
func TestCrash(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 7
	}
	for _, kind := range []struct {
		name string
		hook func(k int) vfs.Hook
	}{
		{"cut", vfs.CrashAt},
		{"fail", func(k int) vfs.Hook { return vfs.FailAt(k, errors.New("EIO")) }},
	} {
		t.Run(kind.name, func(t *testing.T) {
			for k := 1; crashAt(t, kind.hook(k), k); k += step {
			}
		})
	}
}

// crashAt reports whether there was an operation k.
func crashAt(t *testing.T, hook vfs.Hook, k int) bool {
	t.Helper()
	ctx := t.Context()
	mem, blobs := vfs.NewMem(), memblob.New()
	s, err := openStore(t, mem, blobs)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(ctx, "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	faulty := vfs.NewFault(mem, hook)
	w := &worker{bodies: map[store.UID]string{}, flags: map[store.UID]store.Flags{}, gone: map[store.UID]bool{}, tried: map[store.UID]bool{}}
	if w.s, err = openStore(t, faulty, blobs); err == nil {
		if w.a, err = w.s.Open(ctx, "alice"); err == nil {
			w.run(ctx)
		}
		defer w.s.Close()
	}
	for seed := range uint64(3) {
		var rng *rand.Rand
		if seed > 0 {
			rng = rand.New(rand.NewPCG(seed, uint64(k)))
		}
		bodies := map[store.UID]string{}
		for uid, b := range w.bodies {
			bodies[uid] = b
		}
		next := *w
		next.bodies = bodies
		if err := next.reopen(ctx, t, mem.Crash(rng), blobs); err != nil {
			t.Fatalf("k=%d seed=%d: %v", k, seed, err)
		}
	}
	return faulty.Count() >= k
}

func (w *worker) reopen(ctx context.Context, t *testing.T, f vfs.FS, blobs *memblob.Blobs) error {
	s, err := openStore(t, f, blobs)
	if err != nil {
		return err
	}
	defer s.Close()
	a, err := s.Open(ctx, "alice")
	if err != nil {
		return err
	}
	return w.check(ctx, a)
}
