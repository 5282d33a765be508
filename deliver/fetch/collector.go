package fetch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/mailstead/mailstead/store/blob"
)

// Collector fetches from any number of sources. Sources, State, Blobs and
// Hostname are required; the fields are set before the first use.
type Collector struct {
	Sources []*Source

	// State remembers what was fetched.
	State State

	// Blobs is where a message lies before anybody is asked to take it. Where it
	// is that of the target's store or queue, nothing is written twice.
	Blobs blob.Blobs

	// Quarantine keeps what nobody gets: no recipient was found, a target refuses
	// for good, it has been here before. nil = such a message stays on the server,
	// and is tried again.
	Quarantine Quarantine

	// Hostname is the name of this host in the Received field.
	Hostname string

	// PerHost is how many connections there are at a time to one Source.Host;
	// zero = 2. Sessions bounds all of them; zero = 50.
	PerHost  int
	Sessions int

	// Stall is how long a source may make no progress before its connection is
	// dropped; zero = 10 min.
	Stall time.Duration

	// Forget is for how long a message that the server does not list any more is
	// remembered; zero = 30 days, the time for which targets know Mail.Once.
	Forget time.Duration

	// OnEvent is told of what happens, by any number of goroutines; it must not
	// block. nil = nobody.
	OnEvent func(Event)

	Logger *slog.Logger     // nil = slog.Default()
	Now    func() time.Time // nil = time.Now
}

// Errors of a Collector; tested with errors.Is.
var (
	// ErrConfig: a Collector or a Source that cannot run.
	ErrConfig = errors.New("fetch: not a configuration")
)

// Run fetches until ctx ends, and returns when nothing is under way any more: a
// message that is being handed over is, up to 30 s, and what the server was told
// to delete is confirmed. The error is ErrConfig, or nil.
func (c *Collector) Run(ctx context.Context) error { return c.run(ctx, false) }

// Once makes passes at each source until there is nothing more to fetch, and
// returns the errors of those that failed, joined.
func (c *Collector) Once(ctx context.Context) error { return c.run(ctx, true) }

// Kick makes it the turn of a source now, whatever it waits for; false = there
// is none of that name, or the Collector does not run.
func (c *Collector) Kick(source string) bool { return false }

// Status says how each source stands, in the order of Sources.
func (c *Collector) Status() []Status { return nil }

func (c *Collector) run(context.Context, bool) error { return nil }
