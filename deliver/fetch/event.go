package fetch

import (
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// Event is something that happened at a source.
type Event struct {
	Kind   EventKind
	Source string
	Time   time.Time

	Item       Item               // of a message; zero where it is about the source
	Mail       string             // the id in the Received field and at the target; "" = it did not come so far
	Recipients []smtp.ForwardPath // who has it, or has it not
	Step       string             // Decision.Step
	Reason     string             // of quarantine, or that it is left
	Bytes      int64              // octets that were fetched
	Err        error              // why it did not work; for logs, not for strangers
}

// EventKind is what happened.
type EventKind uint8

// The kinds of events.
const (
	EventFetched     EventKind = iota // a message is where it belongs
	EventQuarantined                  // nobody gets it; it is in quarantine
	EventDeferred                     // it stays on the server, and is tried again
	EventSkipped                      // it stays on the server: too large
	EventRemoved                      // it is off the server, which has confirmed that
	EventReused                       // the server gave a known ID to another message
	EventPassed                       // a pass is over
	EventFailed                       // a pass ended with an error
)

// String returns the word for logs.
func (k EventKind) String() string {
	words := [...]string{"fetched", "quarantined", "deferred", "skipped", "removed", "reused", "passed", "failed"}
	if int(k) < len(words) {
		return words[k]
	}
	return "unknown"
}

// Status is how a source stands.
type Status struct {
	Source  string
	Phase   Phase
	Listed  int       // messages on the server in the latest listing
	Left    int       // of these, not fetched yet
	Last    time.Time // the end of the latest pass without an error; zero = none
	Next    time.Time // when it is its turn; zero = it has it, or waits for new mail
	Err     error     // of the latest pass; nil = none
	Failed  int       // passes that failed in a row
	Counts  Counts    // since the Collector began
	Changed time.Time
}

// Counts are messages, and octets.
type Counts struct {
	Fetched, Quarantined, Deferred, Skipped, Removed, Bytes int64
}

// Phase is what a source does.
type Phase uint8

// The phases of a source.
const (
	Waiting Phase = iota // for its time, or for a free connection
	Passing              // a pass is under way
	Idling               // it waits on the connection for new mail
	Stopped              // the Collector does not run
)

// String returns the word for people.
func (p Phase) String() string {
	words := [...]string{"waiting", "passing", "idling", "stopped"}
	if int(p) < len(words) {
		return words[p]
	}
	return "unknown"
}
