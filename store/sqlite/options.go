package sqlite

import (
	"log/slog"
	"time"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// Options of an Engine. The zero value is the recommended one.
type Options struct {
	// Readers bounds the reads of the database that run at once. Zero = 8.
	Readers int

	// CacheBytes is the page cache of the connection that writes; readers
	// have an eighth of it each. Zero = 64 MiB.
	CacheBytes int64

	// BusyTimeout is how long a statement waits for another process that
	// looks at the database, such as the sqlite3 shell. Zero = 10 s.
	BusyTimeout time.Duration

	// Synchronous is how SQLite syncs. Zero = Full, the only value for mail.
	Synchronous Synchronous

	// AllowNetworkFS opens a directory on a network file system too. Its
	// locks and its syncs are then what the file server makes of them: mail
	// that was acknowledged may be lost.
	AllowNetworkFS bool

	// Store and Blobs are the options of the layers.
	Store sqlstore.Options
	Blobs segment.Options

	// Wrap stands between the store and the bodies: compression, encryption.
	// What it returns is Store.Blobs(), which a queue that shares the bodies
	// has to use, too. nil = none.
	Wrap func(blob.Blobs) (blob.Blobs, error)

	// Logger is used by all layers that have none of their own; nil =
	// slog.Default().
	Logger *slog.Logger

	// fileSystem names the file system of a directory; tests replace it.
	fileSystem func(dir string) string
}

// Synchronous is SQLite's setting of that name.
type Synchronous uint8

const (
	// Full syncs every commit before it is acknowledged.
	Full Synchronous = iota
	// UnsafeNormal syncs at checkpoints only: a power cut loses what was
	// acknowledged since. It exists so that the crash test can prove that it
	// would notice; never use it for mail.
	UnsafeNormal
)

func (s Synchronous) pragma() int {
	if s == UnsafeNormal {
		return 1
	}
	return 2
}

func (o *Options) setDefaults() {
	if o.fileSystem == nil {
		o.fileSystem = fileSystemOf
	}
	if o.Readers <= 0 {
		o.Readers = 8
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 64 << 20
	}
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Store.Logger == nil {
		o.Store.Logger = o.Logger
	}
	if o.Blobs.Logger == nil {
		o.Blobs.Logger = o.Logger
	}
}
