package encrypt

import (
	"context"
	"errors"
	"io"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// Content implements store.Account. Of an expunged message only a store with a
// KeyWriter knows the key; without one it is ErrExpunged.
func (a *account) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	m, err := a.row(ctx, id, uid)
	if err != nil {
		return nil, a.fail("content", id, uid, err)
	}
	if m == nil {
		return a.missing(ctx, id, uid)
	}
	if err := a.openRow(ctx, m, store.FieldContent); err != nil {
		return nil, a.fail("content", id, uid, err)
	}
	b, err := blob.OpenKeyed(ctx, a.s.Blobs(), m.Blob, m.Key)
	if errors.Is(err, blob.ErrNoBlob) {
		return a.missing(ctx, id, uid)
	}
	if err != nil {
		return nil, a.fail("content", id, uid, err)
	}
	return &content{store.NewContent(m.Prefix, b), a, id, uid}, nil
}

// row finds what opens a message; nil = the store below does not know.
func (a *account) row(ctx context.Context, id store.MailboxID, uid store.UID) (*store.Message, error) {
	if uid == 0 {
		return nil, nil
	}
	for m, err := range store.ListKeys(ctx, a.Account, id, store.UIDs(uid)) {
		switch {
		case errors.Is(err, store.ErrNoMailbox):
			return nil, nil
		case err != nil:
			return nil, err
		case m.UID == uid:
			row := *m
			return &row, nil
		}
	}
	return nil, nil
}

// missing lets the store below say why a message cannot be opened.
func (a *account) missing(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	c, err := a.Account.Content(ctx, id, uid)
	if err != nil {
		return nil, err
	}
	return nil, errors.Join(a.fail("content", id, uid, store.ErrExpunged), c.Close())
}

// OpenContent implements store.ContentOpener. When it is not what it should
// be, Content says why.
func (a *account) OpenContent(ctx context.Context, id store.MailboxID, m *store.Message) (store.Content, error) {
	b, err := blob.OpenKeyed(ctx, a.s.Blobs(), m.Blob, m.Key)
	if err != nil {
		return a.Content(ctx, id, m.UID)
	}
	c := store.NewContent(append([]byte(nil), m.Prefix...), b)
	if c.Size() != m.Size {
		if err := c.Close(); err != nil {
			return nil, a.fail("content", id, m.UID, err)
		}
		return a.Content(ctx, id, m.UID)
	}
	return &content{c, a, id, m.UID}, nil
}

// content says of which message it is when something is damaged.
type content struct {
	store.Content
	a   *account
	box store.MailboxID
	uid store.UID
}

func (c *content) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Content.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = c.a.fail("read", c.box, c.uid, err)
	}
	return n, err
}

// WriteMeta implements store.MetaWriter. A row from before has no key, and
// gets no Meta.
func (a *account) WriteMeta(ctx context.Context, id store.MailboxID, uid store.UID, meta []byte) error {
	below, ok := store.As[store.MetaWriter](a.Account)
	if !ok || len(meta) == 0 {
		return nil
	}
	m, err := a.row(ctx, id, uid)
	if err != nil {
		return a.fail("write meta", id, uid, err)
	}
	if m == nil || len(m.Key) == 0 {
		return nil
	}
	w, err := a.rowWrapped(m)
	if err != nil {
		return a.fail("write meta", id, uid, err)
	}
	if w.scope == "" {
		return nil
	}
	aead, err := a.rowKey(ctx, &w, m)
	if err != nil {
		return a.fail("write meta", id, uid, err)
	}
	row := rowID{a.id, m.EmailID, m.Blob}
	return below.WriteMeta(ctx, id, uid, row.sealMeta(aead, meta))
}
