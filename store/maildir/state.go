package maildir

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/rows"
)

// state is all that the index knows of an account. It never changes once it
// is account.now, so that readers need no lock: a Change or a scan makes the
// next one. What goes leaves a tombstone.
type state struct {
	rows.Account
	arrived int64 // messages that came so far
	boxes   map[store.MailboxID]*box
	entries map[entryKey]store.Entry
	once    map[string]onceRec
	holds   map[string]store.Hold // by name
}

type entryKey struct {
	box store.MailboxID
	key string
}

// box is a mailbox with its directory.
type box struct {
	store.Mailbox
	dir string // as it was last seen or made, below the account's; "" = none

	// msgs ascend by UID, tombstones included. States share the array: one
	// that was published is never written but behind its end.
	msgs []*message
}

// message is one state of a message with its file; immutable once its state is.
type message struct {
	store.Message
	ref     blob.Ref // what Append named; kept with Options.KeepBlobs only
	base    string   // the file's name up to ":2,"
	letters string   // flag letters that the file had when it was last seen
	inNew   bool     // it was last seen in new/
	lf      bool     // the file has lines that end in LF alone
	staged  bool     // the file lies in the account's tmp/
	loose   bool     // its name may not have survived a power cut yet
	prefix  []byte
	goneAt  time.Time
	arrival int64
	keys    []uint64
	subject uint64
}

func newState(info store.AccountInfo) *state {
	return &state{
		Account: rows.Account{Info: info}, boxes: make(map[store.MailboxID]*box),
		entries: make(map[entryKey]store.Entry), once: make(map[string]onceRec), holds: make(map[string]store.Hold),
	}
}

func (st *state) clone() *state {
	next := *st
	next.boxes = maps.Clone(st.boxes)
	return &next
}

// box is a mailbox that is there.
func (st *state) box(id store.MailboxID) (*box, error) {
	if b := st.boxes[id]; b != nil && !b.Gone {
		return b, nil
	}
	return nil, store.ErrNoMailbox
}

// rows are all mailboxes, tombstones included.
func (st *state) rows() iter.Seq[store.Mailbox] {
	return func(yield func(store.Mailbox) bool) {
		for _, b := range st.boxes {
			if !yield(b.Mailbox) {
				return
			}
		}
	}
}

// find returns the place of the first message with this UID or a greater one,
// and whether it is this one.
func (b *box) find(uid store.UID) (int, bool) {
	return slices.BinarySearchFunc(b.msgs, uid, func(m *message, uid store.UID) int { return cmp.Compare(m.UID, uid) })
}

// get returns a message or tombstone, or nil.
func (b *box) get(uid store.UID) *message {
	if i, ok := b.find(uid); ok {
		return b.msgs[i]
	}
	return nil
}

// in yields the messages and tombstones of a set.
func (b *box) in(set store.UIDSet) iter.Seq[*message] {
	return func(yield func(*message) bool) {
		for _, r := range set {
			i, _ := b.find(r.First)
			for ; i < len(b.msgs) && b.msgs[i].UID <= r.Last; i++ {
				if !yield(b.msgs[i]) {
					return
				}
			}
		}
	}
}
