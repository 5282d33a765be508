package migrate

import (
	"context"
	"io"

	"github.com/mailstead/mailstead/store"
)

// Target is where mail goes. It is a Source, too, which tells what is there:
// so every Target can be verified, and migrated from. Its methods may be called
// from several goroutines.
type Target interface {
	Source

	// Rules are those of its mailbox names.
	Rules() Rules

	// Put makes the mailbox m.Path, or sets the Role and the subscription of the one
	// that is there; a Role "" and a subscription false change nothing. Levels
	// above are made, too. It returns the mailbox as it is now. A new one takes
	// UIDValidity where the Target can. ErrName, ErrPermission, ErrQuota.
	Put(ctx context.Context, m Mailbox) (Mailbox, error)

	// Write prepares a mailbox that Put returned for writing.
	Write(ctx context.Context, m *Mailbox) (Writer, error)

	// Keeper keeps the state of migrations in the Target itself; nil = it cannot.
	Keeper() Keeper

	// Finish ends the last pass of a migration: an account that was only imported
	// into until then is opened for its user.
	Finish(ctx context.Context) error
}

// Rules say which names a Target takes. The zero value takes all.
type Rules struct {
	Forbidden string // characters that no level may contain, such as "/"
	Reserved  string // what no level may be, in any case; "" = anything may be
	NoDot     bool   // no level begins with a dot
	MaxLevel  int    // greatest length of a level in octets, as they are written; 0 = any
	MaxName   int    // greatest length of the levels and one octet between them; 0 = any
	MaxDepth  int    // how many levels there may be; 0 = any
	FoldCase  bool   // two names that differ in case alone are one

	// Length is the length of a level as it is written, in UTF-7 for instance; nil
	// = that of its UTF-8.
	Length func(level string) int

	// Role reports whether a mailbox can have this role; nil = any.
	Role func(role string) bool

	MaxMessage int64 // greatest size of a message; 0 = any

	// KeepsUIDs: an empty mailbox takes over the UIDVALIDITY that Put names.
	KeepsUIDs bool

	// AddsLineEnd: a message that does not end in a line end gets one.
	AddsLineEnd bool
}

// Writer adds to one mailbox. It is used by one goroutine.
//
// A batch is Add, any number of times, and then Commit, or Discard. Where Commit
// returns an error, or the process ends, the messages of the batch may be there or
// not, each whole or not at all; a Writer that says Atomic has all of them or none.
type Writer interface {
	// Reader sees what is there when List or Fetch is called. Message.ID of what
	// it lists is the ref of the message.
	Reader

	// Atomic reports whether a batch, with its notes, happens as a whole or not at
	// all, and durably.
	Atomic() bool

	// Add takes a message and reads its body to io.EOF. It returns a ref, which may
	// be a provisional one. After an error nothing of this message is added, and
	// the Writer is as it was before, unless the error is ErrWriter: then the whole
	// batch is void, and the Writer can only be closed.
	Add(ctx context.Context, m *Message, body io.Reader) (ref string, err error)

	// Commit makes the batch durable, and the notes with it where the Writer is
	// Atomic; else notes is empty. It returns one result for each Add, in their order. After
	// an error the Writer can only be closed, unless it is ErrQuota: then nothing
	// of the batch was done.
	Commit(ctx context.Context, notes []Note) ([]Placed, error)

	// Discard drops what was added since the last Commit.
	Discard()

	// Alter changes flags of messages and removes messages, and keeps the notes
	// with it where the Writer is Atomic. A ref that is not there any more is no error.
	Alter(ctx context.Context, changes []Alteration, notes []Note) error

	// Resolve turns provisional refs of a batch that was committed into those that
	// List has; "" = it is not there.
	Resolve(ctx context.Context, refs []string) ([]string, error)
}

// Placed is where a message of a batch came to lie.
type Placed struct {
	Ref string // as List has it; "" = not known
	Err error  // the Target has refused this message alone: ErrTooLarge, ErrQuota, ErrRefused

	Dropped []string // keywords that the Target cannot keep
}

// Alteration is a change of one message that is there.
type Alteration struct {
	Ref string

	Remove bool // the message; else its flags change

	// What the source has added and taken away since the last pass; other flags
	// stay.
	Add, Clear                 store.Flags
	AddKeywords, ClearKeywords []string
}
