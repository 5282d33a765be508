package storeaccount_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/memstore"
)

// counted counts the Changes of an account, and has the outcome of some unknown.
type counted struct {
	store.Store
	changes []store.Change
	unknown int
}

func (s *counted) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return &countedAccount{a, s}, err
}

type countedAccount struct {
	store.Account
	s *counted
}

func (a *countedAccount) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	a.s.changes = append(a.s.changes, c)
	res, err := a.Account.Apply(ctx, c)
	if a.s.unknown > 0 && err == nil {
		a.s.unknown--
		return store.Result{}, store.ErrUnknown
	}
	return res, err
}

// A batch and its notes are one Change, which is found out about when its outcome is
// unknown.
func TestBatchIsOneChange(t *testing.T) {
	s := &counted{Store: memstore.New(memblob.New())}
	a, err := storeaccount.New(t.Context(), s, "a", storeaccount.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	box, err := a.Put(t.Context(), migrate.Mailbox{Path: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := a.Write(t.Context(), &box)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"Subject: a\r\n\r\n", strings.Repeat("Subject: b\r\n", 10_000)} {
		if _, err := w.Add(t.Context(), &migrate.Message{}, strings.NewReader(body)); err != nil {
			t.Fatal(err)
		}
	}
	s.changes, s.unknown = nil, 2
	placed, err := w.Commit(t.Context(), []migrate.Note{{Key: "k", Value: []byte("v")}})
	if err != nil || len(placed) != 2 || placed[0].Ref != "0000000001" || placed[1].Ref != "0000000002" {
		t.Fatalf("%v, %v", placed, err)
	}
	if len(s.changes) != 3 || len(s.changes[0].Ops) != 3 || s.changes[0].Once != s.changes[2].Once {
		t.Errorf("%d changes", len(s.changes))
	}
	if v, err := a.Keeper().Get(t.Context(), "k"); err != nil || string(v) != "v" {
		t.Errorf("%q, %v", v, err)
	}
	// A body that breaks off is not added.
	if _, err := w.Add(t.Context(), &migrate.Message{}, &broken{strings.NewReader("Subject: c\r\n")}); !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
	if placed, err := w.Commit(t.Context(), nil); err != nil || len(placed) != 0 {
		t.Errorf("%v, %v", placed, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

var errBroken = errors.New("broken")

type broken struct{ r *strings.Reader }

func (b *broken) Read(p []byte) (int, error) {
	if b.r.Len() == 0 {
		return 0, errBroken
	}
	return b.r.Read(p)
}
