package memstore

import (
	"slices"

	"github.com/mailstead/mailstead/store"
)

// The ways in which the list of a mailbox changes. Each keeps the counters and
// the blobs' holds exact.

// add puts a message or tombstone in; its UID is not in the list.
func (t *tx) add(m *mailbox, msg *message) {
	t.edit(m)
	i, _ := m.find(msg.UID)
	if i == len(m.msgs) {
		m.msgs = append(m.msgs, msg)
	} else {
		m.msgs = slices.Concat(m.msgs[:i], []*message{msg}, m.msgs[i:])
	}
	t.touch(m, msg.ModSeq)
	if msg.Gone {
		return
	}
	t.count(m, msg, 1)
	t.adopted = append(t.adopted, msg.Blob)
	t.indexThread(msg.thread)
	t.undo = append(t.undo, func() { msg.thread.gone = true })
}

// replace puts the next state of the message at place i.
func (t *tx) replace(m *mailbox, i int, next *message) {
	t.edit(m)
	list, old := m.msgs, m.msgs[i]
	list[i] = next
	t.undo = append(t.undo, func() { list[i] = old })
	t.touch(m, next.ModSeq)
	t.count(m, old, -1)
	if !next.Gone {
		t.count(m, next, 1)
	}
}

// remove leaves a tombstone at place i.
func (t *tx) remove(m *mailbox, i int) {
	old := m.msgs[i]
	gone := *old
	gone.Gone, gone.ModSeq, gone.Meta = true, t.take(), nil
	t.replace(m, i, &gone)
	t.released = append(t.released, old.Blob)
	old.thread.gone = true
	t.undo = append(t.undo, func() { old.thread.gone = false })
}

// touch notes a change of m's messages.
func (t *tx) touch(m *mailbox, at store.ModSeq) {
	m.HighestModSeq = max(m.HighestModSeq, at)
}

// count moves the counters of the mailbox and the account by one message.
func (t *tx) count(m *mailbox, msg *message, by int64) {
	m.Messages += by
	m.Bytes += by * msg.Size
	if msg.Flags&store.Seen == 0 {
		m.Unseen += by
	}
	if msg.Flags&store.Deleted != 0 {
		m.Deleted += by
	}
	t.usage.Messages += by
	t.usage.Bytes += by * msg.Size
}

// nextUID takes the next UID of m. ErrLimit: there is none left.
func (t *tx) nextUID(m *mailbox) (store.UID, error) {
	if m.UIDNext == maxUID {
		return 0, store.ErrLimit
	}
	t.edit(m)
	m.UIDNext++
	return m.UIDNext - 1, nil
}

// maxUID is never given out: UIDNEXT stands there when the mailbox is full.
const maxUID = 1<<32 - 1
