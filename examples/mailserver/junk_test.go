package main

import (
	"context"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/memstore"
)

// Junk is the mailbox with that special use, else the one of that name, else a
// new one.
func TestJunk(t *testing.T) {
	role := `\Junk`
	for _, test := range []struct {
		name string
		ops  []store.Op
		want string
	}{
		{"by special use", []store.Op{
			store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "Junk"},
			store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "Spam", Role: &role},
		}, "Spam"},
		{"by name", []store.Op{store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "Junk"}}, "Junk"},
		{"made", nil, "Junk"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newMemory(t, test.ops)
			for range 2 {
				if got, err := junk(t.Context(), s, "a"); err != nil || got != test.want {
					t.Fatalf("%q, %v; want %q", got, err, test.want)
				}
			}
			acct, err := s.Open(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			boxes, _, err := acct.Mailboxes(t.Context(), 0)
			if want := max(2, 1+len(test.ops)); err != nil || len(boxes) != want {
				t.Errorf("%d mailboxes, %v; want %d", len(boxes), err, want)
			}
		})
	}
	if _, err := junk(context.Background(), newMemory(t, nil), "nobody"); err == nil {
		t.Error("a mailbox of an account that does not exist")
	}
}

func newMemory(t *testing.T, ops []store.Op) store.Store {
	t.Helper()
	s := memstore.New(memblob.New())
	if err := s.Create(t.Context(), "a", store.AccountInfo{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if len(ops) > 0 {
		acct, err := s.Open(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := acct.Apply(t.Context(), store.Change{Ops: ops}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}
