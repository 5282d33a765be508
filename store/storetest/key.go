package storetest

import (
	"bytes"
	"errors"
	"slices"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// keyed returns op with a Key: that of its blob, where the store's Blobs give
// out keys, else octets that a store keeps as they are. A store that reads the
// body when it is appended refuses those; then op has none.
func (e *env) keyed(op store.Append, key string) store.Append {
	e.r.Helper()
	if len(op.Key) > 0 {
		return op
	}
	if e.anyKey == nil {
		h := e.account("keys")
		probe := h.message(h.inbox, "a key that opens nothing")
		probe.Key = []byte("key")
		_, err := h.Apply(e.ctx, store.Change{Ops: []store.Op{probe}})
		taken := !errors.Is(err, blob.ErrNoKey)
		e.anyKey = &taken
	}
	if *e.anyKey {
		op.Key = []byte(key)
	}
	return op
}

// sameKey reports a Key of a message that is not that of its Append. A store
// may have wrapped the key of a blob anew; then it has to open the blob.
func (e *env) sameKey(what string, got []byte, op store.Append) {
	e.r.Helper()
	own := e.keys[op.Blob]
	if own == nil || !bytes.Equal(own, op.Key) {
		if !bytes.Equal(got, op.Key) {
			e.errorf("%s = %q, want %q", what, got, op.Key)
		}
		return
	}
	b, err := blob.OpenKeyed(e.ctx, e.s.Blobs(), op.Blob, slices.Clone(got))
	if err != nil {
		e.errorf("%s does not open the blob: %v", what, err)
		return
	}
	e.ok("Close", b.Close())
}
