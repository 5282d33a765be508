package login

import (
	"context"
	"time"
)

// Report returns what is known about a user: failures that count now, failed
// attempts since the last login, when that was and from where. ErrUsername.
func (t *Throttle) Report(ctx context.Context, username string) (Tally, error) {
	t.once.Do(t.start)
	user, err := Canonical(username)
	if err != nil {
		return Tally{}, err
	}
	list, err := t.store.Tallies(ctx, []Subject{{User: user}}, time.Now().Add(-t.forget()))
	if err != nil {
		return Tally{}, err
	}
	return list[0], nil
}

// Worst returns up to n users, addresses and networks that have the most
// failures, the worst first.
func (t *Throttle) Worst(ctx context.Context, n int) ([]Suspect, error) {
	t.once.Do(t.start)
	return t.store.Worst(ctx, time.Now().Add(-t.forget()), n)
}
