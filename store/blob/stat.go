package blob

import "context"

// Stater is implemented by Blobs that can look for a blob without reading its
// octets. Callers use [Stat].
type Stater interface {
	// Stat returns the length of the blob in octets, or -1 where only the
	// octets themselves could tell; errors as Blobs.Open, but damage of the
	// octets may go unnoticed.
	Stat(ctx context.Context, ref Ref) (int64, error)
}

// Stat returns the length of a blob in octets, -1 where a Stater cannot tell,
// or why it cannot be opened.
// Without a Stater it opens the blob.
func Stat(ctx context.Context, b Blobs, ref Ref) (int64, error) {
	if s, ok := As[Stater](b); ok {
		return s.Stat(ctx, ref)
	}
	o, err := b.Open(ctx, ref)
	if err != nil {
		return 0, err
	}
	defer o.Close()
	return o.Size(), nil
}
