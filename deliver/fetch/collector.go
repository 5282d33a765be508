package fetch

import (
	"errors"
	"log/slog"
	"sync"
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

	mu      sync.Mutex
	workers []*worker // guarded by mu; those of the latest Run
	slots   *slots
}

// Errors of a Collector; tested with errors.Is.
var (
	// ErrConfig: a Collector or a Source that cannot run.
	ErrConfig = errors.New("fetch: not a configuration")
)
