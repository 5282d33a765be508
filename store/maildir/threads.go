package maildir

import (
	"slices"

	"github.com/mailstead/mailstead/store"
)

// threads finds the messages that share a key and the subject. It is under
// account.mu and not a part of the state: what a refused Change added, and what
// was expunged, is recognised by its EmailID and forgotten when it is met.
type threads map[threadKey][]threadRef

type threadKey struct{ key, subject uint64 }

type threadRef struct {
	box   store.MailboxID
	uid   store.UID
	email store.EmailID
}

// add notes a message that is newer than all before.
func (t threads) add(id store.MailboxID, m *message) {
	for _, key := range m.keys {
		k := threadKey{key, m.subject}
		t[k] = append(t[k], threadRef{id, m.UID, m.EmailID})
	}
}

// load notes all messages of a state.
func (t threads) load(st *state) {
	type place struct {
		id store.MailboxID
		m  *message
	}
	var all []place
	for id, b := range st.boxes {
		for _, m := range b.msgs {
			if !m.Gone && len(m.keys) > 0 {
				all = append(all, place{id, m})
			}
		}
	}
	slices.SortFunc(all, func(x, y place) int { return int(x.m.arrival - y.m.arrival) })
	for _, p := range all {
		t.add(p.id, p.m)
	}
}

// find is the thread of the newest message of st with one of keys; zero =
// there is none. What neither st nor now has is forgotten.
func (t threads) find(st, now *state, keys []uint64, subject uint64) (id store.ThreadID) {
	newest := int64(-1)
	for _, key := range keys {
		k := threadKey{key, subject}
		list := t[k]
		for i := len(list) - 1; i >= 0; i-- {
			if m := list[i].in(st); m != nil {
				if m.arrival > newest {
					newest, id = m.arrival, m.ThreadID
				}
				break
			}
			if list[i].in(now) == nil {
				list = slices.Delete(list, i, i+1)
			}
		}
		if t[k] = list; len(list) == 0 {
			delete(t, k)
		}
	}
	return id
}

// in returns the message that r stands for, or nil.
func (r threadRef) in(st *state) *message {
	b := st.boxes[r.box]
	if b == nil {
		return nil
	}
	if m := b.get(r.uid); m != nil && !m.Gone && m.EmailID == r.email {
		return m
	}
	return nil
}
