package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// Names in the directory of an Engine.
const (
	lockName  = "lock"
	dbName    = "mail.db"
	blobsName = "blobs"
)

// Engine is an open data directory. All methods may be called from any number
// of goroutines.
type Engine struct {
	lock  io.Closer
	db    *sqldb.DB
	blobs *segment.Store
	store *sqlstore.Store

	close func() error
}

// Open opens the data directory dir, and makes what is missing. It owns the
// directory until Close: store.ErrInUse names the process that owns it now.
// store.ErrVersion: a newer version of the program wrote here; store.ErrCorrupt:
// something is damaged or missing; store.ErrNetworkFS: dir lies on a network
// file system. The text says what to do. ctx bounds Open only.
func Open(ctx context.Context, dir string, o Options) (*Engine, error) {
	o.setDefaults()
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	if err := checkFileSystem(dir, &o); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	e := &Engine{lock: lock}
	e.close = sync.OnceValue(e.closeAll)
	if err := e.open(ctx, dir, &o); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: open %s: %w", dir, err), e.close())
	}
	return e, nil
}

// open brings up the layers from below. The database comes first: bodies
// without a database are a sign of loss, see checkPresent.
func (e *Engine) open(ctx context.Context, dir string, o *Options) (err error) {
	if err := checkPresent(dir); err != nil {
		return err
	}
	if e.db, err = openDB(ctx, filepath.Join(dir, dbName), o); err != nil {
		return err
	}
	if err := checkBlobs(ctx, e.db, dir); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	if e.blobs, err = segment.Open(ctx, filepath.Join(dir, blobsName), o.Blobs); err != nil {
		return known(err)
	}
	bodies := blob.Blobs(e.blobs)
	if o.Wrap != nil {
		if bodies, err = o.Wrap(bodies); err != nil {
			return err
		}
	}
	o.Store.OneOwner = true
	if e.store, err = sqlstore.New(ctx, e.db, bodies, o.Store); err != nil {
		return known(err)
	}
	return syncDir(dir)
}

// checkPresent refuses bodies without a database: an empty one in its place
// would give out UIDs again, and the collector would free every body.
func checkPresent(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, dbName)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, blobsName)); err == nil {
		return fmt.Errorf("%w: %s is missing although there are bodies in %s; restore it from a backup, or move %s away to start empty",
			store.ErrCorrupt, dbName, blobsName, blobsName)
	}
	return nil
}

// checkBlobs refuses messages without bodies: a new segment store would give
// out the same Refs for other bodies.
func checkBlobs(ctx context.Context, db *sqldb.DB, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, blobsName)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	_, has, err := sqldb.One(ctx, db, sqldb.Int64, `SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'fact'`)
	if err != nil || !has {
		return err
	}
	_, has, err = sqldb.One(ctx, db, sqldb.Int64, `SELECT 1 FROM fact LIMIT 1`)
	if err == nil && has {
		err = fmt.Errorf("%w: %s is missing although %s refers to bodies in it; restore it from a backup",
			store.ErrCorrupt, blobsName, dbName)
	}
	return err
}

// known adds the store's sentinels.
func known(err error) error {
	for _, k := range [...]struct{ below, ours error }{
		{blob.ErrInUse, store.ErrInUse},
		{blob.ErrVersion, store.ErrVersion},
		{blob.ErrCorrupt, store.ErrCorrupt},
		{sqldb.ErrVersion, store.ErrVersion},
		{sqldb.ErrCorrupt, store.ErrCorrupt},
	} {
		if errors.Is(err, k.below) && !errors.Is(err, k.ours) {
			return fmt.Errorf("%w: %w", k.ours, err)
		}
	}
	return err
}

// Store is the message store.
func (e *Engine) Store() *sqlstore.Store { return e.store }

// Blobs is where the bodies lie, as they are stored; a queue may share
// Store().Blobs(), which is the same without Options.Wrap.
func (e *Engine) Blobs() *segment.Store { return e.blobs }

// DB is the database; a queue may keep its tables in it.
func (e *Engine) DB() *sqldb.DB { return e.db }

// Close ends the Store, then the database and the bodies, and releases the
// directory. Who shares DB or Blobs ends before. A second Close does nothing.
func (e *Engine) Close() error { return e.close() }

func (e *Engine) closeAll() error {
	var errs []error
	if e.store != nil {
		errs = append(errs, e.store.Close())
	}
	if e.db != nil {
		errs = append(errs, e.db.Close())
	}
	if e.blobs != nil {
		errs = append(errs, e.blobs.Close())
	}
	return errors.Join(append(errs, e.lock.Close())...)
}
