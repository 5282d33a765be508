package acl

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// ReadList returns the list of one mailbox of an account, as of now.
func ReadList(ctx context.Context, a store.Account, id store.MailboxID) (List, error) {
	var b page
	for e, err := range a.Entries(ctx, store.EntryQuery{Prefix: listKey(id, "")}) {
		if err != nil {
			return nil, err
		}
		b.take(e)
	}
	return b.lists[id], nil
}

// attempts bounds how often a change of an entry is tried anew, because somebody
// else changed it meanwhile.
const attempts = 20

// Set changes the rights of an identifier on a mailbox of owner (RFC 4314 §3.1),
// durable when it returns. Whoever is named hears of the owner before the right
// is there, and where a removal came between, behind it once more (I3).
// store.ErrNoAccount: the identifier names no account; store.ErrName: see
// CleanIdentifier; store.ErrLimit: MaxIdentifiers, MaxEntries.
func Set(ctx context.Context, st store.Store, owner store.AccountID, id store.MailboxID, identifier string, m Modification) error {
	identifier, err := CleanIdentifier(identifier)
	if err != nil {
		return err
	}
	a, err := st.Open(ctx, owner)
	if err != nil {
		return err
	}
	who, err := grantee(ctx, st, owner, identifier)
	if err != nil {
		return err
	}
	if err := tell(ctx, who, owner, false); err != nil {
		return err
	}
	if err := change(ctx, a, listKey(id, identifier), m); err != nil {
		return err
	}
	return tell(ctx, who, owner, true)
}

// grantee opens the account that has to hear of the owner; nil where there is
// none: of a negative identifier, one for everybody, or the owner's own.
func grantee(ctx context.Context, st store.Store, owner store.AccountID, identifier string) (store.Account, error) {
	id := AccountOf(identifier)
	if id == "" || id == owner {
		return nil, nil
	}
	a, err := st.Open(ctx, id)
	if err != nil || identifier[0] == '-' {
		return nil, err
	}
	return a, nil
}

// tell writes into the account who that owner shares with it. once leaves an
// entry that is there as it is; without it the entry gets a new ModSeq, by which
// a removal that runs at the same time sees it.
func tell(ctx context.Context, who store.Account, owner store.AccountID, once bool) error {
	if who == nil {
		return nil
	}
	op := store.PutEntry{Key: sharedPrefix + string(owner), Value: []byte{}, IfAbsent: once}
	_, err := who.Apply(ctx, store.Change{Ops: []store.Op{op}})
	if once && errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// change applies m to the entry under key, against whoever changes it too.
func change(ctx context.Context, a store.Account, key string, m Modification) error {
	for range attempts {
		old, err := entry(ctx, a, key)
		if err != nil {
			return err
		}
		if old.ModSeq == 0 {
			if err := hasRoom(ctx, a, key); err != nil {
				return err
			}
		}
		had, _ := ParseRights(string(old.Value))
		op := store.PutEntry{Key: key, Value: []byte(m.On(had).String()), IfModSeq: &old.ModSeq}
		if _, err = a.Apply(ctx, store.Change{Ops: []store.Op{op}}); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("acl: rights are changed by others all the time: %w", store.ErrTemporary)
}

// Bounds of lists. Whoever shares with an account makes its sessions read them.
const (
	MaxIdentifiers = 250    // of one mailbox
	MaxEntries     = 10_000 // of all mailboxes of an account
)

// hasRoom refuses one more key beside those of the same mailbox, and of all.
func hasRoom(ctx context.Context, a store.Account, key string) error {
	box := key[:len(listPrefix)+2*len(store.MailboxID{})+1]
	all, same := 0, 0
	for e, err := range a.Entries(ctx, store.EntryQuery{Prefix: listPrefix}) {
		if err != nil {
			return err
		}
		all++
		if strings.HasPrefix(e.Key, box) {
			same++
		}
	}
	if same >= MaxIdentifiers || all >= MaxEntries {
		return &store.Error{Op: "set rights", Err: store.ErrLimit}
	}
	return nil
}

// entry is that with the key; the zero Entry where there is none.
func entry(ctx context.Context, a store.Account, key string) (store.Entry, error) {
	for e, err := range a.Entries(ctx, store.EntryQuery{Prefix: key}) {
		if err != nil {
			return store.Entry{}, err
		}
		if e.Key == key {
			return e, nil
		}
	}
	return store.Entry{}, nil
}

// Remove takes an identifier out of the list of a mailbox (RFC 4314 §3.2). To
// remove what is not there is no error.
func Remove(ctx context.Context, st store.Store, owner store.AccountID, id store.MailboxID, identifier string) error {
	identifier, err := CleanIdentifier(identifier)
	if err != nil {
		return err
	}
	a, err := st.Open(ctx, owner)
	if err != nil {
		return err
	}
	if _, err := a.Apply(ctx, store.Change{Ops: []store.Op{store.PutEntry{Key: listKey(id, identifier)}}}); err != nil {
		return err
	}
	who, err := grantee(ctx, st, owner, identifier)
	if who == nil || errors.Is(err, store.ErrNoAccount) {
		return nil
	}
	if err != nil {
		return err
	}
	return forget(ctx, a, owner, who, AccountOf(identifier))
}

// forget removes the owner from those who share with who, when he shares nothing
// any more. A right that is given meanwhile is seen in one of three ways: by the
// entry's ModSeq, by the second look here, or by the second word in Set.
func forget(ctx context.Context, a store.Account, owner store.AccountID, who store.Account, id store.AccountID) error {
	old, err := entry(ctx, who, sharedPrefix+string(owner))
	if err != nil || old.Key == "" {
		return err
	}
	if shares, err := sharesWith(ctx, a, id); err != nil || shares {
		return err
	}
	op := store.PutEntry{Key: old.Key, IfModSeq: &old.ModSeq}
	_, err = who.Apply(ctx, store.Change{Ops: []store.Op{op}})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	shares, err := sharesWith(ctx, a, id)
	if err != nil || !shares {
		return err
	}
	return tell(ctx, who, owner, true)
}

// sharesWith reports whether a list of the account names id with a right.
func sharesWith(ctx context.Context, a store.Account, id store.AccountID) (bool, error) {
	b, err := readBook(ctx, a)
	if err != nil {
		return false, err
	}
	for _, l := range b.lists {
		if l.grants(id) {
			return true, nil
		}
	}
	return false, nil
}

// readBook reads the book of an account as of now.
func readBook(ctx context.Context, a store.Account) (*page, error) {
	b := &page{}
	return b, b.read(ctx, a)
}
