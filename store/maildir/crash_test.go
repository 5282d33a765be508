package maildir_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/maildir"
)

func body(i int) string {
	return fmt.Sprintf("Subject: %d\r\n\r\n%s\r\n", i, strings.Repeat("text ", 10*i))
}

func openStore(t testing.TB, f vfs.FS, blobs *memblob.Blobs) (*maildir.Store, error) {
	t.Helper()
	return maildir.Open("/mail", blobs, maildir.Options{}.On(f))
}

// step is one Change of the worker. Its ids and Once keys are the same in every
// run, so that two runs that did the same Changes hold the same.
type step struct {
	name string
	op   func(inbox store.MailboxID) store.Op
}

func id(n byte) store.MailboxID { return store.MailboxID{15: n} }

func ptr[T any](v T) *T { return &v }

// steps have every Op that changes something, and those that a tree makes
// several steps of in several forms.
func steps() []step {
	put := func(p store.PutMailbox) func(store.MailboxID) store.Op {
		return func(store.MailboxID) store.Op { return p }
	}
	flags := func(m store.FlagsMode, f store.Flags, uid store.UID, kw ...string) func(store.MailboxID) store.Op {
		return func(inbox store.MailboxID) store.Op {
			return store.SetFlags{Mailbox: inbox, UIDs: store.UIDs(uid), Mode: m, Flags: f, Keywords: kw}
		}
	}
	list := []step{
		{"create", put(store.PutMailbox{ID: id(1), Create: true, Name: "Work"})},
		{"create below", put(store.PutMailbox{ID: id(2), Create: true, Name: "Work/Deep", Subscribed: ptr(true)})},
	}
	for range 5 {
		list = append(list, step{"append", nil})
	}
	return append(
		list,
		step{"flag from new/", flags(store.FlagsAdd, store.Seen, 1)},
		step{"flag again", flags(store.FlagsAdd, store.Flagged, 1)},
		step{"a third time", flags(store.FlagsRemove, store.Seen, 1)},
		step{"keyword", flags(store.FlagsAdd, 0, 2, "$k", "other")},
		step{"another keyword", flags(store.FlagsReplace, store.Draft, 2, "third")},
		step{"copy", func(in store.MailboxID) store.Op {
			return store.Copy{Source: in, UIDs: store.UIDs(1, 2), Dest: id(1)}
		}},
		step{"copy below", func(in store.MailboxID) store.Op {
			return store.Copy{Source: in, UIDs: store.UIDs(4), Dest: id(2)}
		}},
		step{"move", func(in store.MailboxID) store.Op {
			return store.Copy{Source: in, UIDs: store.UIDs(2, 5), Dest: id(1), Move: true}
		}},
		step{"expunge", func(in store.MailboxID) store.Op { return store.Expunge{Mailbox: in, UIDs: store.UIDs(3)} }},
		step{"entry", func(store.MailboxID) store.Op {
			return store.PutEntry{Mailbox: id(1), Key: "k", Value: []byte("v")}
		}},
		step{"limits", func(store.MailboxID) store.Op { return store.PutAccount{Limits: &store.Limits{Messages: 100}} }},
		step{"rename with subtree", put(store.PutMailbox{ID: id(1), Name: "Other/Place"})},
		step{"flag in the subtree", func(store.MailboxID) store.Op {
			return store.SetFlags{Mailbox: id(1), UIDs: store.UIDs(1), Flags: store.Answered}
		}},
		step{"delete", put(store.PutMailbox{ID: id(2), Delete: true})},
		step{"create again", put(store.PutMailbox{ID: id(3), Create: true, Name: "Other/Place/Deep"})},
		step{"rename INBOX", func(in store.MailboxID) store.Op { return store.PutMailbox{ID: in, Name: "Old"} }},
		step{"append at the end", nil},
		step{"begin an import", func(store.MailboxID) store.Op { return store.PutAccount{State: ptr(store.AccountImporting)} }},
		step{"end it, which moves the purge mark", func(store.MailboxID) store.Op { return store.PutAccount{State: ptr(store.AccountActive)} }},
	)
}

// work carries out the steps up to n until one fails, and returns how many
// were acknowledged.
func work(ctx context.Context, s *maildir.Store, n int) (acked int, err error) {
	for i := range n {
		if err := workOne(ctx, s, i); err != nil {
			return i, fmt.Errorf("%s: %w", steps()[i].name, err)
		}
	}
	return n, nil
}

// workOne carries out one step.
func workOne(ctx context.Context, s *maildir.Store, i int) error {
	a, err := s.Open(ctx, "alice")
	if err != nil {
		return err
	}
	inbox, err := store.MailboxByName(ctx, a, store.Inbox)
	if err != nil {
		return err
	}
	once := fmt.Sprint(i)
	if op := steps()[i].op; op != nil {
		_, err = a.Apply(ctx, store.Change{Once: once, Ops: []store.Op{op(inbox.ID)}})
	} else {
		_, err = store.AppendMessage(ctx, s, a, once, store.NewMessage{
			Mailbox: inbox.ID, Body: strings.NewReader(body(i)), BodySize: -1, Prefix: []byte("P: 1\r\n"),
			Received: time.Unix(1_800_000_000+int64(i), 0),
		})
	}
	return err
}

// dump says all that matters of an account but for ModSeqs and random numbers.
func dump(ctx context.Context, s *maildir.Store) (string, error) {
	a, err := s.Open(ctx, "alice")
	if err != nil {
		return "", err
	}
	boxes, _, err := a.Mailboxes(ctx, 0)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, b := range boxes {
		fmt.Fprintf(&out, "%s next %d: %d messages %d unseen %d octets %t\n", b.Name, b.UIDNext, b.Messages, b.Unseen, b.Bytes, b.Subscribed)
		for m, err := range a.Messages(ctx, b.ID, store.Query{Fields: store.FieldDates}) {
			if err != nil {
				return "", err
			}
			text, err := content(ctx, a, b.ID, m.UID)
			if err != nil {
				return "", fmt.Errorf("%s UID %d: %w", b.Name, m.UID, err)
			}
			fmt.Fprintf(&out, "  %d %b %q %d %.40q\n", m.UID, m.Flags, m.Keywords, m.Received.Unix(), text)
		}
	}
	for e, err := range a.Entries(ctx, store.EntryQuery{All: true}) {
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "entry %s=%s\n", e.Key, e.Value)
	}
	_, _, err = a.Mailboxes(ctx, 1)
	fmt.Fprintf(&out, "the log reaches back: %t\n", !errors.Is(err, store.ErrResync))
	u, err := a.Usage(ctx)
	fmt.Fprintf(&out, "%+v\n", u)
	return out.String(), err
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

// states are the dumps after each number of steps.
func states(t *testing.T) (list []string) {
	t.Helper()
	for n := range len(steps()) + 1 {
		mem, blobs := fresh(t)
		s, err := openStore(t, mem, blobs)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := work(t.Context(), s, n); err != nil {
			t.Fatal(err)
		}
		text, err := dump(t.Context(), s)
		if err = errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	return list
}

// fresh is a file system with an empty account.
func fresh(t *testing.T) (*vfs.Mem, *memblob.Blobs) {
	t.Helper()
	mem, blobs := vfs.NewMem(), memblob.New()
	s, err := openStore(t, mem, blobs)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Create(t.Context(), "alice", store.AccountInfo{}), s.Close()); err != nil {
		t.Fatal(err)
	}
	return mem, blobs
}

// TestCrash cuts the power, and fails, at every k-th operation. What is there
// after the next Open is the state after all Changes that were acknowledged, or
// after one more: no Change is lost, done by half, or done twice.
func TestCrash(t *testing.T) {
	stride := 1
	if testing.Short() {
		stride = 7
	}
	want := states(t)
	for _, kind := range []struct {
		name string
		hook func(k int) vfs.Hook
	}{
		{"cut", vfs.CrashAt},
		{"fail", func(k int) vfs.Hook { return vfs.FailAt(k, errors.New("EIO")) }},
		{"full", func(k int) vfs.Hook { return vfs.FailKind(k, vfs.OpWrite, errors.New("ENOSPC")) }},
	} {
		t.Run(kind.name, func(t *testing.T) {
			for k := 1; crashAt(t, kind.hook(k), k, want); k += stride {
			}
		})
	}
}

// crashAt reports whether there was an operation k.
func crashAt(t *testing.T, hook vfs.Hook, k int, want []string) bool {
	t.Helper()
	mem, blobs := fresh(t)
	faulty := vfs.NewFault(mem, hook)
	acked := 0
	s, err := openStore(t, faulty, blobs)
	if err == nil {
		acked, err = work(t.Context(), s, len(steps()))
		defer s.Close()
	}
	for seed := range uint64(4) {
		var rng *rand.Rand
		if seed > 0 {
			rng = rand.New(rand.NewPCG(seed, uint64(k)))
		}
		after := mem.Crash(rng)
		for range 2 { // the second Open finds what the first one left
			got, derr := reopened(t, after, blobs)
			if derr != nil {
				t.Fatalf("k=%d seed=%d (%v): %v", k, seed, err, derr)
			}
			if got != want[acked] && (acked == len(steps()) || got != want[acked+1]) {
				t.Fatalf("k=%d seed=%d (%v): after %d acknowledged changes there is\n%s\nwant\n%s", k, seed, err, acked, got, want[acked])
			}
		}
	}
	return faulty.Count() >= k
}

// reopened dumps what a new process finds, and takes the same account on: the
// step that was not acknowledged is repeated with its Once key.
func reopened(t *testing.T, f vfs.FS, blobs *memblob.Blobs) (text string, err error) {
	s, err := openStore(t, f, blobs)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return dump(t.Context(), s)
}
