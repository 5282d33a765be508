package store

import (
	"context"
	"io"
)

// MetaWriter is an Account that takes back Meta which a reader had to compute:
// after an upgrade, and for messages that came without. It is a cache, so it
// takes no ModSeq, wakes nobody, may be lost in a crash and needs no sync.
// Callers use OfferMeta or LoadMeta.
type MetaWriter interface {
	// WriteMeta keeps meta, whose first octet is its version, for a message,
	// unless the one that is kept has a greater version. A message or mailbox
	// that is not there (any more) is no error. The octets are the caller's.
	WriteMeta(ctx context.Context, id MailboxID, uid UID, meta []byte) error
}

// OfferMeta gives meta, encoded, to the MetaWriter of a. It does nothing where
// there is none, and with a meta that is empty or longer than MaxMeta.
func OfferMeta(ctx context.Context, a Account, id MailboxID, uid UID, meta []byte) error {
	w, ok := As[MetaWriter](a)
	if !ok || len(meta) == 0 || len(meta) > MaxMeta {
		return nil
	}
	return w.WriteMeta(ctx, id, uid, meta)
}

// LoadMeta returns the Meta of a message that was read with FieldMeta and
// FieldContent: what is kept, or else what it computes from the content and
// then offers to the store. That the offer failed is no error.
func LoadMeta(ctx context.Context, a Account, id MailboxID, m *Message) (Meta, error) {
	if meta, ok := DecodeMeta(m.Meta); ok {
		return meta, nil
	}
	c, err := a.Content(ctx, id, m.UID)
	if err != nil {
		return Meta{}, err
	}
	defer c.Close()
	prefix := int64(len(m.Prefix))
	size := c.Size() - prefix
	meta, err := ComputeMeta(io.NewSectionReader(c, prefix, size), size)
	if err != nil {
		return Meta{}, err
	}
	_ = OfferMeta(ctx, a, id, m.UID, meta.kept())
	return meta, nil
}
