package store

// As finds an optional capability T of s: it asks each layer's own
// `As(target any) bool` first, and walks Unwrap only past layers that have
// none. Callers use the helper beside each capability, which has a fallback.
func As[T any](s any) (T, bool) {
	for s != nil {
		if a, ok := s.(interface{ As(target any) bool }); ok {
			var t T
			ok := a.As(&t)
			return t, ok
		}
		if t, ok := s.(T); ok {
			return t, true
		}
		u, ok := s.(interface{ Unwrap() any })
		if !ok {
			break
		}
		s = u.Unwrap()
	}
	var zero T
	return zero, false
}
