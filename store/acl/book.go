package acl

import (
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/mailstead/mailstead/store"
)

// The keys of the account's entries.
const (
	prefix          = "acl"
	listPrefix      = "acl/"      // of the owner: hex(MailboxID) "/" identifier → letters of the rights
	sharedPrefix    = "acl-from/" // of who may look: owner → empty
	subscribePrefix = "acl-sub/"  // of who subscribed: owner "/" name → empty
)

func listKey(id store.MailboxID, identifier string) string {
	return listPrefix + id.String() + "/" + identifier
}

func subscribeKey(owner store.AccountID, name string) string {
	return subscribePrefix + string(owner) + "/" + name
}

// Book is what an account keeps about rights: the lists of its mailboxes, who
// shares with it, and what it subscribed to. The zero value is empty; Refresh
// fills it. It may be used from any number of goroutines.
type Book struct {
	mu sync.Mutex // held while the store is read, so that one reader serves all
	page
}

// page is what a Book holds, as of one mod-sequence.
type page struct {
	at         store.ModSeq
	entries    int // of all lists
	lists      map[store.MailboxID]List
	owners     map[store.AccountID]bool
	subscribed map[string]bool
}

// Refresh brings the book up to the account a, whose ModSeq is at, or was. It
// reads nothing when the book stands there already, else one range of entries.
func (b *Book) Refresh(ctx context.Context, a store.Account, at store.ModSeq) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at <= b.at && at != 0 {
		return nil
	}
	err := b.read(ctx, a)
	if errors.Is(err, store.ErrResync) {
		b.page = page{}
		err = b.read(ctx, a)
	}
	if err == nil {
		b.at = at
	}
	return err
}

func (b *page) read(ctx context.Context, a store.Account) error {
	for e, err := range a.Entries(ctx, store.EntryQuery{Prefix: prefix, Since: b.at}) {
		if err != nil {
			return err
		}
		b.take(e)
	}
	return nil
}

// take notes one entry. What is not understood gives no right.
func (b *page) take(e store.Entry) {
	if rest, ok := strings.CutPrefix(e.Key, listPrefix); ok {
		b.takeRight(rest, e)
		return
	}
	if owner, ok := strings.CutPrefix(e.Key, sharedPrefix); ok {
		if b.owners == nil {
			b.owners = make(map[store.AccountID]bool)
		}
		note(b.owners, store.AccountID(owner), !e.Gone)
		return
	}
	if name, ok := strings.CutPrefix(e.Key, subscribePrefix); ok {
		if b.subscribed == nil {
			b.subscribed = make(map[string]bool)
		}
		note(b.subscribed, name, !e.Gone)
	}
}

func note[K comparable](m map[K]bool, k K, there bool) {
	if there {
		m[k] = true
	} else {
		delete(m, k)
	}
}

func (b *page) takeRight(key string, e store.Entry) {
	box, identifier, ok := strings.Cut(key, "/")
	var id store.MailboxID
	if n, err := hex.Decode(id[:], []byte(box)); !ok || err != nil || n != len(id) {
		return
	}
	r, err := ParseRights(string(e.Value))
	if err != nil && strings.HasPrefix(identifier, "-") {
		r = All // of a later version: in doubt nothing is allowed
	} else if err != nil {
		r = 0
	}
	if b.lists == nil {
		b.lists = make(map[store.MailboxID]List)
	}
	old := b.lists[id]
	l := old.with(identifier, r, !e.Gone)
	if b.entries += len(l) - len(old); len(l) > 0 {
		b.lists[id] = l
	} else {
		delete(b.lists, id)
	}
}

// List is the list of a mailbox. It does not change any more.
func (b *Book) List(id store.MailboxID) List {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lists[id]
}

// Room is how many entries more all lists together may have; see MaxEntries.
func (b *Book) Room() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(MaxEntries-b.entries, 0)
}

// Owners are the accounts that share a mailbox with this one, or did, in order.
func (b *Book) Owners() []store.AccountID {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.owners))
}

// HasOwner reports whether owner is one of them.
func (b *Book) HasOwner(owner store.AccountID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.owners[owner]
}

// Subscribed reports whether the account is subscribed to a mailbox of another
// one.
func (b *Book) Subscribed(owner store.AccountID, name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.subscribed[string(owner)+"/"+name]
}

// Subscriptions are the names of an owner's mailboxes, there or not, that the
// account is subscribed to, in order.
func (b *Book) Subscriptions(owner store.AccountID) (names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.subscribed {
		if name, ok := strings.CutPrefix(key, string(owner)+"/"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Subscribe is the Op that subscribes an account to a mailbox of another one, or
// ends that.
func Subscribe(owner store.AccountID, name string, on bool) store.Op {
	op := store.PutEntry{Key: subscribeKey(owner, name)}
	if on {
		op.Value = []byte{}
	}
	return op
}

// Inherit are the Ops that give the mailbox id the rights of l (RFC 4314 §4,
// CREATE).
func (l List) Inherit(id store.MailboxID) []store.Op {
	ops := make([]store.Op, len(l))
	for i, e := range l {
		ops[i] = store.PutEntry{Key: listKey(id, e.Identifier), Value: []byte(e.Rights.String())}
	}
	return ops
}

// Forget are the Ops that remove the list l of the mailbox id, for the Change
// that deletes it.
func (l List) Forget(id store.MailboxID) []store.Op {
	ops := make([]store.Op, len(l))
	for i, e := range l {
		ops[i] = store.PutEntry{Key: listKey(id, e.Identifier)}
	}
	return ops
}
