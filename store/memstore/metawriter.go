package memstore

import (
	"context"
	"slices"

	"github.com/mailstead/mailstead/store"
)

// WriteMeta implements store.MetaWriter. A state is immutable, so another one
// with the same ModSeq takes its place.
func (a *account) WriteMeta(ctx context.Context, id store.MailboxID, uid store.UID, meta []byte) error {
	if err := a.enter(ctx); err != nil {
		return a.fail("write meta", err)
	}
	defer a.mu.Unlock()
	m := a.boxes[id]
	if m == nil || len(meta) == 0 {
		return nil
	}
	i, ok := m.find(uid)
	if !ok || m.msgs[i].Gone || len(m.msgs[i].Meta) > 0 && m.msgs[i].Meta[0] > meta[0] {
		return nil
	}
	next := *m.msgs[i]
	next.Meta = slices.Clone(meta)
	m.msgs[i] = &next
	return nil
}
