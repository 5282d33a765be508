package migrate

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/mailstead/mailstead/store"
)

// Source is where mail comes from: an account of a server, a store, a tree of
// files. Its methods may be called from several goroutines. Errors follow
// errors.go: an error that is none of them may pass, and is tried again.
type Source interface {
	// Name names the account for ever, "imap://ann@host/" for instance, without
	// secrets: what a migration remembers is filed under it.
	Name() string

	// Mailboxes lists all mailboxes, in any order.
	Mailboxes(ctx context.Context) ([]Mailbox, error)

	// Open prepares one of them for reading. ErrNoMailbox, ErrPermission.
	Open(ctx context.Context, m *Mailbox) (Reader, error)

	// MaxOpen is how many mailboxes may be open at a time; zero = any number.
	MaxOpen() int

	// Close ends the connections. No Reader is open then.
	Close() error
}

// Mailbox is one mailbox of a Source or a Target.
type Mailbox struct {
	// Path has the levels of the name in UTF-8, as the other side has them: they
	// may hold anything. INBOX is a first level that spells so in any case.
	Path []string

	// Key is the Source's own name for it, as it stands on the wire or the disk.
	// It is unique in the Source and the same at every run; "" = Path joined.
	Key string

	Role       string // special use (RFC 6154), "\Sent" and so on; "" = not known
	Subscribed bool
	NoSelect   bool // holds no messages

	// Validity names the meaning of the IDs: those of messages hold as long as it
	// is the same. For IMAP it is the UIDVALIDITY in decimal. "" = it never changes.
	Validity string

	// UIDValidity and UIDNext are those of a source that has UIDs; zero = none.
	UIDValidity store.UIDValidity
	UIDNext     store.UID

	// State is a token that differs whenever anything in the mailbox has changed;
	// "" = there is none. A mailbox whose State is that of the last whole pass is
	// not read again.
	State string

	Messages int64 // how many there are; -1 = not known
	Bytes    int64 // octets of them all; -1 = not known

	// Hint is the Source's own; the engine hands it back.
	Hint any
}

// Reader reads one mailbox. It is used by one goroutine.
type Reader interface {
	// List yields the messages in ascending order of ID, octet by octet, each ID
	// once, without bodies. With prints it also fills Message.Print. Memory does
	// not grow with bodies; a *Message and its slices are the receiver's own.
	List(ctx context.Context, prints bool) iter.Seq2[*Message, error]

	// Fetch yields the bodies of messages that List has yielded, in the order of
	// ms. A Body is read before the next one is asked for, or left. What cannot be
	// read of one message is Body.Err; an error of the second value ends the
	// sequence.
	Fetch(ctx context.Context, ms []*Message) iter.Seq2[*Body, error]

	// Close ends the reading.
	Close() error
}

// Message is what is known of a message without its body.
type Message struct {
	// ID names the message in its mailbox, under one Validity, for ever. IDs are
	// compared octet by octet; UIDs are written by UIDString, so that their order
	// is that of the numbers. 1..255 octets.
	ID string

	UID      store.UID // zero = none
	Flags    store.Flags
	Keywords []string  // as the source has them
	Received time.Time // INTERNALDATE; zero = not known
	Size     int64     // RFC822.SIZE; -1 = not known
	Print    Print     // see Print; zero = was not asked for

	// EmailID and Saved are those of a store; zero = none.
	EmailID store.EmailID
	Saved   time.Time

	// Hint is the Reader's own; the engine hands it back.
	Hint any
}

// Body is one message that Fetch yields.
type Body struct {
	ID string

	// Reader yields the octets until io.EOF, which stands for a whole message: one
	// that was cut off ends with another error.
	io.Reader

	// Err, when not nil, says why there is none: ErrGone, ErrBroken, or another.
	Err error
}

// UIDString is a UID as an ID.
func UIDString(uid store.UID) string {
	var b [10]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = '0' + byte(uid%10)
		uid /= 10
	}
	return string(b[:])
}
