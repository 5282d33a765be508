package acl

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/mailstead/mailstead/store"
)

// Rebuilt says what Rebuild found.
type Rebuilt struct {
	Accounts int // looked at
	Added    int // accounts that had not heard of an owner who shares with them
	Removed  int // accounts that knew an owner who shares nothing with them
}

// Rebuild compares who shares with whom, as the lists of all accounts say, with
// what each account has been told, and corrects that. It is for after a crash
// in the middle of Set, a restore of single accounts, or an account that was
// made after it was named. It may run while the store is in use.
func Rebuild(ctx context.Context, st store.Store) (r Rebuilt, err error) {
	for info, err := range st.Accounts(ctx, "") {
		if err != nil {
			return r, err
		}
		r.Accounts++
		if err := r.account(ctx, st, info.ID); err != nil && !errors.Is(err, store.ErrNoAccount) {
			return r, err
		}
	}
	return r, nil
}

// account tells whoever the lists of owner name, and forgets owners who share
// nothing with it.
func (r *Rebuilt) account(ctx context.Context, st store.Store, owner store.AccountID) error {
	a, err := st.Open(ctx, owner)
	if err != nil {
		return err
	}
	b, err := readBook(ctx, a)
	if err != nil {
		return err
	}
	for _, l := range b.lists {
		for _, e := range l {
			if e.Rights == 0 {
				continue
			}
			if err := r.add(ctx, st, owner, e.Identifier); err != nil {
				return err
			}
		}
	}
	for _, from := range slices.Sorted(maps.Keys(b.owners)) {
		if err := r.remove(ctx, st, from, a, owner); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rebuilt) add(ctx context.Context, st store.Store, owner store.AccountID, identifier string) error {
	who, err := grantee(ctx, st, owner, identifier)
	if who == nil || errors.Is(err, store.ErrNoAccount) {
		return nil
	}
	if err != nil {
		return err
	}
	if e, err := entry(ctx, who, sharedPrefix+string(owner)); err != nil || e.Key != "" {
		return err
	}
	r.Added++
	return tell(ctx, who, owner, true)
}

func (r *Rebuilt) remove(ctx context.Context, st store.Store, owner store.AccountID, who store.Account, id store.AccountID) error {
	a, err := st.Open(ctx, owner)
	if errors.Is(err, store.ErrNoAccount) {
		r.Removed++
		_, err := who.Apply(ctx, store.Change{Ops: []store.Op{store.PutEntry{Key: sharedPrefix + string(owner)}}})
		return err
	}
	if err != nil {
		return err
	}
	if err := forget(ctx, a, owner, who, id); err != nil {
		return err
	}
	if e, err := entry(ctx, who, sharedPrefix+string(owner)); err == nil && e.Key == "" {
		r.Removed++
	}
	return nil
}
