package recipient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/mailstead/mailstead/internal/mailaddr"
	"github.com/mailstead/mailstead/smtp"
)

// Place is where the mail of a user goes while users move from an old server to
// a new one.
type Place string

// The places.
const (
	PlaceNew  Place = "new"
	PlaceOld  Place = "old"
	PlaceBoth Place = "both"
)

// Stage is a row of Stages.
type Stage struct {
	// User is an address, also with any sub-address, a domain, the domains below
	// one (".example.org"), or "*".
	User  string
	Place Place
}

// Stages say for each user where his mail goes; the most specific row counts,
// and who has none is at PlaceNew. Rows are replaced while they are in use. The
// zero value is ready; any number of goroutines may use it.
type Stages struct {
	// Separator splits a sub-address from the user; "" = "+", "none" = not. It does
	// not change.
	Separator string

	rows atomic.Pointer[map[string]Place]
}

// Set replaces all rows. The error lists all faults; then nothing has changed.
func (s *Stages) Set(rows []Stage) error {
	m := make(map[string]Place, len(rows))
	var faults []error
	for i, row := range rows {
		pattern, err := mailaddr.ParsePattern(row.User, false)
		_, twice := m[pattern]
		switch {
		case err != nil:
		case row.User == "":
			err = mailaddr.ErrPattern
		case row.Place != PlaceNew && row.Place != PlaceOld && row.Place != PlaceBoth:
			err = fmt.Errorf("%q is no place: new, old or both", row.Place)
		case twice:
			err = errTwice
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("recipient: stage %d: %w", i+1, err))
		}
		m[pattern] = row.Place
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	s.rows.Store(&m)
	return nil
}

// Place returns where the mail of an address goes.
func (s *Stages) Place(p smtp.Path) Place {
	rows := s.rows.Load()
	if rows == nil {
		return PlaceNew
	}
	for pattern := range mailaddr.Patterns(p, cmp.Or(s.Separator, "+")) {
		if place, ok := (*rows)[pattern]; ok {
			return place
		}
	}
	return PlaceNew
}

// Lookup returns a function for route.Config.Lookup: the users at PlaceOld go to
// the target named old, those at PlaceBoth to the one named both, usually a
// Staged.
func (s *Stages) Lookup(old, both string) func(ctx context.Context, address string) (string, error) {
	return func(_ context.Context, address string) (string, error) {
		p, err := smtp.ParseMailbox(address, true)
		if err != nil {
			return "", err
		}
		switch s.Place(p) {
		case PlaceOld:
			return old, nil
		case PlaceBoth:
			return both, nil
		}
		return "", nil
	}
}
