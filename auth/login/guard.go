package login

import "context"

// Outcome is how an attempt that a Guard let through ended.
type Outcome int

const (
	// Undecided: nobody judged the password.
	Undecided Outcome = iota
	// Succeeded: the password was right.
	Succeeded
	// Failed: the user or the password was wrong.
	Failed
)

// Guard decides when an attempt may be judged. Its methods may be called from
// any number of goroutines.
type Guard interface {
	// Begin may wait. It returns nil when the attempt may be judged now, and
	// then end is called exactly once with what came of it. ErrTooMany: not
	// now, nor soon. Any other error, such as that of a context that ended,
	// is a temporary failure. The attempt's user name is canonical, or empty
	// where nobody is named yet (a bearer token): only the address counts then.
	// Its password is empty where the mechanism does not show it; such attempts
	// are all different guesses.
	Begin(ctx context.Context, a Attempt) (end func(Outcome), err error)
}

// Unguarded lets every attempt through at once.
type Unguarded struct{}

// Begin implements Guard.
func (Unguarded) Begin(context.Context, Attempt) (func(Outcome), error) {
	return func(Outcome) {}, nil
}
