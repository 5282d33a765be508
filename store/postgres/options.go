package postgres

import (
	"context"
	"log/slog"
	"time"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// Options of an Engine. Blobs or OpenBlobs is required; the zero value of the
// rest is the recommended one.
type Options struct {
	// Blobs is where the bodies lie, at every node the same ones. It stays
	// open when the Engine is closed.
	Blobs blob.Blobs

	// OpenBlobs is for Blobs that keep their catalogue in the same database:
	// package sqlblob, with which nodes share bodies without a race. It is
	// called when the database is open; what it returns is the Engine's, and
	// closed with it where it has a Close. Blobs is ignored then.
	OpenBlobs func(context.Context, *sqldb.DB) (blob.Blobs, error)

	// Readers bounds the connections for reading. Zero = 16.
	Readers int

	// Committers is how many connections write at once; each account has one
	// of them. Zero = 4.
	Committers int

	// OneAccount: a transaction changes one account only, as databases that
	// spread accounts over machines want it.
	OneAccount bool

	// NoListen: other nodes' changes are found by asking every
	// Store.PollEvery, for databases without LISTEN.
	NoListen bool

	// LockTimeout is how long a batch waits for a lock that another node
	// holds, before it fails with ErrTemporary. Zero = 30 s.
	LockTimeout time.Duration

	// Unsafe opens a server that does not keep what it acknowledges
	// (synchronous_commit or fsync is off). For tests only.
	Unsafe bool

	// Store are the options of the layer above. Its OneOwner says that this
	// process alone works on the database; its Bus is the Engine's where it is
	// nil and NoListen is not set.
	Store sqlstore.Options

	// Logger is used by all layers that have none of their own; nil =
	// slog.Default().
	Logger *slog.Logger
}

func (o *Options) setDefaults() {
	if o.Readers <= 0 {
		o.Readers = 16
	}
	if o.Committers <= 0 {
		o.Committers = 4
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Store.Logger == nil {
		o.Store.Logger = o.Logger
	}
}
