package blob

import "context"

// Adopter is implemented by Blobs that keep their catalogue in the database in
// which the rows that refer to blobs are written. Tx is the type of that
// database's transactions. Callers use [Adopt].
//
// With it a Ref may be adopted at any age: the row and the proof that its blob
// stays are one transaction.
type Adopter[Tx any] interface {
	// Adopt makes tx fail where one of refs is not there when tx commits:
	// with ErrNoBlob, from Adopt or from the commit. Otherwise the blobs stay
	// at least until a Holder was asked that sees what tx has written.
	Adopt(ctx context.Context, tx Tx, refs ...Ref) error
}

// Adopt is called in the transaction that writes a row with a Ref in it,
// unless the same transaction reads another row that holds it. Without an
// Adopter for this kind of transaction it does nothing: then a Ref may be
// adopted only while a writer's lease or another holder keeps it.
func Adopt[Tx any](ctx context.Context, b Blobs, tx Tx, refs ...Ref) error {
	if b == nil || len(refs) == 0 {
		return nil
	}
	a, ok := As[Adopter[Tx]](b)
	if !ok {
		return nil
	}
	return a.Adopt(ctx, tx, refs...)
}
