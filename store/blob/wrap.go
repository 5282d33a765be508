package blob

import "errors"

// Wrapper is implemented by Blobs that keep a blob in another Blobs under
// another Ref.
type Wrapper interface {
	// Below says where a Ref leads. ErrNoBlob: nowhere.
	Below(ref Ref) (Blobs, Ref, error)
}

// ErrWrapped: a wrapper gives the blobs of this store other Refs, and it is
// the wrapper that has to be asked.
var ErrWrapped = errors.New("blob: listed below its wrapper")

// Wrappable is implemented by engines that can be protected from this
// mistake: a Collector over the engine whose holders know the Refs of the
// wrapper would find every blob unheld, and delete all mail.
type Wrappable interface {
	// Wrapped returns the engine for the wrapper. From then on List of the
	// engine itself fails with ErrWrapped, so that nothing is collected.
	Wrapped() Blobs
}

// Wrapped returns what a Wrapper with other Refs keeps its blobs in: b itself,
// protected where it can be.
func Wrapped(b Blobs) Blobs {
	if w, ok := As[Wrappable](b); ok {
		return w.Wrapped()
	}
	return b
}
