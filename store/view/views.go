package view

import (
	"container/list"
	"context"
	"errors"
	"sync"

	"github.com/mailstead/mailstead/store"
)

// DefaultMaxBytes is the memory for Tables and Texts when Options say nothing.
const DefaultMaxBytes = 256 << 20

// ErrClosed is returned after Views.Close.
var ErrClosed = errors.New("view: closed")

// Options of a Views; the zero value is useful.
type Options struct {
	// MaxBytes bounds the memory of the Tables and Texts that are kept for
	// later use; one Texts takes a quarter of it at most. 0 = DefaultMaxBytes,
	// negative = no bound. The Table asked for last is kept even when it alone
	// is larger.
	MaxBytes int64
}

// Views keeps the views of all accounts in use.
type Views struct {
	store store.Store
	max   int64

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // watchers

	mu       sync.Mutex
	closed   bool
	accounts map[store.AccountID]*Account
	lru      list.List // of *slot, most recently used first
	bytes    int64     // of what is in lru
}

// New returns a Views on s. The caller closes it before the store.
func New(s store.Store, o Options) *Views {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	v := &Views{store: s, max: o.MaxBytes, accounts: make(map[store.AccountID]*Account)}
	v.ctx, v.cancel = context.WithCancel(context.Background())
	return v
}

// Close ends the watchers and waits for them. Handles that are still out
// return ErrClosed. It never fails.
func (v *Views) Close() error {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	v.cancel()
	v.wg.Wait()
	return nil
}

// Open returns a handle on an account; each is released once. It fails as
// Store.Open does, or with ErrClosed.
func (v *Views) Open(ctx context.Context, id store.AccountID) (*Account, error) {
	acct, err := v.store.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil, ErrClosed
	}
	a := v.accounts[id]
	if a == nil {
		a = &Account{views: v, id: id, store: acct, busy: make(chan struct{}, 1), slots: make(map[store.MailboxID]*slot)}
		v.accounts[id] = a
	}
	a.refs++
	return a, nil
}

// release drops one handle. With the last one nothing of the account is kept
// but its Tables' place in the LRU list, so that a client that comes back
// finds them warm.
func (v *Views) release(a *Account) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if a.refs--; a.refs == 0 && a.cached == 0 {
		delete(v.accounts, a.id)
	}
}

// Handles is how many handles are out: opened and not released.
func (v *Views) Handles() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := 0
	for _, a := range v.accounts {
		n += a.refs
	}
	return n
}

// slot is the place of one mailbox's Table, or of a Texts.
type slot struct {
	account *Account
	mailbox store.MailboxID
	texts   *Texts        // nil = for a Table
	table   *Table        // guarded by account.mu; nil = not kept
	elem    *list.Element // guarded by Views.mu; nil = not in the list
	bytes   int64         // guarded by Views.mu
}

// use notes that the slot's Table was asked for and costs n octets, and
// returns the slots that are to be emptied.
func (v *Views) use(s *slot, n int64) []*slot {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s.elem == nil {
		s.elem = v.lru.PushFront(s)
		s.account.cached++
	} else {
		v.lru.MoveToFront(s.elem)
	}
	return v.sizeLocked(s, n)
}

// grow notes that what is in the slot is about to cost n octets, and returns the slots
// that are to be emptied; false: the slot is not in the list, and is not to
// grow.
func (v *Views) grow(s *slot, n int64) (out []*slot, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s.elem == nil {
		return nil, false
	}
	return v.sizeLocked(s, n), true
}

func (v *Views) sizeLocked(s *slot, n int64) (out []*slot) {
	v.bytes += n - s.bytes
	s.bytes = n
	for v.max >= 0 && v.bytes > v.max && v.lru.Len() > 1 {
		old := v.lru.Back().Value.(*slot)
		v.forgetLocked(old)
		out = append(out, old)
	}
	return out
}

// touch notes that the slot's Table was asked for.
func (v *Views) touch(s *slot) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s.elem != nil {
		v.lru.MoveToFront(s.elem)
	}
}

// resize notes that the slot's Table now costs n octets.
func (v *Views) resize(s *slot, n int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s.elem != nil {
		v.bytes += n - s.bytes
		s.bytes = n
	}
}

// forget takes the slot out of the list.
func (v *Views) forget(s *slot) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forgetLocked(s)
}

func (v *Views) forgetLocked(s *slot) {
	if s.elem == nil {
		return
	}
	v.lru.Remove(s.elem)
	v.bytes -= s.bytes
	s.elem, s.bytes = nil, 0
	if s.account.cached--; s.account.cached == 0 && s.account.refs == 0 {
		delete(v.accounts, s.account.id)
	}
}

// Bytes is the memory of the Tables and Texts kept, about.
func (v *Views) Bytes() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.bytes
}
