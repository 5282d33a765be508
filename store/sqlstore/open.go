package sqlstore

import (
	"bytes"
	"context"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// OpenContent implements store.ContentOpener. When the body cannot be opened by
// its Ref, Content says why.
func (h *handle) OpenContent(ctx context.Context, id store.MailboxID, m *store.Message) (store.Content, error) {
	body, err := blob.OpenKeyed(ctx, h.store.blobs, m.Blob, m.Key)
	if err != nil {
		return h.Content(ctx, id, m.UID)
	}
	prefix := bytes.Clone(m.Prefix)
	return &content{prefix: prefix, body: body, size: int64(len(prefix)) + body.Size()}, nil
}
