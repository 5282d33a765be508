package queue

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Entry is a row of the small table that a Storage keeps beside its jobs, for
// what has to survive a restart, or be seen by other nodes, and is no job: who
// gets no mail, what is paused, how much a user has sent, what became of a
// message. Kind and Key name it.
type Entry struct {
	Kind  string // whose entry it is: 1 to MaxEntryKind octets
	Key   string // 1 to MaxEntryKey octets
	Value []byte // up to MaxEntryValue octets

	// Count is a number that adds up: one that is written is added to that of
	// the entry that is there, whoever wrote that, while Value and Expires take
	// the place of what was.
	Count int64

	// Expires is when the entry is gone, as if it had been removed; zero =
	// never.
	Expires time.Time

	// Remove takes away the entry of that name, if there is one, in the place
	// of writing. Never set in what Entries yields.
	Remove bool
}

// The bounds of entries.
const (
	MaxEntryKind  = 32
	MaxEntryKey   = 512
	MaxEntryValue = 32 << 10
	MaxEntries    = 1000 // of one call of PutEntries, one Job, one Outcome
)

// ErrEntry is in the chain of the error of entries that are out of bounds.
var ErrEntry = errors.New("queue: entry out of bounds")

// CheckEntries reports ErrEntry where entries are out of bounds.
func CheckEntries(entries []Entry) error {
	if len(entries) > MaxEntries {
		return fmt.Errorf("%w: %d at once", ErrEntry, len(entries))
	}
	for i := range entries {
		e := &entries[i]
		switch {
		case len(e.Kind) == 0 || len(e.Kind) > MaxEntryKind:
			return fmt.Errorf("%w: a kind of %d octets", ErrEntry, len(e.Kind))
		case len(e.Key) == 0 || len(e.Key) > MaxEntryKey:
			return fmt.Errorf("%w: %s: a key of %d octets", ErrEntry, e.Kind, len(e.Key))
		case len(e.Value) > MaxEntryValue:
			return fmt.Errorf("%w: %s: a value of %d octets", ErrEntry, e.Kind, len(e.Value))
		}
	}
	return nil
}

// Expired reports that the entry is gone at now.
func (e *Entry) Expired(now time.Time) bool { return !e.Expires.IsZero() && !now.Before(e.Expires) }

// EntryFilter selects entries of one kind.
type EntryFilter struct {
	Kind   string
	Prefix string   // of the keys
	Keys   []string // only these; nil = all
	After  string   // keys greater than this, for pages
	Limit  int      // zero = no limit
}

// Match reports whether f selects the entry. Limit is not looked at.
func (f *EntryFilter) Match(e *Entry) bool {
	return e.Kind == f.Kind && e.Key > f.After && strings.HasPrefix(e.Key, f.Prefix) &&
		(f.Keys == nil || slices.Contains(f.Keys, e.Key))
}

// CheckJobs is CheckEntries for those of jobs.
func CheckJobs(jobs []Job) error {
	for i := range jobs {
		if err := CheckEntries(jobs[i].Entries); err != nil {
			return err
		}
	}
	return nil
}
