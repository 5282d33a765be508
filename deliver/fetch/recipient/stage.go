package recipient

import (
	"context"

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
// and who has none is PlaceNew. Rows are replaced while it is in use. The zero
// value is ready; any number of goroutines may use it.
type Stages struct{}

// Set replaces all rows. The error lists all faults; then nothing has changed.
func (s *Stages) Set(rows []Stage) error { return nil }

// Place returns where the mail of an address goes.
func (s *Stages) Place(p smtp.Path) Place { return PlaceNew }

// Lookup returns a function for route.Config.Lookup: the users of PlaceOld go to
// the target named old, those of PlaceBoth to both, which is usually a Staged.
func (s *Stages) Lookup(old, both string) func(ctx context.Context, address string) (string, error) {
	return nil
}

// Staged is a Receiver that gives each recipient to the server where Stages says
// his mail goes, and PlaceBoth to both: it is delivered when both have it. All
// fields are required.
type Staged struct {
	Stages   *Stages
	New, Old smtp.Receiver
}

// Begin implements smtp.Receiver.
func (s *Staged) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) { return nil, nil }
