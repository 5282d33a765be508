package readonly_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
	"github.com/mailstead/mailstead/store/readonly"
)

// opened is an account with one message, and the same account read-only.
func opened(t *testing.T) (s store.Store, plain, ro store.Account, inbox store.MailboxID) {
	t.Helper()
	ctx := t.Context()
	below := memstore.New(nil)
	t.Cleanup(func() { below.Close() })
	s = readonly.New(below)
	if err := below.Create(ctx, "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	plain, err := below.Open(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByName(ctx, plain, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	body := store.NewMessage{Mailbox: m.ID, Body: strings.NewReader("Subject: x\r\n\r\nbody"), BodySize: -1}
	if _, err := store.AppendMessage(ctx, below, plain, "", body); err != nil {
		t.Fatal(err)
	}
	if ro, err = s.Open(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	return s, plain, ro, m.ID
}

func TestRefusesWrites(t *testing.T) {
	s, plain, ro, inbox := opened(t)
	ctx := t.Context()
	_, before, _ := plain.Mailboxes(ctx, 0)
	_, create := s.Blobs().Create(ctx, 1)
	_, apply := ro.Apply(ctx, store.Change{Ops: []store.Op{store.Expunge{Mailbox: inbox, UIDs: store.AllUIDs()}}})
	for what, err := range map[string]error{
		"Apply": apply, "Create": s.Create(ctx, "bob", store.AccountInfo{}),
		"Blobs.Create": create, "Blobs.Delete": s.Blobs().Delete(ctx, "x"),
	} {
		if !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("%s: %v, want ErrReadOnly", what, err)
		}
	}
	if _, after, _ := plain.Mailboxes(ctx, 0); after != before {
		t.Errorf("the ModSeq went from %d to %d", before, after)
	}
}

func TestReads(t *testing.T) {
	_, _, ro, inbox := opened(t)
	n := 0
	for m, err := range ro.Messages(t.Context(), inbox, store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		c, err := ro.Content(t.Context(), inbox, m.UID)
		if err != nil || c.Size() != m.Size {
			t.Fatalf("Content: %v", err)
		}
		c.Close()
		n++
	}
	if n != 1 {
		t.Errorf("%d messages", n)
	}
}

// indexed is an Account with the capabilities that memstore lacks.
type indexed struct{ store.Account }

func (indexed) SearchText(context.Context, store.SearchQuery) (store.SearchHits, error) {
	return store.SearchHits{Match: store.UIDs(7)}, nil
}

func (indexed) SortMessages(context.Context, store.SortQuery) ([]store.UID, error) {
	return []store.UID{7}, nil
}

type indexedStore struct{ store.Store }

func (s indexedStore) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return indexed{a}, err
}

// layer is a transparent wrapper of an Account.
type layer struct{ store.Account }

func (l layer) Unwrap() any { return l.Account }

// TestCapabilities: what reads is found through the wrapper and through a
// layer above it, what writes is not.
func TestCapabilities(t *testing.T) {
	_, plain, ro, inbox := opened(t)
	for _, a := range []store.Account{ro, layer{ro}, layer{layer{ro}}} {
		if _, ok := store.As[store.Snapshotter](a); !ok {
			t.Errorf("Snapshotter is not found")
		}
		if _, ok := store.As[store.MetaWriter](a); ok {
			t.Errorf("MetaWriter is found")
		}
		if _, ok := store.As[store.MaildropLocker](a); ok {
			t.Errorf("MaildropLocker is found")
		}
		if err := store.PutHold(t.Context(), a, store.Hold{Name: "h"}); !errors.Is(err, store.ErrUnsupported) {
			t.Errorf("PutHold: %v", err)
		}
		if _, ok := store.As[store.Searcher](a); ok {
			t.Errorf("a Searcher is found that is not there")
		}
	}
	if _, ok := store.As[store.Holder](layer{plain}); !ok {
		t.Errorf("Holder is not found through a transparent layer")
	}
	s := readonly.New(indexedStore{memstoreWith(t)})
	a, err := s.Open(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.Search(t.Context(), layer{a}, store.SearchQuery{Mailbox: inbox, Text: "x"}, nil)
	if err != nil || got.String() != "7" {
		t.Errorf("Search = %v, %v", got, err)
	}
	if uids, err := store.Sort(t.Context(), a, store.SortQuery{Mailbox: inbox}); err != nil || len(uids) != 1 {
		t.Errorf("Sort = %v, %v", uids, err)
	}
}

func memstoreWith(t *testing.T) store.Store {
	t.Helper()
	s := memstore.New(nil)
	t.Cleanup(func() { s.Close() })
	if err := s.Create(t.Context(), "bob", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	return s
}
