package maildir

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/mailstead/mailstead/store"
)

var _ store.Holder = (*account)(nil)

// PutHold implements store.Holder. It holds back this store only: another
// program may remove a file all the same.
func (a *account) PutHold(ctx context.Context, h store.Hold) error {
	h.UIDs = h.UIDs.Clone()
	err := h.Check()
	if err == nil {
		err = a.changeHolds(ctx, recOfHold(h))
	}
	if err != nil {
		return a.fail("put hold", err)
	}
	return nil
}

// DropHold implements store.Holder.
func (a *account) DropHold(ctx context.Context, name string) error {
	if err := a.changeHolds(ctx, holdRec{Hold: store.Hold{Name: name}, Box: make([]byte, 16), Dropped: true}); err != nil {
		return a.fail("drop hold", err)
	}
	return nil
}

// ListHolds implements store.Holder.
func (a *account) ListHolds(ctx context.Context) ([]store.Hold, error) {
	st, err := a.look(ctx)
	if err != nil {
		return nil, a.fail("list holds", err)
	}
	list := slices.SortedFunc(maps.Values(st.holds), func(x, y store.Hold) int { return cmp.Compare(x.Name, y.Name) })
	for i := range list {
		list[i].UIDs = list[i].UIDs.Clone()
	}
	return list, nil
}

func (a *account) changeHolds(ctx context.Context, r holdRec) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	st, err := a.freshLocked()
	if err != nil {
		return err
	}
	if id := r.Hold.Mailbox; !id.IsZero() {
		if b, err := st.box(id); err != nil || b.NoSelect {
			return store.ErrNoMailbox
		}
	}
	t := a.begin()
	t.holds = maps.Clone(t.holds)
	t.d.Holds = append(t.d.Holds, r)
	t.state.apply(&delta{ModSeq: t.ModSeq, Arrived: t.arrived, Holds: t.d.Holds})
	return t.commit(false)
}
