package mirror

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapclient/quirk"
)

// ErrTooLarge is returned for a mailbox that does not fit into the limits of
// Options.
var ErrTooLarge = errors.New("mirror: mailbox is larger than is allowed")

// Rung is a way to find changes.
type Rung uint8

// The rungs, from the cheapest.
const (
	QResync    Rung = iota // RFC 7162 §3.2
	CondStore              // RFC 7162 §3.1, and a difference of UIDs
	Difference             // all UIDs and flags
)

// String is the name of the rung.
func (r Rung) String() string { return [...]string{"QRESYNC", "CONDSTORE", "difference"}[r] }

// Kind says what a Change is.
type Kind uint8

// The kinds.
const (
	// Reset: all UIDs that were known mean nothing any more. What the mailbox
	// holds is told as New behind it.
	Reset Kind = iota + 1
	New
	FlagsChanged
	Gone
)

// String is the name of the kind.
func (k Kind) String() string {
	return [...]string{"unknown", "reset", "new", "flags", "gone"}[k]
}

// Change is one difference between the picture and the mailbox.
type Change struct {
	Kind        Kind
	UIDValidity imap.UIDValidity
	UID         imap.UID // 0 in a Reset
	Flags       Flags    // of New and FlagsChanged
}

// Options of Sync. The zero value is usable.
type Options struct {
	// ReadWrite selects the mailbox so that it can be changed (SELECT, not
	// EXAMINE).
	ReadWrite bool

	// Highest is the highest rung that is used; zero = QResync.
	Highest Rung

	// Full compares everything, whatever the server says has changed.
	Full bool

	// SkipFlags leaves the flags of known messages as they are where only the last
	// rung could compare them: for those who want to know what is there.
	SkipFlags bool

	// Quirks are those of the server (quirk.Of).
	Quirks quirk.Effects

	// Changed is told each change, before the State has it. An error ends Sync
	// and is returned by it; the change it was returned for will be told again. It must
	// not use the Client or the State. nil = nobody looks.
	Changed func(Change) error

	// Checkpoint is called when the State may be saved: behind each batch of a
	// long Sync. An error ends Sync. nil = nothing.
	Checkpoint func() error

	// Batch is the number of messages between two checkpoints; 0 = 2000.
	Batch int

	// MaxMessages bounds a mailbox; 0 = 5,000,000, negative = no bound.
	MaxMessages int64

	// MaxFlagBytes bounds the different sets of flags of a mailbox; 0 = 16 MiB,
	// negative = no bound.
	MaxFlagBytes int64
}

func (o *Options) fill() {
	if o.Batch <= 0 {
		o.Batch = 2000
	}
	if o.MaxMessages == 0 {
		o.MaxMessages = 5_000_000
	}
	if o.MaxFlagBytes == 0 {
		o.MaxFlagBytes = 16 << 20
	}
}

// Result says what Sync did.
type Result struct {
	Rung     Rung // by which changes were found
	Compared bool // all UIDs were asked for, too
	Reset    bool // UIDVALIDITY had changed
	Again    bool // flags changed meanwhile, and the server did not say of which message

	New, Changed, Gone int64 // messages
}

// Sync selects a mailbox on c, logged in, and brings st in step with it. The
// mailbox stays selected. After an error st holds what was found up to then
// (M1), and the next Sync goes on from there.
//
// QRESYNC and CONDSTORE are enabled, if they were not, where the session allows
// it still: no mailbox is selected.
func Sync(ctx context.Context, c *imapclient.Client, mailbox string, st *State, o Options) (Result, error) {
	o.fill()
	s := &syncer{c: c, st: st, o: o, name: mailbox}
	err := s.run(ctx)
	if err != nil {
		err = fmt.Errorf("mirror: %s: %w", mailbox, err)
	}
	return s.res, err
}
