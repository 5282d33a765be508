package queue

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"time"

	"github.com/mailstead/mailstead/store/blob"
)

// Storage keeps jobs. All methods may be called from any number of
// goroutines. queuetest judges an implementation.
type Storage interface {
	// Put adds jobs, all or none, durable when it returns. A job whose Once
	// is known, from a job that is there or was put less than 30 days ago,
	// is left out. ErrExists: the ID of a job that is there. A job's blob
	// must already be durable. ErrEntry: none was put.
	Put(ctx context.Context, jobs ...Job) error

	// LeaseDestinations finds destinations that have a job to lease, the
	// longest due first. It must cost O(log n) of the queue's length for each
	// destination that it finds, or passes over for Look.Except.
	LeaseDestinations(ctx context.Context, l Look) (Found, error)

	// LeaseJobs leases up to max jobs of a destination that are due at now
	// and neither held nor leased, from its lanes as Turns says: higher
	// Priority first, which grows with the time that a job is due; then the
	// senders in turn; then the longest due. The lease lasts for ttl; where one process owns the storage,
	// leases may live in its memory, and a restart voids them. A job whose
	// lease ended with the process of its holder has that noted (Crashed)
	// before it is leased again; this survives the end of a process, and need
	// not survive a power cut.
	LeaseJobs(ctx context.Context, destination string, now time.Time, max int, ttl time.Duration) ([]Lease, error)

	// Settle ends leases and writes what follows from them in one commit,
	// durable when it returns. An Outcome whose Token is void does nothing,
	// its Next included; the others are carried out, and the error is then
	// ErrLeaseLost. After any other error nothing was carried out, and the
	// leases are as they were.
	Settle(ctx context.Context, outcomes []Outcome) error

	// Extend prolongs leases to ttl from now. ErrLeaseLost: one is void;
	// its holder must not go past the point of no return (the final dot).
	Extend(ctx context.Context, ttl time.Duration, tokens ...Token) error

	// Edit changes the jobs that f selects and returns how many; durable
	// when it returns. It wins over the outcome of an attempt under way:
	// leased jobs are changed when their lease ends, in whatever way, and
	// may look changed before. A dropped one's Outcome.Next is still put.
	Edit(ctx context.Context, f Filter, e Edit) (int, error)

	// List yields the jobs that f selects, by ID. Each *Job is the caller's.
	// No lock or transaction is held while the loop body runs.
	List(ctx context.Context, f Filter) iter.Seq2[*Job, error]

	// Stats counts the jobs.
	Stats(ctx context.Context) (Stats, error)

	// PutEntries writes entries in this order, all or none, durable when it
	// returns. ErrEntry: one is out of bounds.
	PutEntries(ctx context.Context, entries ...Entry) error

	// Entries yields the entries that f selects and that have not expired, by
	// Key in the order of octets. Each *Entry is the caller's. No lock or
	// transaction is held while the loop body runs. Expired ones are deleted
	// in the course of time.
	Entries(ctx context.Context, f EntryFilter) iter.Seq2[*Entry, error]

	// Holds makes the storage a blob.Holder: refs that a job refers to now,
	// or did less than 24 h ago.
	Holds(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error)
}

// Look says which destinations to find.
type Look struct {
	Now    time.Time
	Max    int             // at most so many; zero = none
	Except map[string]bool // without these

	// After continues behind a look before, at its Found.Last; zero = begin
	// with the longest due. A destination may come again behind a place, with
	// another of its lanes.
	After Place
}

// Place is one in the order of the destinations: of when their first job that
// can be leased fell due, then of names.
type Place struct {
	Due         time.Time
	Destination string
}

// Compare orders places; zero is before all others.
func (p Place) Compare(q Place) int {
	return cmp.Or(p.Due.Compare(q.Due), cmp.Compare(p.Destination, q.Destination))
}

// Found are destinations that have a job to lease.
type Found struct {
	Destinations []string
	First        time.Time // since when the first of them is due

	// More: there may be others behind Last.
	More bool
	Last Place

	// Next is when a job of another destination falls due; zero = none will
	// without a Put, an Edit or a Settle. Only where More is false.
	Next time.Time
}

// Filter selects jobs; a zero field selects all, several fields all have to
// hold.
type Filter struct {
	IDs         []string
	Message     string // Job.Message
	Destination string
	Sender      string // the reverse-path as written, without regard to ASCII case
	Recipient   string // a forward-path of the job, likewise
	Identity    string
	Held        *bool
	After       string // jobs with an ID greater than this, for pages
	Limit       int    // zero = no limit
}

// Edit is what Storage.Edit does to a job. Exactly one field is set.
type Edit struct {
	Hold        *string    // hold with this reason; "" releases, and forgets crashes
	Due         *time.Time // retry at
	Destination *string    // reroute
	Bounce      *string    // give up with this reason, and tell the sender: sets Job.Bounce, and makes it due
	Drop        bool       // forget the job without a DSN
}

// Stats counts a storage's jobs.
type Stats struct {
	Jobs         int64 // all
	Held         int64
	Leased       int64
	Destinations int64     // with at least one job
	Oldest       time.Time // Created of the oldest job; zero = none
}

// Errors of a Storage; tested with errors.Is.
var (
	ErrExists    = errors.New("queue: job exists already")
	ErrLeaseLost = errors.New("queue: lease is void")
	ErrClosed    = errors.New("queue: closed")
	ErrCorrupt   = errors.New("queue: damaged job")
	ErrUnknown   = errors.New("queue: outcome of the commit is unknown")
)
