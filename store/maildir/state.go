package maildir

import (
	"maps"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// state is all that the index knows of an account. It never changes once it
// is account.now, so that readers need no lock: a Change or a scan makes the
// next one. What goes leaves a tombstone.
type state struct {
	info    store.AccountInfo
	modSeq  store.ModSeq
	arrived int64 // messages that came so far
	boxes   map[store.MailboxID]*box
	entries map[entryKey]store.Entry
	once    map[string]onceRec
}

type entryKey struct {
	box store.MailboxID
	key string
}

// box is a mailbox with its directory.
type box struct {
	store.Mailbox
	dir  string // as it was last seen or made, below the account's; "" = none
	msgs map[store.UID]*message
}

// message is one state of a message with its file; immutable.
type message struct {
	store.Message
	ref     blob.Ref // what Append named; kept with Options.KeepBlobs only
	base    string   // the file's name up to ":2,"
	letters string   // flag letters that the file had when it was last seen
	inNew   bool     // it was last seen in new/
	lf      bool     // the file has lines that end in LF alone
	staged  bool     // the file lies in the account's tmp/
	prefix  []byte
	goneAt  time.Time
	arrival int64
	keys    []uint64
	subject uint64
}

func newState(info store.AccountInfo) *state {
	return &state{
		info: info, boxes: make(map[store.MailboxID]*box),
		entries: make(map[entryKey]store.Entry), once: make(map[string]onceRec),
	}
}

func (st *state) clone() *state {
	next := *st
	next.boxes, next.entries, next.once = maps.Clone(st.boxes), maps.Clone(st.entries), maps.Clone(st.once)
	return &next
}

// box is a mailbox that is there.
func (st *state) box(id store.MailboxID) (*box, error) {
	if b := st.boxes[id]; b != nil && !b.Gone {
		return b, nil
	}
	return nil, store.ErrNoMailbox
}

// rows are the mailboxes that are there.
func (st *state) rows() (list []store.Mailbox) {
	for _, b := range st.boxes {
		if !b.Gone {
			list = append(list, b.Mailbox)
		}
	}
	return list
}

func (st *state) usage() store.Usage {
	u := store.Usage{Limits: st.info.Limits}
	for _, b := range st.boxes {
		if !b.Gone {
			u.Mailboxes++
			u.Messages += b.Messages
			u.Bytes += b.Bytes
		}
	}
	return u
}

// set puts one message or tombstone in. It is the only way in which messages
// change, so that the counters are exact (I7).
func (b *box) set(m *message) {
	if old := b.msgs[m.UID]; old != nil {
		b.count(old, -1)
	}
	b.msgs[m.UID] = m
	b.count(m, 1)
	b.HighestModSeq = max(b.HighestModSeq, m.ModSeq)
}

func (b *box) count(m *message, by int64) {
	if m.Gone {
		return
	}
	b.Messages += by
	b.Bytes += by * m.Size
	if m.Flags&store.Seen == 0 {
		b.Unseen += by
	}
	if m.Flags&store.Deleted != 0 {
		b.Deleted += by
	}
}
