package login

import (
	"context"
	"errors"
	"testing"
)

func TestChain(t *testing.T) {
	first, second := &Memory{}, &Memory{}
	ctx := t.Context()
	_ = first.Set(ctx, "alice", mustHash(t, "first"))
	_ = second.Set(ctx, "alice", mustHash(t, "second"))
	_ = second.Set(ctx, "bob", mustHash(t, "second"))
	down := backendFunc(func(context.Context, string) (Record, error) { return Record{}, errDown })
	if rec, err := (Chain{first, second}).Lookup(ctx, "alice"); err != nil || rec.Hash != first.users["alice"].Hash {
		t.Errorf("first counts: %+v, %v", rec, err)
	}
	if rec, err := (Chain{first, second}).Lookup(ctx, "bob"); err != nil || rec.Account != "bob" {
		t.Errorf("second: %+v, %v", rec, err)
	}
	if _, err := (Chain{first, down, second}).Lookup(ctx, "bob"); !errors.Is(err, errDown) {
		t.Errorf("a failure must end the search: %v", err)
	}
	if _, err := (Chain{}).Lookup(ctx, "bob"); !errors.Is(err, ErrNoUser) {
		t.Errorf("empty: %v", err)
	}
}
