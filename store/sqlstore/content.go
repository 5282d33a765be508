package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Content implements store.Account.
func (h *handle) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	c, err := h.content(ctx, id, uid)
	if errors.Is(known(err), store.ErrCorrupt) {
		err = fmt.Errorf("message %d cannot be read: restore it from a backup: %w", uid, err)
	}
	if err != nil {
		return nil, failBox("content", h.id, id, err)
	}
	return c, nil
}

func (h *handle) content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	b, err := h.glance(ctx, id)
	f, ok, err := h.bodyOf(ctx, b, uid, err)
	if h.store.shared() && (err == nil && !ok || errors.Is(err, store.ErrNoMailbox)) { // it may be new
		b, _, err = h.shown(ctx, id)
		f, ok, err = h.bodyOf(ctx, b, uid, err)
	}
	switch {
	case err != nil:
		return nil, err
	case !ok && (b.Gone || uid > 0 && uid < b.UIDNext):
		return nil, store.ErrExpunged
	case !ok:
		return nil, store.ErrNoMessage
	}
	body, err := blob.OpenKeyed(ctx, h.store.blobs, f.ref, f.key)
	if errors.Is(err, blob.ErrNoBlob) {
		return nil, h.lost(ctx, b, uid, err)
	}
	if err != nil {
		return nil, err
	}
	return &content{prefix: f.prefix, body: body, size: int64(len(f.prefix)) + f.size}, nil
}

// bodyOf reads where a message's octets lie, unless its mailbox was not found.
func (h *handle) bodyOf(ctx context.Context, b shownBox, uid store.UID, err error) (bodyOf, bool, error) {
	if err != nil {
		return bodyOf{}, false, err
	}
	return sqldb.One(ctx, h.store.db, scanBody,
		`SELECT blob, size, cipher, prefix FROM fact WHERE account = ? AND mailbox = ? AND uid = ?`, h.num, b.num, int64(uid))
}

// bodyOf is where the octets of a message lie.
type bodyOf struct {
	ref    blob.Ref
	size   int64 // of the blob
	key    []byte
	prefix []byte
}

func scanBody(r *sql.Rows) (b bodyOf, err error) {
	err = r.Scan((*string)(&b.ref), &b.size, &b.key, &b.prefix)
	return b, err
}

// lost says what it means that a body is not there: nothing for an expunged
// message, damage for one that is there.
func (h *handle) lost(ctx context.Context, b shownBox, uid store.UID, cause error) error {
	want := store.UIDs(uid)
	r := &blockReader{q: h.store.db, account: h.num, box: b.num, want: want}
	var found store.OpResult
	if err := collectClaims(ctx, r, &found); err != nil {
		return err
	}
	if b.Gone || !found.Changed.Contains(uid) {
		return store.ErrExpunged
	}
	return errors.Join(store.ErrCorrupt, cause)
}

// content is Prefix and blob as one.
type content struct {
	prefix []byte
	body   blob.Blob
	size   int64
}

func (c *content) Size() int64  { return c.size }
func (c *content) Close() error { return c.body.Close() }

func (c *content) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("sqlstore: negative offset")
	}
	border := int64(len(c.prefix))
	if off < border {
		n = copy(p, c.prefix[off:])
	}
	if n == len(p) {
		return n, nil
	}
	k, err := c.body.ReadAt(p[n:], off+int64(n)-border)
	if n += k; n == len(p) && err == io.EOF {
		err = nil
	}
	if err != nil && err != io.EOF {
		err = known(err)
	}
	return n, err
}
