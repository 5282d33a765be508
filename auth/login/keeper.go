package login

import "slices"

// Keeper is a Backend that knows which mechanisms its users have secrets for. A
// Service offers SCRAM-SHA-256 and SCRAM-SHA-512 by itself where the backend is
// one: clients prefer them, and a user without such a secret could not log in
// any more although his password is right.
type Keeper interface {
	Backend
	// Keeps reports whether every password that lets a user in has a secret of
	// this scheme, such as "SCRAM-SHA-256", in Hash or Secrets. App passwords
	// have none. It is asked for every greeting and must not block; false where
	// there are no users or in doubt.
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

// Census counts the users who can log in with a password, and those of them who
// have a secret of each scheme and no other way.
type Census struct {
	users   int
	schemes map[string]int
}

// Add counts one record.
func (c *Census) Add(r Record) {
	own := !r.AppPasswordsOnly && (r.Hash != "" || len(r.Secrets) > 0 || r.Check != nil)
	if r.Disabled || !own && len(r.AppPasswords) == 0 {
		return
	}
	c.users++
	if !own || r.Check != nil || len(r.AppPasswords) > 0 {
		return
	}
	if c.schemes == nil {
		c.schemes = make(map[string]int)
	}
	var seen []string // of this user
	for _, stored := range append([]string{r.Hash}, r.Secrets...) {
		if name, _, ok := cutScheme(stored); ok && !slices.Contains(seen, name) {
			c.schemes[name]++
			seen = append(seen, name)
		}
	}
}

// Keeps reports whether everybody has a secret of this scheme.
func (c *Census) Keeps(scheme string) bool { return c.users > 0 && c.schemes[scheme] == c.users }
