package memstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
)

// PutHold implements store.Holder.
func (a *account) PutHold(ctx context.Context, h store.Hold) error {
	if err := h.Check(); err != nil {
		return a.fail("put hold", err)
	}
	if err := a.enter(ctx); err != nil {
		return a.fail("put hold", err)
	}
	defer a.mu.Unlock()
	if m := a.boxes[h.Mailbox]; !h.Mailbox.IsZero() && (m == nil || m.Gone || m.NoSelect) {
		return a.fail("put hold", store.ErrNoMailbox)
	}
	if a.holds == nil {
		a.holds = make(map[string]store.Hold)
	}
	h.UIDs = h.UIDs.Clone()
	a.holds[h.Name] = h
	return nil
}

// DropHold implements store.Holder.
func (a *account) DropHold(ctx context.Context, name string) error {
	if err := a.enter(ctx); err != nil {
		return a.fail("drop hold", err)
	}
	defer a.mu.Unlock()
	delete(a.holds, name)
	return nil
}

// ListHolds implements store.Holder.
func (a *account) ListHolds(ctx context.Context) ([]store.Hold, error) {
	if err := a.enter(ctx); err != nil {
		return nil, a.fail("list holds", err)
	}
	defer a.mu.Unlock()
	list := slices.Collect(maps.Values(a.holds))
	slices.SortFunc(list, func(x, y store.Hold) int { return cmp.Compare(x.Name, y.Name) })
	for i := range list {
		list[i].UIDs = list[i].UIDs.Clone()
	}
	return list, nil
}

// split takes those places of m out of at whose messages a hold covers.
// moving: a hold on the whole account does not count.
func (t *tx) split(m *mailbox, at []int, moving bool) (free []int, held store.UIDSet) {
	if len(t.holds) == 0 {
		return at, nil
	}
	now := time.Now()
	for _, i := range at {
		if t.covered(m, m.msgs[i], now, moving) {
			held.Add(m.msgs[i].UID)
		} else {
			free = append(free, i)
		}
	}
	return free, held
}

func (t *tx) covered(m *mailbox, msg *message, now time.Time, moving bool) bool {
	for _, h := range t.holds {
		if h.Covers(m.ID, msg.UID, msg.Saved, now) && !(moving && h.Mailbox.IsZero()) {
			return true
		}
	}
	return false
}

// mayDelete refuses to delete m while a hold needs it.
func (t *tx) mayDelete(m *mailbox) error {
	for _, h := range t.holds {
		if h.Keep == 0 && h.Mailbox == m.ID && h.Active(time.Now()) {
			return store.ErrHeld
		}
	}
	at, _ := m.live(store.AllUIDs())
	if _, held := t.split(m, at, false); len(held) > 0 {
		return store.ErrHeld
	}
	return nil
}

// mayDrop refuses to drop the account while a hold needs it.
func (t *tx) mayDrop() error {
	for _, h := range t.holds {
		if h.Keep == 0 && h.Active(time.Now()) {
			return store.ErrHeld
		}
	}
	for _, m := range t.boxes {
		if err := t.mayDelete(m); err != nil {
			return err
		}
	}
	return nil
}
