package sqlblob

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/sqldb"
)

// MaxThreshold is the greatest Options.Threshold.
const MaxThreshold = 1 << 20

// Options of a Blobs. The zero value is the recommended one.
type Options struct {
	// Threshold is the size in octets up to which a body lies in the
	// database. Zero = 64 KiB, negative = none does; at most MaxThreshold.
	Threshold int64

	// WritingFor is how long a body may be on its way to the object store; what
	// is older is given up, and its Commit fails. Zero = 24 hours.
	WritingFor time.Duration

	// GoneFor is how long an object outlives its blob, for nodes that have it
	// open. Zero = 1 hour, negative = not at all.
	GoneFor time.Duration

	// SweepEvery is the time between two looks for what can be removed from
	// the object store. Zero = 10 minutes, negative = never: Sweep has to be
	// called.
	SweepEvery time.Duration

	// Spool is about bodies that are being written.
	Spool objects.Options

	// Now is the clock; nil = time.Now. Clocks of nodes may differ by minutes.
	Now func() time.Time

	// Logger gets what no caller can be told; nil = slog.Default().
	Logger *slog.Logger
}

func (o *Options) setDefaults() {
	if o.Threshold == 0 {
		o.Threshold = 64 << 10
	}
	o.Threshold = min(max(o.Threshold, -1), MaxThreshold)
	if o.WritingFor <= 0 {
		o.WritingFor = 24 * time.Hour
	}
	if o.GoneFor == 0 {
		o.GoneFor = time.Hour
	}
	o.GoneFor = max(o.GoneFor, 0)
	if o.SweepEvery == 0 {
		o.SweepEvery = 10 * time.Minute
	}
	// What lies in the database need not go through a file.
	o.Spool.Memory = max(o.Spool.Memory, int(o.Threshold), 256<<10)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// Blobs is a blob.Blobs with its catalogue in a database. All methods may be
// called from any number of goroutines, and any number of nodes may have one on
// the same tables and objects. Make one with New.
type Blobs struct {
	db     *sqldb.DB
	store  objects.Store
	spools *objects.Spools
	opts   Options
	log    *slog.Logger

	stop  context.CancelFunc // ends the sweeper
	swept sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	open     map[blob.Ref]int // objects that this process has open
	batches  map[*sqldb.Tx]*batch
	sweeping bool
}

var (
	_ blob.Blobs                = (*Blobs)(nil)
	_ blob.Stater               = (*Blobs)(nil)
	_ blob.Condemner            = (*Blobs)(nil)
	_ blob.Adopter[*sqldb.Tx]   = (*Blobs)(nil)
	_ interface{ As(any) bool } = (*Blobs)(nil)
)

// New returns the Blobs whose catalogue lies in db and whose larger bodies lie
// in store; it makes the table, or brings it to this version, and starts the
// sweeper. Nothing but Blobs on this table may use the keys of store. Close
// ends the Blobs and leaves db and store open. sqldb.ErrVersion: the table is of a
// newer version.
func New(ctx context.Context, db *sqldb.DB, store objects.Store, o Options) (*Blobs, error) {
	o.setDefaults()
	if db == nil || store == nil {
		return nil, errors.New("sqlblob: a database and an object store are required")
	}
	if err := db.Migrate(ctx, component, schema()); err != nil {
		return nil, fmt.Errorf("sqlblob: %w", err)
	}
	b := &Blobs{
		db: db, store: store, spools: objects.NewSpools(o.Spool), opts: o, log: o.Logger,
		open: make(map[blob.Ref]int), batches: make(map[*sqldb.Tx]*batch),
	}
	ctx, b.stop = context.WithCancel(context.WithoutCancel(ctx))
	if o.SweepEvery > 0 {
		b.swept.Go(func() { b.sweeper(ctx) })
	}
	return b, nil
}

// Close ends the sweeper and refuses what comes later with blob.ErrClosed. Open
// blobs stay readable. A second Close does nothing.
func (b *Blobs) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.stop()
	b.swept.Wait()
	return nil
}

// As says which capabilities are there. Adopter is for two kinds of
// transactions.
func (b *Blobs) As(target any) bool {
	switch t := target.(type) {
	case *blob.Adopter[sqldb.Execer]:
		*t = execAdopter{b}
	case *blob.Adopter[*sqldb.Tx]:
		*t = b
	case *blob.Condemner:
		*t = b
	case *blob.Stater:
		*t = b
	case **Blobs:
		*t = b
	default:
		return false
	}
	return true
}

// ready refuses work when ctx has ended or b is closed.
func (b *Blobs) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return blob.ErrClosed
	}
	return nil
}

// valid reports whether a Ref can be one of ours.
func valid(ref blob.Ref) bool { return objects.ValidID(string(ref)) }

// key is the object of a blob. The part in front spreads the keys, for stores
// that keep them in directories.
func key(ref blob.Ref) string { return string(ref[len(ref)-4:len(ref)-2]) + "/" + string(ref) }

// commit hands a Work to the committer. Blobs have no order among each other,
// so that one takes turns with another.
func (b *Blobs) commit(ctx context.Context, ref blob.Ref, do func(*sqldb.Tx) error) error {
	return b.db.Commit(ctx, sqldb.Work{Key: "blob/" + string(ref[len(ref)-4:len(ref)-2]), Do: do})
}
