package encrypt

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// sealer encrypts the Ops of one Change. What they have in common it makes
// once.
type sealer struct {
	*account
	wrap *wrapper
	hash func(uint64) uint64
}

// seal returns the Op for the store below.
func (s *sealer) seal(ctx context.Context, op store.Op) (store.Op, error) {
	switch op := op.(type) {
	case store.Append:
		err := s.append(ctx, &op)
		return op, err
	case store.Import:
		if op.Gone {
			return op, nil
		}
		err := s.append(ctx, &op.Append)
		return op, err
	case store.PutEntry:
		if op.Value == nil {
			return op, nil
		}
		value, err := s.s.keys.sealEntry(ctx, entryOf{s.id, op.Mailbox, op.Key}, op.Value)
		if err != nil {
			return nil, s.fail("apply", op.Mailbox, 0, err)
		}
		op.Overhead, op.Value = op.Overhead+len(value)-len(op.Value), value
		return op, nil
	}
	return op, nil
}

func (s *sealer) append(ctx context.Context, op *store.Append) error {
	if op.EmailID == (store.EmailID{}) {
		op.EmailID = store.NewEmailID()
	}
	if err := s.prepare(ctx); err != nil {
		return s.fail("apply", op.Mailbox, 0, err)
	}
	data, flags, err := s.dataKey(ctx, op)
	if err != nil {
		return s.fail("apply", op.Mailbox, 0, err)
	}
	aead, err := data.row()
	if err != nil {
		return s.fail("apply", op.Mailbox, 0, err)
	}
	id := rowID{s.id, op.EmailID, op.Blob}
	op.Key = s.wrap.wrap(data, s.s.inner(op.Blob), flags)
	if len(op.Prefix) > 0 {
		var seal []byte
		op.Prefix, seal = id.sealPrefix(aead, op.Prefix)
		op.Key = append(op.Key, seal...)
	}
	if len(op.Meta) > 0 {
		op.Meta = id.sealMeta(aead, op.Meta)
	}
	op.ThreadKeys = slices.Clone(op.ThreadKeys)
	for i, h := range op.ThreadKeys {
		op.ThreadKeys[i] = s.hash(h)
	}
	op.SubjectHash = s.hash(op.SubjectHash)
	return nil
}

func (s *sealer) prepare(ctx context.Context) (err error) {
	if s.wrap != nil {
		return nil
	}
	if s.hash, err = s.s.keys.hasher(ctx, s.id); err != nil {
		return err
	}
	s.wrap, err = s.s.keys.wrapper(ctx, string(s.id))
	return err
}

// dataKey returns the key of the body: that which came with it, from the
// queue or another account. A body that is not encrypted has none; its row gets
// a key of its own.
func (s *sealer) dataKey(ctx context.Context, op *store.Append) (data dataKey, flags byte, err error) {
	if len(op.Key) > 0 {
		w, err := consumeKey(op.Key)
		if err == nil {
			data, err = s.s.keys.unwrap(ctx, &w, s.s.inner(op.Blob))
		}
		if err == nil {
			return data, w.flags, nil
		}
		if _, e := blob.StatKeyed(ctx, s.Blobs(), op.Blob, op.Key); errors.Is(e, blob.ErrNoBlob) {
			err = errors.Join(store.ErrNoBlob, e)
		}
		return data, 0, err
	}
	// No octet of the body is read below without a key, so this tells a body
	// from before from one whose key was left behind.
	_, err = blob.StatKeyed(ctx, s.Blobs(), op.Blob, nil)
	switch {
	case errors.Is(err, blob.ErrNoBlob): // for the store below to say, which knows Once
	case err != nil:
		return data, 0, err
	case !s.s.plain:
		return data, 0, ErrPlain
	}
	rand.Read(data[:])
	return data, isPlain, nil
}

func (s *sealer) Blobs() blob.Blobs { return s.s.Blobs() }
