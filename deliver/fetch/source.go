package fetch

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// Source is one remote mailbox that a Collector empties, or copies. Name, Open,
// Recipients and Target are required. The fields do not change while the
// Collector runs.
type Source struct {
	// Name tells sources apart in the State, for ever: who changes it fetches
	// everything again. 1 to MaxName octets, no control characters.
	Name string

	// Host is the server, for the limit of connections to it; "" = Name.
	Host string

	// Open connects and logs in. It gives up when ctx ends. An error with ErrAuth
	// in its chain backs off slowly, so that no account is locked out.
	Open func(ctx context.Context) (Session, error)

	// Recipients says who gets a message.
	Recipients Recipients

	// Target takes the messages. One that does nothing for a Mail.Once that it
	// knows (deliver.LocalDelivery, a queue) gets each message once, whatever is
	// interrupted; any other may get what was in flight a second time (RFC 1047).
	Target smtp.Receiver

	// Keep is what stays on the server; zero = nothing.
	Keep Keep

	// Every is the time from the end of one pass to the next; zero = 5 min.
	// Jitter of a tenth is added, so that sources spread.
	Every time.Duration

	// Idle waits for new mail on the open connection where the server can, and
	// comes back at Every at the latest.
	Idle bool

	// MaxSize is the octets of the greatest message that is fetched; a greater
	// one stays, and is reported. Zero = 100 MiB, negative = no limit.
	MaxSize int64

	// MaxMessages bounds what one pass fetches, so that a source with a long
	// backlog takes turns with others; zero = 1,000, negative = no limit.
	MaxMessages int
}

// MaxName is the most octets of Source.Name.
const MaxName = 128

// Session is one login at a remote mailbox. Its methods are called by one
// goroutine at a time. Every one gives up when ctx ends, and keeps a deadline for
// each reply of the server by itself.
type Session interface {
	// List yields what is in the mailbox, in the server's order. An error ends
	// it; then nothing is known about what is missing.
	List(ctx context.Context) iter.Seq2[Item, error]

	// Retrieve returns the message as it was sent, with CRLF line ends. A body
	// that is cut off ends with io.ErrUnexpectedEOF, never with io.EOF. Closing it
	// early gives the rest up, with the connection if need be. ErrGone: it is not
	// there any more.
	Retrieve(ctx context.Context, it *Item) (io.ReadCloser, error)

	// Head returns the header block of the message, up to and without the empty
	// line, or its beginning where it has more than MaxHead. It changes nothing.
	Head(ctx context.Context, it *Item) ([]byte, error)

	// Delete marks messages; only Commit makes that good. It touches no others.
	Delete(ctx context.Context, items []Item) error

	// Commit carries out what was marked, so that the server has confirmed it:
	// POP3's QUIT, UID EXPUNGE. After an error what was marked is in doubt. A
	// session that is over then (POP3) returns ErrUnsupported from Wait.
	Commit(ctx context.Context) error

	// Wait returns when there may be new mail, or d is over. ErrUnsupported of
	// package errors: the server cannot tell; the session is closed then and
	// another one opened later.
	Wait(ctx context.Context, d time.Duration) error

	// Close drops the connection without Commit.
	Close() error
}

// Quota is optional for a Session: how full the mailbox is.
type Quota interface {
	// Quota returns the octets in use and the limit; errors.ErrUnsupported: the
	// server does not say.
	Quota(ctx context.Context) (used, limit int64, err error)
}

// Expecter is optional for a Session: it hears what is coming, and may ask the
// server for it early.
type Expecter interface {
	// Expect says which messages Retrieve is called for next, in this order. It
	// is a promise of nothing: Retrieve may be called for others, and other methods
	// in between, which give up what was asked for. It takes the place of what was
	// said before, and asks for nothing by itself. The Session may keep next, and
	// does not change it.
	Expect(next []Item)
}

// Item is one message on the server.
type Item struct {
	// ID is unique in the Source for ever, as far as the server can be trusted:
	// the UIDL, or folder, UIDVALIDITY and UID. "" = the server has none, or gave
	// it to two messages; then the Collector makes one of header and size.
	ID string

	// Generation changes when IDs lose their meaning (the folder and its
	// UIDVALIDITY). Messages of a generation that is not the last one known are
	// compared with those that were fetched, by their headers. "" = never.
	Folder     string
	Generation string

	// Size is what the server says; a guess. -1 = it does not say.
	Size int64

	Seen     bool      // has \Seen; false where the server does not know
	Received time.Time // INTERNALDATE; zero = unknown

	// Handle is the session's own: a message number, a UID.
	Handle uint64
}

// Errors of a Session; tested with errors.Is.
var (
	// ErrAuth: the server does not accept the credentials.
	ErrAuth = errors.New("fetch: login refused")

	// ErrBusy: somebody else has the mailbox ([IN-USE], [LOGIN-DELAY]); nothing
	// is wrong with it.
	ErrBusy = errors.New("fetch: mailbox in use")

	// ErrGone: the message is not there any more.
	ErrGone = errors.New("fetch: no such message")
)

// Keep says what stays on the server when it was fetched. The zero value keeps
// nothing. A message leaves when Always is not set and each of the other
// conditions that are set lets it go; MaxSize and MaxPercent let it go all the
// same.
type Keep struct {
	// Always keeps everything.
	Always bool

	// For keeps a message for this long after it was fetched.
	For time.Duration

	// UntilSeen keeps a message until somebody has read it on the server.
	UntilSeen bool

	// MaxSize lets greater messages go at once; zero = no limit.
	MaxSize int64

	// MaxBytes lets the oldest go while the mailbox holds more octets in all, and
	// MaxPercent while it is fuller than that of its quota, where the server
	// says. Zero = no limit.
	MaxBytes   int64
	MaxPercent int

	// Elsewhere lets go, by the same rules, also what another program has fetched
	// (MarkElsewhere). Unset, those messages stay: nobody here has them.
	Elsewhere bool
}

// Recipients says who gets a message. Any number of goroutines may use it.
type Recipients interface {
	// Resolve is asked once for each attempt at a message. An error defers the
	// message; it stays on the server.
	Resolve(ctx context.Context, m *Message) (Decision, error)
}

// RecipientsFunc is a function that is a Recipients.
type RecipientsFunc func(ctx context.Context, m *Message) (Decision, error)

// Resolve implements Recipients.
func (f RecipientsFunc) Resolve(ctx context.Context, m *Message) (Decision, error) { return f(ctx, m) }

// To is the Recipients of a personal mailbox.
func To(p smtp.ForwardPath) Recipients {
	return RecipientsFunc(func(context.Context, *Message) (Decision, error) {
		return Decision{Recipients: []smtp.ForwardPath{p}, Step: "fixed"}, nil
	})
}

// Message is a message that was fetched, and is on stable storage here.
type Message struct {
	Source string // its name
	Item   Item
	Header []byte // the header block without the empty line, at most MaxHead of it
	Size   int64  // its octets
}

// Decision is who gets a message.
type Decision struct {
	Recipients []smtp.ForwardPath // without doubles

	// Quarantine is why nobody gets it; it has a meaning where Recipients is
	// empty. "" = no recipient was found.
	Quarantine string

	// Step names the rule that decided, for the log: "delivered-to", "rule
	// sales", "default".
	Step string

	// Guessed says that the recipients come from fields that all copies of a
	// message share (To, Cc), not from its envelope: where the server has one copy
	// for each of them, each recipient gets one of the copies.
	Guessed bool
}
