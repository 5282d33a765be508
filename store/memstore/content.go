package memstore

import (
	"context"
	"errors"
	"io"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// Content implements store.Account. The blob is opened without the lock.
func (a *account) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	c, err := a.content(ctx, id, uid)
	if err != nil {
		return nil, &store.Error{Op: "content", Account: a.id, Mailbox: id.String(), Err: err}
	}
	return c, nil
}

func (a *account) content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	m, err := a.message(ctx, id, uid)
	if err != nil {
		return nil, err
	}
	if m.Blob == "" { // an imported tombstone
		return nil, store.ErrExpunged
	}
	b, err := blob.OpenKeyed(ctx, a.store.blobs, m.Blob, m.Key)
	switch {
	case errors.Is(err, blob.ErrNoBlob) && m.Gone:
		return nil, store.ErrExpunged
	case errors.Is(err, blob.ErrNoBlob), errors.Is(err, blob.ErrCorrupt):
		return nil, errors.Join(store.ErrCorrupt, err)
	case err != nil:
		return nil, err
	}
	return &content{prefix: m.Prefix, blob: b, size: m.Size}, nil
}

// message finds a message, expunged or not, also of a deleted mailbox.
func (a *account) message(ctx context.Context, id store.MailboxID, uid store.UID) (*message, error) {
	if err := a.enter(ctx); err != nil {
		return nil, err
	}
	defer a.mu.Unlock()
	m := a.boxes[id]
	if m == nil {
		return nil, store.ErrNoMailbox
	}
	i, ok := m.find(uid)
	switch {
	case ok:
		return m.msgs[i], nil
	case uid > 0 && uid < m.UIDNext:
		return nil, store.ErrExpunged
	}
	return nil, store.ErrNoMessage
}

// content reads a prefix and a blob as one.
type content struct {
	prefix []byte
	blob   blob.Blob
	size   int64
}

func (c *content) Size() int64  { return c.size }
func (c *content) Close() error { return c.blob.Close() }

// ReadAt implements io.ReaderAt over the border between the two.
func (c *content) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("memstore: negative offset")
	}
	border := int64(len(c.prefix))
	if off < border {
		n = copy(p, c.prefix[off:])
		if n == len(p) {
			return n, nil
		}
	}
	k, err := c.blob.ReadAt(p[n:], off+int64(n)-border)
	if n += k; n == len(p) && err == io.EOF {
		err = nil
	}
	return n, err
}
