package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// model is what a naive reading of the contract makes of Changes: maps and
// loops, and no code in common with any backend.
type model struct {
	boxes map[store.MailboxID]*modelBox
}

type modelBox struct {
	name string
	next store.UID
	msgs map[store.UID]*modelMessage
}

type modelMessage struct {
	flags    store.Flags
	keywords map[string]string // lower case → spelling
	size     int64
	modSeq   store.ModSeq
	email    store.EmailID
}

func (m *modelMessage) clone() *modelMessage {
	c := *m
	c.keywords = map[string]string{}
	for k, v := range m.keywords {
		c.keywords[k] = v
	}
	return &c
}

// line is the state in the form that stateLine gives a message of the store.
func (m *modelMessage) line(uid store.UID) string {
	var kw []string
	for _, v := range m.keywords {
		kw = append(kw, v)
	}
	slices.Sort(kw)
	return fmt.Sprintf("%d at %d: %05b %v %d octets %s", uid, m.modSeq, m.flags, kw, m.size, m.email)
}

func stateLine(m store.Message) string {
	return fmt.Sprintf("%d at %d: %05b %v %d octets %s", m.UID, m.ModSeq, m.Flags, m.Keywords, m.Size, m.EmailID)
}

func (m *modelMessage) apply(op store.SetFlags) (changed bool) {
	next := m.clone()
	switch op.Mode {
	case store.FlagsAdd:
		next.flags |= op.Flags
	case store.FlagsRemove:
		next.flags &^= op.Flags
	case store.FlagsReplace:
		next.flags = op.Flags
	}
	wanted := map[string]string{}
	for _, kw := range op.Keywords {
		if low := strings.ToLower(kw); wanted[low] == "" {
			wanted[low] = kw
		}
	}
	for low, kw := range wanted {
		if op.Mode == store.FlagsRemove {
			delete(next.keywords, low)
		} else if next.keywords[low] == "" {
			next.keywords[low] = kw
		}
	}
	if op.Mode == store.FlagsReplace {
		for low := range next.keywords {
			if wanted[low] == "" {
				delete(next.keywords, low)
			}
		}
	}
	if next.line(1) == m.line(1) {
		return false
	}
	m.flags, m.keywords = next.flags, next.keywords
	return true
}

// counters are those of the row of a mailbox.
func (b *modelBox) counters() (messages, unseen, deleted, bytes int64) {
	for _, m := range b.msgs {
		messages++
		bytes += m.size
		if m.flags&store.Seen == 0 {
			unseen++
		}
		if m.flags&store.Deleted != 0 {
			deleted++
		}
	}
	return messages, unseen, deleted, bytes
}

// lines are all messages, ascending.
func (b *modelBox) lines() []string {
	out := []string{}
	for _, uid := range b.uids() {
		out = append(out, b.msgs[uid].line(uid))
	}
	return out
}

func (b *modelBox) uids() []store.UID {
	var uids []store.UID
	for uid := range b.msgs {
		uids = append(uids, uid)
	}
	slices.Sort(uids)
	return uids
}

// setFlags, expunge and copy do what the Op does and say what must come back.
func (b *modelBox) setFlags(op store.SetFlags, at store.ModSeq) (want store.OpResult) {
	for uid := range op.UIDs.All() {
		m := b.msgs[uid]
		switch {
		case m == nil:
			want.Missing.Add(uid)
		case op.UnchangedSince != nil && m.modSeq > *op.UnchangedSince:
			want.Modified.Add(uid)
		case m.apply(op):
			m.modSeq = at
			want.Changed.Add(uid)
		}
	}
	return want
}

func (b *modelBox) expunge(op store.Expunge) (want store.OpResult) {
	for uid := range op.UIDs.All() {
		m := b.msgs[uid]
		switch {
		case m == nil:
			want.Missing.Add(uid)
		case !op.OnlyDeleted || m.flags&store.Deleted != 0:
			delete(b.msgs, uid)
			want.Changed.Add(uid)
		}
	}
	return want
}

// copy takes the new UIDs from what the store gave out.
func (b *modelBox) copy(dst *modelBox, op store.Copy, at store.ModSeq, dest []store.UID) (want store.OpResult) {
	copies := map[store.UID]*modelMessage{}
	for uid := range op.UIDs.All() {
		m := b.msgs[uid]
		if m == nil {
			want.Missing.Add(uid)
			continue
		}
		want.Source.Add(uid)
		if len(dest) > len(copies) {
			c := m.clone()
			c.modSeq = at
			copies[dest[len(copies)]] = c
		}
		if op.Move {
			delete(b.msgs, uid)
			want.Changed.Add(uid)
		}
	}
	for uid, c := range copies {
		dst.msgs[uid] = c
	}
	return want
}
