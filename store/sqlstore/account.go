package sqlstore

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// account is an account in memory: the working state that the committer
// changes, and what readers see of it, which is copied over after each commit.
type account struct {
	num int64 // of the account's row
	id  store.AccountID

	// The committer's; nobody else looks.
	info     store.AccountInfo
	version  int64 // of the row
	modSeq   store.ModSeq
	purged   store.ModSeq
	validity store.UIDValidity // the last one given out
	boxNum   int64             // the last mailbox number given out
	arrivals int64
	usage    store.Usage // Limits unused
	boxes    map[store.MailboxID]*box
	names    map[string]*box // those that are there
	held     []store.Hold    // by name
	dirty    []*box          // changed since they were published
	dropped  bool

	touched atomic.Bool // changed in this batch

	ready atomic.Bool // pub was filled
	mu    sync.RWMutex
	pub   published
}

// published is an account as of the last commit; guarded by account.mu.
type published struct {
	version int64
	info    store.AccountInfo
	modSeq  store.ModSeq
	purged  store.ModSeq
	usage   store.Usage
	dropped bool
	boxes   map[store.MailboxID]*shownBox
	sorted  []*shownBox // by name, tombstones included; nil = to be sorted
}

// shownBox is a mailbox as readers see it.
type shownBox struct {
	num int64
	store.Mailbox
	claims bool // RecentFrom is newer than the row
}

// box is a mailbox as the committer sees it.
type box struct {
	num int64
	store.Mailbox
	dirty bool // the row is to be written
	isNew bool
	tail  *block // the last block, when known
}

// touch makes the account ready to be changed in this batch: it is written
// before the commit, published after it, and dropped from memory when the
// batch is undone.
func (s *Store) touch(tx *sqldb.Tx, a *account) {
	tx.Wrote()
	if a.touched.Swap(true) {
		return
	}
	s.keep(a)
	tx.BeforeCommit(func(tx *sqldb.Tx) error { return s.flush(tx, a) })
	tx.OnRollback(func() { a.touched.Store(false); s.forget(a) })
	tx.AfterCommit(func() {
		if s.publish(a) {
			s.tell(a.num)
		}
	})
}

// publish shows the committed state to readers and wakes those who wait.
func (s *Store) publish(a *account) (grown bool) {
	a.touched.Store(false)
	grown = a.show()
	if a.dropped {
		s.forget(a)
	}
	if grown {
		s.wake.notify(a.num)
		if s.opts.Index != nil {
			s.opts.Index.Changed(a.id)
		}
	}
	return grown
}

// show copies the working state to what readers see, and reports whether they
// see more than before.
func (a *account) show() (grown bool) {
	a.mu.Lock()
	p := &a.pub
	if p.version > a.version { // a reader saw what another node did since
		a.mu.Unlock()
		return false
	}
	grown = p.modSeq != a.modSeq || p.dropped != a.dropped
	p.version = a.version
	p.info, p.modSeq, p.purged, p.usage, p.dropped = a.info, a.modSeq, a.purged, a.usage, a.dropped
	p.usage.Limits = a.info.Limits
	if p.boxes == nil {
		p.boxes = make(map[store.MailboxID]*shownBox)
	}
	for _, b := range a.dirty {
		b.dirty, b.isNew = false, false
		old := p.boxes[b.ID]
		if old == nil || old.Name != b.Name || old.Gone != b.Gone {
			p.sorted = nil
		}
		if old == nil {
			old = &shownBox{}
			p.boxes[b.ID] = old
		}
		recent := b.RecentFrom
		if !b.Gone {
			recent = max(recent, old.RecentFrom)
		}
		*old = shownBox{num: b.num, Mailbox: b.Mailbox, claims: recent > b.RecentFrom}
		old.RecentFrom = recent
	}
	if len(p.boxes) > len(a.boxes) { // tombstones were purged
		maps.DeleteFunc(p.boxes, func(id store.MailboxID, _ *shownBox) bool { return a.boxes[id] == nil })
		p.sorted = nil
	}
	a.dirty = a.dirty[:0]
	a.mu.Unlock()
	a.ready.Store(true)
	return grown
}

// sortedLocked is all mailboxes by name.
func (p *published) sortedLocked() []*shownBox {
	if p.sorted == nil {
		p.sorted = slices.Collect(maps.Values(p.boxes))
		slices.SortFunc(p.sorted, func(x, y *shownBox) int {
			if c := strings.Compare(x.Name, y.Name); c != 0 {
				return c
			}
			return slices.Compare(x.ID[:], y.ID[:])
		})
	}
	return p.sorted
}

// holds returns a mailbox that can hold messages.
func (a *account) holds(id store.MailboxID) (*box, error) {
	b := a.boxes[id]
	if b == nil || b.Gone || b.NoSelect {
		return nil, store.ErrNoMailbox
	}
	return b, nil
}

// mark notes that the box changed, so that it is written and published.
func (a *account) mark(b *box) {
	if !b.dirty {
		b.dirty = true
		a.dirty = append(a.dirty, b)
	}
}

// newValidity gives out a UIDVALIDITY that no mailbox of the account ever had,
// so that a name that comes back never comes back with the old one (I3).
func (a *account) newValidity(now time.Time, atLeast store.UIDValidity) store.UIDValidity {
	a.validity = max(a.validity+1, store.UIDValidity(now.Unix()), atLeast)
	return a.validity
}

// addBox puts a new mailbox into the working state.
func (a *account) addBox(m store.Mailbox) *box {
	a.boxNum++
	b := &box{num: a.boxNum, Mailbox: m, isNew: true}
	a.mark(b)
	a.boxes[m.ID] = b
	a.names[m.Name] = b
	a.usage.Mailboxes++
	return b
}

func newMailbox(id store.MailboxID, name string, v store.UIDValidity, at store.ModSeq) store.Mailbox {
	return store.Mailbox{
		ID: id, Name: name, UIDValidity: v, UIDNext: 1, RecentFrom: 1, ModSeq: at, HighestModSeq: at,
	}
}
