package login

// Keeper is a Backend that knows which mechanisms its users have secrets for. A
// Service offers SCRAM-SHA-256 and SCRAM-SHA-512 by itself where the backend is
// one: clients prefer them, and a user without such a secret could not log in
// any more although his password is right.
type Keeper interface {
	Backend
	// Keeps reports whether every user who can log in with a password has a
	// secret of this scheme, such as "SCRAM-SHA-256", in Hash or Secrets. It is
	// asked for every greeting and must not block.
	Keeps(scheme string) bool
}

// keeps reports whether b says so; a backend that is no Keeper does not.
func keeps(b Backend, scheme string) bool {
	k, ok := b.(Keeper)
	return ok && k.Keeps(scheme)
}

// Keeps implements Keeper: all backends of the chain have to.
func (c Chain) Keeps(scheme string) bool {
	for _, b := range c {
		if !keeps(b, scheme) {
			return false
		}
	}
	return len(c) > 0
}
