package imapserver

import (
	"sync"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/acl"
)

// books are what the accounts in use keep about rights, one for all sessions
// that look at an account. The zero value is ready.
type books struct {
	mu    sync.Mutex
	inUse map[store.AccountID]*openBook
}

type openBook struct {
	acl.Book
	refs int // guarded by books.mu
}

// open returns the book of an account; each is released once.
func (b *books) open(id store.AccountID) *acl.Book {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.inUse[id]
	if o == nil {
		if b.inUse == nil {
			b.inUse = make(map[store.AccountID]*openBook)
		}
		o = &openBook{}
		b.inUse[id] = o
	}
	o.refs++
	return &o.Book
}

// release drops the book that nobody looks at any more.
func (b *books) release(id store.AccountID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o := b.inUse[id]; o != nil {
		if o.refs--; o.refs == 0 {
			delete(b.inUse, id)
		}
	}
}
