package watch

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapclient/mirror"
	"github.com/mailstead/mailstead/imap/imapclient/quirk"
)

// Kind says what an Event is.
type Kind uint8

// The kinds. The first four are those of mirror.Change.
const (
	// Reset: the UIDs of the mailbox have begun anew; what it holds is told as New.
	Reset Kind = iota + 1
	New
	FlagsChanged
	Gone

	// InStep: all that was known to have changed has been told, the state is
	// saved, and the Watcher begins to wait.
	InStep
)

// String is the name of the kind.
func (k Kind) String() string {
	return [...]string{"unknown", "reset", "new", "flags", "gone", "in step"}[k]
}

// Event is a change of a mailbox.
type Event struct {
	Kind        Kind
	Mailbox     string
	UIDValidity imap.UIDValidity
	UID         imap.UID     // 0 in Reset and InStep
	Flags       mirror.Flags // of New and FlagsChanged

	// Client has the mailbox selected, and may be used during the turn of the loop
	// (W2), to fetch the message for one. It must not select another mailbox or
	// be closed.
	Client *imapclient.Client
}

// Watcher watches mailboxes of one account. Dialer and Addr, or Connect, must be
// set; all else has usable zero values. It must not be changed while Events runs, and one Events runs
// at a time.
type Watcher struct {
	// Dialer makes connections to Addr ("host:port"), logged in.
	Dialer *imapclient.Dialer
	Addr   string

	// Connect, when it is set, makes them in place of both.
	Connect func(ctx context.Context) (*imapclient.Client, error)

	// Mailboxes are watched; nil = INBOX. News of the first one come soonest.
	Mailboxes []string

	// ReadWrite selects mailboxes so that Event.Client can change flags.
	ReadWrite bool

	// Existing tells the messages that are there at the first look as New; else
	// they are taken for known.
	Existing bool

	// Load gives the state of a mailbox that Save was given; nil, or a nil State:
	// none. Save is called when all events up to it have been looked at.
	Load func(ctx context.Context, mailbox string) (*mirror.State, error)
	Save func(ctx context.Context, mailbox string, st *mirror.State) error

	// Quirks are added to those that the server is known for; Facts is what to
	// find them by (quirk.Of) beside what the Client tells.
	Quirks quirk.Effects
	Facts  quirk.Facts

	IdleMax  time.Duration // 0 = 9 min, at most 29; shorter ones find dead connections sooner
	Poll     time.Duration // where there is no IDLE, and for other mailboxes; 0 = 2 min
	Resync   time.Duration // looks unasked; 0 = 30 min
	Interval time.Duration // between two looks at a mailbox; 0 = 1 s

	// Backoff is how long a first failure is waited for, and the most; doubled
	// each time, a fifth more or less. 0 = 1 s and 5 min, AuthBackoff 1 min and 1 h.
	Backoff, MaxBackoff         time.Duration
	AuthBackoff, MaxAuthBackoff time.Duration
}

// Events yields what happens, until ctx ends or the loop is left. An error tells
// that something failed and is tried again later: a connection, or one mailbox.
// Those who do not want to go on leave the loop.
func (w *Watcher) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		r := newRunner(w, yield)
		for !r.stopped && ctx.Err() == nil {
			err := r.session(ctx)
			if r.stopped || ctx.Err() != nil {
				return
			}
			if err != nil && !r.tell(Event{}, err) {
				return
			}
			r.pause(ctx, r.backoff.after(err))
		}
	}
}

// errStopped ends a session whose loop was left.
var errStopped = errors.New("watch: loop was left")

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}
