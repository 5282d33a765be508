package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// Engine is one node on a database. All methods may be called from any number
// of goroutines.
type Engine struct {
	db    *sqldb.DB
	bus   *bus // nil = none
	blobs blob.Blobs
	own   io.Closer // blobs, where it is closed with the Engine; nil = it is not
	store *sqlstore.Store

	close func() error
}

// Open connects to the database that dsn names, a URL (postgres://...) or the
// keywords of libpq, and makes its tables or brings them to this version. Any
// number of nodes may have it open. ErrVersion: a newer version of the program
// wrote there. ErrTemporary: the server cannot be reached, or is starting. A
// server that does not keep what it acknowledges is refused with
// [ErrNotDurable]. ctx bounds Open only.
func Open(ctx context.Context, dsn string, o Options) (*Engine, error) {
	o.setDefaults()
	if o.Blobs == nil && o.OpenBlobs == nil {
		return nil, errors.New("postgres: Options.Blobs or OpenBlobs is required")
	}
	config, err := parse(dsn)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	e := &Engine{blobs: o.Blobs}
	e.close = sync.OnceValue(e.closeAll)
	if err := e.open(ctx, config, &o); err != nil {
		return nil, errors.Join(fmt.Errorf("postgres: open %s/%s: %w", config.Host, config.Database, known(err)), e.close())
	}
	return e, nil
}

func (e *Engine) open(ctx context.Context, config *pgx.ConnConfig, o *Options) (err error) {
	if e.db, err = openDB(config, o); err != nil {
		return err
	}
	if err := check(ctx, e.db, o); err != nil {
		return err
	}
	if !o.NoListen && o.Store.Bus == nil && !o.Store.OneOwner {
		e.bus = startBus(config, o.Logger)
		o.Store.Bus = e.bus
	}
	if o.OpenBlobs != nil {
		if e.blobs, err = o.OpenBlobs(ctx, e.db); err != nil {
			return fmt.Errorf("bodies: %w", err)
		}
		e.own, _ = e.blobs.(io.Closer)
	}
	e.store, err = sqlstore.New(ctx, e.db, e.blobs, o.Store)
	return err
}

// known adds the store's sentinels.
func known(err error) error {
	for _, k := range [...]struct{ below, ours error }{
		{sqldb.ErrVersion, store.ErrVersion},
		{sqldb.ErrCorrupt, store.ErrCorrupt},
		{sqldb.ErrSystemic, store.ErrTemporary},
	} {
		if errors.Is(err, k.below) && !errors.Is(err, k.ours) {
			return fmt.Errorf("%w: %w", k.ours, err)
		}
	}
	return err
}

// Store is the message store.
func (e *Engine) Store() *sqlstore.Store { return e.store }

// Blobs is where the bodies lie.
func (e *Engine) Blobs() blob.Blobs { return e.blobs }

// DB is the database; a queue may keep its tables in it.
func (e *Engine) DB() *sqldb.DB { return e.db }

// Close ends the Store and the connections. Who shares DB ends before. A second
// Close does nothing.
func (e *Engine) Close() error { return e.close() }

func (e *Engine) closeAll() error {
	var errs []error
	if e.store != nil {
		errs = append(errs, e.store.Close())
	}
	if e.own != nil {
		errs = append(errs, e.own.Close())
	}
	if e.bus != nil {
		e.bus.close()
	}
	if e.db != nil {
		errs = append(errs, e.db.Close())
	}
	return errors.Join(errs...)
}
