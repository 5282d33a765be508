package memstore

import (
	"context"
	"iter"
	"slices"

	"github.com/mailstead/mailstead/store"
)

// message is one state of one message. It is immutable: a change puts another
// one in its place. A tombstone keeps what Content needs.
type message struct {
	store.Message
	thread *threadNode // nil for an imported tombstone
}

// A page ends after this many messages found, or looked at.
const (
	pageFound = 1_000
	pageSeen  = 20_000
)

// Messages implements store.Account. Each page is copied under the lock; the
// loop body runs without it. One Message is used for all steps, so a caller
// that keeps it beyond its step is found out.
func (a *account) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	return func(yield func(*store.Message, error) bool) {
		p := pager{query: q}
		var out store.Message
		for !p.done {
			if err := a.readPage(ctx, id, &p); err != nil {
				yield(nil, &store.Error{Op: "messages", Account: a.id, Mailbox: id.String(), Err: err})
				return
			}
			for _, m := range p.found {
				m.show(&out, q.Fields)
				if !yield(&out, nil) {
					return
				}
			}
		}
	}
}

// pager is a reader's place between two pages.
type pager struct {
	query store.Query
	found []*message
	next  store.UID // the first UID not looked at
	end   store.UID // UIDNEXT when the call began: newer messages are left out
	done  bool
}

func (a *account) readPage(ctx context.Context, id store.MailboxID, p *pager) error {
	if err := a.enter(ctx); err != nil {
		return err
	}
	defer a.mu.Unlock()
	m := a.boxes[id]
	if m == nil || m.Gone {
		return store.ErrNoMailbox
	}
	if p.query.Since > 0 && p.query.Since < a.purged {
		return store.ErrResync
	}
	if p.end == 0 {
		p.end = m.UIDNext
	}
	p.read(m)
	return nil
}

// read fills found with the next page.
func (p *pager) read(m *mailbox) {
	p.found = p.found[:0]
	i, _ := m.find(p.next)
	for seen := 0; i < len(m.msgs) && m.msgs[i].UID < p.end; i++ {
		if len(p.found) == pageFound || seen == pageSeen {
			p.next = m.msgs[i].UID
			return
		}
		seen++
		if p.wants(m.msgs[i]) {
			p.found = append(p.found, m.msgs[i])
		}
	}
	p.done = true
}

func (p *pager) wants(m *message) bool {
	q := &p.query
	if m.ModSeq <= q.Since || m.Gone && q.Since == 0 {
		return false
	}
	return len(q.UIDs) == 0 || q.UIDs.Contains(m.UID)
}

// show copies m into out, with the parts that were asked for and no others.
func (m *message) show(out *store.Message, f store.Fields) {
	*out = store.Message{UID: m.UID, ModSeq: m.ModSeq, Gone: m.Gone, Keywords: out.Keywords[:0]}
	if m.Gone {
		out.Keywords = nil
		return
	}
	out.Flags, out.Size = m.Flags, m.Size
	out.Keywords = append(out.Keywords, m.Keywords...)
	if f&store.FieldDates != 0 {
		out.Received, out.Saved = m.Received, m.Saved
	}
	if f&store.FieldIDs != 0 {
		out.EmailID, out.ThreadID = m.EmailID, m.ThreadID
	}
	if f&store.FieldContent != 0 {
		out.Blob, out.Key, out.Prefix = m.Blob, slices.Clone(m.Key), slices.Clone(m.Prefix)
	}
	if f&store.FieldMeta != 0 {
		out.Meta = slices.Clone(m.Meta)
	}
}

// find returns the place of the first message with this UID or a greater one,
// and whether it is this one.
func (m *mailbox) find(uid store.UID) (int, bool) {
	return slices.BinarySearchFunc(m.msgs, uid, func(e *message, uid store.UID) int {
		return int(int64(e.UID) - int64(uid))
	})
}

// live returns the places of the messages of set that are there, ascending,
// and what of set is not there.
func (m *mailbox) live(set store.UIDSet) (at []int, missing store.UIDSet) {
	var there store.UIDSet
	for _, r := range set {
		i, _ := m.find(r.First)
		for ; i < len(m.msgs) && m.msgs[i].UID <= r.Last; i++ {
			if !m.msgs[i].Gone {
				at = append(at, i)
				there.Add(m.msgs[i].UID)
			}
		}
	}
	return at, set.Minus(there)
}
