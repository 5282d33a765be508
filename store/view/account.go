package view

import (
	"context"
	"errors"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mailstead/mailstead/store"
)

// State is the mailboxes of an account as of one mod-sequence. It is
// immutable, and so are the mailboxes.
type State struct {
	// ModSeq is the account's.
	ModSeq store.ModSeq
	// Mailboxes are in order of name, without tombstones.
	Mailboxes []*store.Mailbox
}

// Named returns the mailbox with that name, nil for none.
func (s *State) Named(name string) *store.Mailbox {
	i, ok := slices.BinarySearchFunc(s.Mailboxes, name, func(m *store.Mailbox, n string) int { return strings.Compare(m.Name, n) })
	if !ok {
		return nil
	}
	return s.Mailboxes[i]
}

// Mailbox returns the mailbox with that id, nil for none.
func (s *State) Mailbox(id store.MailboxID) *store.Mailbox {
	for _, m := range s.Mailboxes {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// Account is a counted handle on the view of one account.
type Account struct {
	views *Views
	id    store.AccountID
	store store.Account

	refs, cached int // guarded by Views.mu: handles, slots in the list

	// busy is held while the store is read to advance the view; a channel, so
	// that waiting for it ends with a context.
	busy chan struct{}

	// started and done number the refreshes: one that started after a caller
	// came serves the caller.
	started, done atomic.Uint64

	mu    sync.Mutex
	state *State
	slots map[store.MailboxID]*slot
	texts map[textsKey]*Texts

	// claimed is, for each mailbox, the first UID that ClaimRecent here has
	// not claimed.
	claimed map[store.MailboxID]store.UID

	watch watch
}

// ID is the account's.
func (a *Account) ID() store.AccountID { return a.id }

// Store is the account itself.
func (a *Account) Store() store.Account { return a.store }

// Release gives the handle back. It is not used afterwards.
func (a *Account) Release() { a.views.release(a) }

// State is the latest State known, without looking at the store; nil before
// the first Refresh of anybody.
func (a *Account) State() *State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

// Refresh brings the view up to the store and returns its State, which holds
// every Change that returned before the call.
func (a *Account) Refresh(ctx context.Context) (*State, error) {
	want := a.started.Load() + 1
	if err := a.lock(ctx); err != nil {
		return nil, err
	}
	defer a.unlock()
	if a.done.Load() < want {
		if err := a.refresh(ctx); err != nil {
			return nil, err
		}
	}
	return a.State(), nil
}

// Table returns the Table of a mailbox as of the State known, or a later one:
// Refresh first for the latest. ErrNoMailbox: there is none with this id.
func (a *Account) Table(ctx context.Context, id store.MailboxID) (*Table, error) {
	if t := a.kept(id); t != nil {
		return t, nil
	}
	if err := a.lock(ctx); err != nil {
		return nil, err
	}
	defer a.unlock()
	if t := a.kept(id); t != nil {
		return t, nil
	}
	if a.State() == nil {
		if err := a.refresh(ctx); err != nil {
			return nil, err
		}
	}
	st := a.State()
	if st.Mailbox(id) == nil {
		return nil, &store.Error{Op: "table", Account: a.id, Mailbox: id.String(), Err: store.ErrNoMailbox}
	}
	t, err := a.read(ctx, id, nil, st.ModSeq)
	if err != nil {
		return nil, err
	}
	a.keep(id, t)
	return t, nil
}

func (a *Account) lock(ctx context.Context) error {
	select {
	case a.busy <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-a.views.ctx.Done():
		return ErrClosed
	}
	if a.views.ctx.Err() != nil {
		a.unlock()
		return ErrClosed
	}
	return nil
}

func (a *Account) unlock() { <-a.busy }

// kept returns the Table in memory and notes its use.
func (a *Account) kept(id store.MailboxID) *Table {
	a.mu.Lock()
	s := a.slots[id]
	if s == nil || s.table == nil {
		a.mu.Unlock()
		return nil
	}
	t := s.table
	a.mu.Unlock()
	a.views.touch(s)
	return t
}

// keep puts a Table into memory and empties the slots that have to make room.
func (a *Account) keep(id store.MailboxID, t *Table) {
	a.mu.Lock()
	s := a.slots[id]
	if s == nil {
		s = &slot{account: a, mailbox: id}
		a.slots[id] = s
	}
	s.table = t
	a.mu.Unlock()
	empty(a.views.use(s, t.bytes()))
}

// empty forgets what was in slots that had to make room.
func empty(slots []*slot) {
	for _, s := range slots {
		a := s.account
		a.mu.Lock()
		s.table = nil
		if s.texts != nil && a.texts[s.texts.key] == s.texts {
			delete(a.texts, s.texts.key)
		}
		a.mu.Unlock()
	}
}

// refresh reads what changed since the State and publishes the new one.
// a.busy is held.
func (a *Account) refresh(ctx context.Context) error {
	n := a.started.Add(1)
	old := a.State()
	if old == nil {
		old = &State{}
	}
	boxes, modseq, err := a.store.Mailboxes(ctx, old.ModSeq)
	if errors.Is(err, store.ErrResync) {
		return a.reset(ctx, n)
	}
	if err != nil {
		return err
	}
	if modseq > old.ModSeq || a.State() == nil {
		if err := a.advance(ctx, boxes, modseq); err != nil {
			return err
		}
		a.publish(old.merge(boxes, modseq))
	}
	a.done.Store(n)
	return nil
}

// reset reads the list of mailboxes anew, and forgets all Tables.
func (a *Account) reset(ctx context.Context, n uint64) error {
	boxes, modseq, err := a.store.Mailboxes(ctx, 0)
	if err != nil {
		return err
	}
	a.mu.Lock()
	slots := a.slots
	a.slots = make(map[store.MailboxID]*slot)
	a.mu.Unlock()
	for _, s := range slots {
		a.views.forget(s)
	}
	a.dropTexts(func(store.MailboxID) bool { return true })
	a.publish((&State{}).merge(boxes, modseq))
	a.done.Store(n)
	return nil
}

func (a *Account) publish(s *State) {
	a.mu.Lock()
	a.state = s
	a.mu.Unlock()
}

// advance brings the Tables in memory up to modseq.
func (a *Account) advance(ctx context.Context, changed []store.Mailbox, modseq store.ModSeq) error {
	touched := make(map[store.MailboxID]bool, len(changed))
	for i := range changed {
		touched[changed[i].ID] = true
		if changed[i].Gone {
			a.dropMailbox(changed[i].ID)
		}
	}
	for id, t := range a.tables() {
		if !touched[id] {
			next := *t
			next.modseq = max(t.modseq, modseq)
			a.replace(id, &next)
			continue
		}
		next, err := a.read(ctx, id, t, modseq)
		if errors.Is(err, store.ErrResync) || errors.Is(err, store.ErrNoMailbox) {
			a.drop(id) // read anew when somebody asks
			continue
		}
		if err != nil {
			return err
		}
		a.replace(id, next)
	}
	return nil
}

// tables returns the Tables in memory.
func (a *Account) tables() map[store.MailboxID]*Table {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := make(map[store.MailboxID]*Table, len(a.slots))
	for id, s := range a.slots {
		if s.table != nil {
			m[id] = s.table
		} else {
			delete(a.slots, id)
		}
	}
	return m
}

// replace publishes the next Table of a mailbox, unless the last was evicted
// meanwhile.
func (a *Account) replace(id store.MailboxID, t *Table) {
	a.mu.Lock()
	s := a.slots[id]
	if s == nil || s.table == nil {
		a.mu.Unlock()
		return
	}
	s.table = t
	a.mu.Unlock()
	a.views.resize(s, t.bytes())
}

func (a *Account) drop(id store.MailboxID) {
	a.mu.Lock()
	s := a.slots[id]
	delete(a.slots, id)
	a.mu.Unlock()
	if s != nil {
		a.views.forget(s)
	}
}

// dropMailbox forgets all of a mailbox that is gone.
func (a *Account) dropMailbox(id store.MailboxID) {
	a.drop(id)
	a.dropTexts(func(of store.MailboxID) bool { return of == id })
}

// read makes the Table as of modseq out of old, or anew where old is nil.
func (a *Account) read(ctx context.Context, id store.MailboxID, old *Table, modseq store.ModSeq) (*Table, error) {
	var q store.Query
	if old != nil {
		q.Since = old.modseq
	}
	b := newBuilder(old)
	if old == nil {
		b.t.goneSince = modseq
	}
	for m, err := range a.store.Messages(ctx, id, q) {
		if err != nil {
			return nil, err
		}
		b.message(m)
	}
	return b.finish(modseq), nil
}

// merge applies changes to a State.
func (s *State) merge(changed []store.Mailbox, modseq store.ModSeq) *State {
	next := &State{ModSeq: max(modseq, s.ModSeq)}
	byID := make(map[store.MailboxID]*store.Mailbox, len(changed))
	for i := range changed {
		byID[changed[i].ID] = &changed[i]
	}
	for _, m := range s.Mailboxes {
		if byID[m.ID] == nil {
			next.Mailboxes = append(next.Mailboxes, m)
		}
	}
	for i := range changed {
		if !changed[i].Gone {
			next.Mailboxes = append(next.Mailboxes, &changed[i])
		}
	}
	sort.Slice(next.Mailboxes, func(i, j int) bool { return next.Mailboxes[i].Name < next.Mailboxes[j].Name })
	return next
}
