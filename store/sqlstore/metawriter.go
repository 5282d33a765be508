package sqlstore

import (
	"context"
	"errors"

	"github.com/mailstead/mailstead/store"
)

var _ store.MetaWriter = (*handle)(nil)

// WriteMeta implements store.MetaWriter. It returns before meta is written:
// readers see it at once, a crash may lose it, and so may a moment in which
// more is offered than can be written.
func (h *handle) WriteMeta(ctx context.Context, id store.MailboxID, uid store.UID, meta []byte) error {
	b, err := h.glance(ctx, id)
	if errors.Is(err, store.ErrNoMailbox) {
		return nil
	}
	if err != nil {
		return failBox("write meta", h.id, id, err)
	}
	if b.Gone || uid == 0 || uid >= b.UIDNext || len(meta) == 0 || len(meta) > store.MaxMeta {
		return nil
	}
	h.store.metas.put(metaKey{h.num, b.num, uid}, meta)
	return nil
}
