package fetch

import (
	"context"
	"iter"
	"time"
)

// State remembers what was fetched: what makes a connector neither lose nor
// double. EntryState keeps it in an account of a store, QueueState beside a
// queue. Any number of goroutines may use it, each Source by one at a time.
type State interface {
	// Records yields all records of a source, in any order.
	Records(ctx context.Context, source string) iter.Seq2[Record, error]

	// Put writes records, those of the same Key in place of what was; durable, all
	// or none, when it returns. At most MaxPut.
	Put(ctx context.Context, source string, records ...Record) error

	// Remove takes records away, all or none; unknown ones are none.
	Remove(ctx context.Context, source string, keys ...Key) error
}

// MaxPut is how many records one call of State.Put or Remove takes.
const MaxPut = 500

// Record is what is remembered of one message on the server, or of a folder.
type Record struct {
	Key

	// Print is the fingerprint of the header, by which a message is known
	// when its ID is not (see Item.Generation), and a reused ID is noticed.
	Print Print

	// Size is what the server said of it; of a KindCopy the number of copies.
	Size int64

	// Fetched is when all recipients had it; zero = some have not yet.
	Fetched time.Time

	// Done are the addresses that have it: while others have not, or of a
	// KindCopy. Sorted.
	Done []string

	// Missing is since when the server does not list it; zero = it does.
	Missing time.Time

	// Generation is that of the folder, in a record of one.
	Generation string

	// Elsewhere says that another program has fetched it (MarkElsewhere): nobody
	// here has it.
	Elsewhere bool
}

// Key names a Record of a source.
type Key struct {
	Kind Kind

	// ID is that of the Item, or one of header and size; at most maxID octets: a
	// longer one is remembered by its hash.
	ID string
}

// Kind is what a Record is about.
type Kind uint8

// The kinds of records.
const (
	KindMessage   Kind = iota // a message that was fetched, or in part
	KindFolder                // a folder; its Generation
	KindCopy                  // a message that is in several copies on the server; who has it
	KindSkipped               // a message that is not fetched: too large
	KindElsewhere             // a mark of MarkElsewhere, until the message is listed
	KindLoose                 // the same, of one with Loose
)

// Print is a fingerprint of a message.
type Print [16]byte
