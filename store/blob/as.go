package blob

// Optional capabilities of Blobs. Each stands in a file of its own, with the
// interface, and the helper that everyone calls, which has a fallback:
//
//	interface   file         helper   without it
//	Stater      stat.go      Stat     opens the blob
//	Adopter     adopt.go     Adopt    nothing: the age of a blob protects it
//	Condemner   condemn.go   -        Collector asks once, then calls Delete
//
// A wrapper that only adds to a Blobs has a method `Unwrap() any`, and all
// capabilities of what it wraps are reached through it. A wrapper that changes
// octets or Refs has `As(target any) bool`, which alone decides what is
// reached: it sets *target and returns true for each capability that it has
// itself or lets through, and false for all that it does not know. A wrapper
// that has neither hides Adopter and Condemner, and with them what makes a Ref
// safe to adopt late.

// As finds an optional capability T of b: it asks each layer's own
// `As(target any) bool` first, and walks Unwrap only past layers that have
// none. The layers are not changed, and As may be called from any goroutine.
func As[T any](b any) (T, bool) {
	for b != nil {
		if a, ok := b.(interface{ As(target any) bool }); ok {
			var t T
			ok := a.As(&t)
			return t, ok
		}
		if t, ok := b.(T); ok {
			return t, true
		}
		u, ok := b.(interface{ Unwrap() any })
		if !ok {
			break
		}
		b = u.Unwrap()
	}
	var zero T
	return zero, false
}
