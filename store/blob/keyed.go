package blob

import (
	"context"
	"errors"
)

// ErrNoKey: the blob is encrypted, and the key that opens it was not given,
// belongs to another blob, or is wrapped under a key that nobody has (any
// more).
var ErrNoKey = errors.New("blob: no key for an encrypted blob")

// Keyed is implemented by Blobs whose octets open with a key of their own. The
// key comes from the Writer (see [KeyOf]) and is kept in every row that keeps
// the Ref; it is opaque, and may be wrapped anew without a change of the blob.
// Callers use [OpenKeyed] and [StatKeyed].
type Keyed interface {
	// OpenKeyed opens a blob with its key. ErrNoKey; else as Blobs.Open, which
	// is OpenKeyed without a key.
	OpenKeyed(ctx context.Context, ref Ref, key []byte) (Blob, error)

	// StatKeyed is Stat, which also tells whether key is the key of the blob:
	// ErrNoKey.
	StatKeyed(ctx context.Context, ref Ref, key []byte) (int64, error)
}

// KeyedWriter is a Writer of Keyed.
type KeyedWriter interface {
	// Key is the key of the blob; nil before Commit has returned its Ref.
	Key() []byte
}

// KeyOf returns the key of the blob that w has committed, which is kept beside
// the Ref; nil for a blob that opens without one.
func KeyOf(w Writer) []byte {
	if k, ok := w.(KeyedWriter); ok {
		return k.Key()
	}
	return nil
}

// OpenKeyed opens a blob with the key that is kept beside its Ref; empty =
// none. A key where b knows no keys is ErrNoKey: the octets that b has are not
// those that were written.
func OpenKeyed(ctx context.Context, b Blobs, ref Ref, key []byte) (Blob, error) {
	if k, ok := b.(Keyed); ok {
		return k.OpenKeyed(ctx, ref, key)
	}
	if len(key) > 0 {
		return nil, ErrNoKey
	}
	return b.Open(ctx, ref)
}

// StatKeyed looks for a blob without reading it: its length in octets or -1, as
// Stat. It is what a store asks before it makes a row with ref and key. Where b
// knows no keys, key is not looked at.
func StatKeyed(ctx context.Context, b Blobs, ref Ref, key []byte) (int64, error) {
	if k, ok := b.(Keyed); ok {
		return k.StatKeyed(ctx, ref, key)
	}
	return Stat(ctx, b, ref)
}

// Wrapper is implemented by Blobs that keep a blob in another Blobs under
// another Ref.
type Wrapper interface {
	// Below says where a Ref leads. ErrNoBlob: nowhere.
	Below(ref Ref) (Blobs, Ref, error)
}
