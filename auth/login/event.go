package login

import (
	"context"
	"time"
)

// Event is the end of one attempt, as Service.Observe is told. It has no
// secret.
type Event struct {
	// Attempt is what is known of it. Username is canonical where the name that
	// the client sent can be, and empty where none was found.
	Attempt
	// Time is when it ended.
	Time time.Time
	// Identity is who logged in; zero where nobody did. Whether he may act for
	// the account that he asked for is judged behind it, and has an event of its
	// own where he may not.
	Identity Identity
	// Reason says for operators why it ended so: "wrong password", "unknown
	// user". It may be empty, and is never for clients.
	Reason string
	// Err is nil for a success, and one of the errors of Authenticate or
	// ErrMalformed otherwise.
	Err error
}

// observe tells Observe.
func (s *Service) observe(ctx context.Context, e Event) {
	if s.Observe == nil {
		return
	}
	e.Time, e.Password = time.Now(), Password{}
	s.Observe(ctx, e)
}
