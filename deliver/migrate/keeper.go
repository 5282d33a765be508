package migrate

import (
	"context"
	"iter"
)

// Keeper keeps small values under keys, durably. It is used by one migration at
// a time, from several goroutines.
type Keeper interface {
	// Acquire takes the migration for this run, and returns what gives it back.
	// ErrBusy: another run has it.
	Acquire(ctx context.Context, job string) (release func() error, err error)

	// Load yields the values whose keys begin with prefix, in order of their keys,
	// octet by octet.
	Load(ctx context.Context, prefix string) iter.Seq2[Note, error]

	// Get returns one value; nil = there is none.
	Get(ctx context.Context, key string) ([]byte, error)

	// Save writes all notes; durable when it returns. After an error any of them
	// may be written, each whole or not at all.
	Save(ctx context.Context, notes []Note) error
}

// Note is a value under a key.
type Note struct {
	Key   string // 1..200 octets of A-Z, a-z, 0-9, "/", "-" and "."
	Value []byte // at most MaxNote octets; nil = remove
}

// MaxNote is the greatest length of a Note's value in octets.
const MaxNote = 60 << 10
