package sqlstore

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Options of a Store. The zero value is the recommended one.
type Options struct {
	// CachedAccounts bounds the accounts whose mailbox lists and counters are
	// kept in memory. Zero = 10,000.
	CachedAccounts int

	// KeepLog is how long the change log and its tombstones are kept at
	// least; a reader that was away longer gets ErrResync. Zero = 90 days,
	// negative = for ever.
	KeepLog time.Duration

	// KeepOnce is how long idempotency keys are remembered; at least 30
	// days. Zero = 31 days.
	KeepOnce time.Duration

	// CleanEvery is the time between two looks for what can be cleaned away;
	// deletions start one at once. Zero = 1 hour, negative = never.
	CleanEvery time.Duration

	// SnapshotFor is how long a Snapshot may stay open; it keeps the database
	// from using its log's space again. Zero = 1 hour, negative = without a
	// limit; then what was expunged more than 24 hours ago may have no content
	// any more.
	SnapshotFor time.Duration

	// OneOwner says that this process alone works on the database: what is in
	// memory is never compared with it, claims of \Recent are made in memory,
	// and maildrops that an earlier process left locked are free. A database
	// without row locks must have one owner. False = other nodes may work on
	// the same data, each with a Store of its own.
	OneOwner bool

	// PollEvery is how often a node with several owners asks the database what
	// other nodes did to the accounts that somebody waits for. Zero = 500 ms.
	PollEvery time.Duration

	// Bus tells nodes of each other's changes sooner; nil = they are found by
	// asking alone.
	Bus Bus

	// Index makes the accounts searchable by text; nil = they are not.
	Index Index

	// Logger gets what no caller can be told; nil = slog.Default().
	Logger *slog.Logger
}

func (o *Options) setDefaults() {
	if o.CachedAccounts <= 0 {
		o.CachedAccounts = 10_000
	}
	if o.KeepLog == 0 {
		o.KeepLog = 90 * 24 * time.Hour
	}
	if o.KeepOnce == 0 {
		o.KeepOnce = 31 * 24 * time.Hour
	}
	o.KeepOnce = max(o.KeepOnce, 30*24*time.Hour)
	if o.CleanEvery == 0 {
		o.CleanEvery = time.Hour
	}
	if o.PollEvery <= 0 {
		o.PollEvery = 500 * time.Millisecond
	}
	if o.SnapshotFor == 0 {
		o.SnapshotFor = time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// holdFor is how long an expunged message keeps its facts and so its blob.
const holdFor = 24 * time.Hour

// Store is a store.Store in a SQL database. All methods may be called from any
// number of goroutines. Make one with New.
type Store struct {
	db    *sqldb.DB
	blobs blob.Blobs
	opts  Options
	log   *slog.Logger

	wake    waiters
	watch   watcher
	cleaner cleaner
	metas   metas

	mu       sync.RWMutex
	accounts map[store.AccountID]*account // those in memory
}

var _ store.Store = (*Store)(nil)

// New returns the store whose tables lie in db and whose bodies lie in blobs;
// it makes the tables, or brings them to this version, and starts the
// cleaner. Close ends the Store and leaves db and blobs open.
// store.ErrVersion: the tables are of a newer version.
func New(ctx context.Context, db *sqldb.DB, blobs blob.Blobs, o Options) (*Store, error) {
	o.setDefaults()
	if err := db.Migrate(ctx, component, schema); err != nil {
		return nil, known(err)
	}
	if o.OneOwner {
		if err := freeMaildrops(ctx, db); err != nil {
			return nil, known(err)
		}
	}
	s := &Store{
		db: db, blobs: blobs, opts: o, log: o.Logger,
		accounts: make(map[store.AccountID]*account),
	}
	s.wake.init()
	s.watch.start(s)
	s.cleaner.start(s)
	s.metas.start(s)
	return s, nil
}

// Blobs implements store.Store.
func (s *Store) Blobs() blob.Blobs { return s.blobs }

// Close implements store.Store: what was handed over is done, Wait returns
// ErrClosed, the cleaner has ended, and claims of \Recent and offers of Meta are
// written.
func (s *Store) Close() error {
	if !s.wake.close() {
		return nil
	}
	s.watch.stop()
	s.cleaner.stop()
	s.metas.stop()
	if s.shared() {
		return nil
	}
	err := s.db.Commit(context.Background(), sqldb.Work{Key: "close", Do: s.flushRecent})
	if errors.Is(err, sqldb.ErrClosed) {
		err = nil
	}
	return known(err)
}

// Open implements store.Store.
func (s *Store) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.account(ctx, id)
	if err == nil {
		a, err = s.refresh(ctx, a)
	}
	if err != nil {
		return nil, fail("open", id, err)
	}
	h := &handle{store: s, id: id, num: a.num, q: s.db}
	if s.opts.Index != nil {
		return indexed{h}, nil
	}
	return h, nil
}

// Accounts implements store.Store.
func (s *Store) Accounts(ctx context.Context, after store.AccountID) iter.Seq2[store.AccountInfo, error] {
	pages := sqldb.Pages(func(last *store.AccountInfo) ([]store.AccountInfo, error) {
		if last != nil {
			after = last.ID
		}
		return sqldb.Collect(ctx, s.db, scanInfo, `SELECT name, state, created, max_bytes, max_messages, max_mailboxes
			FROM account WHERE dropped = 0 AND name > ? ORDER BY name LIMIT 500`, string(after))
	})
	return func(yield func(store.AccountInfo, error) bool) {
		if s.wake.closed() {
			yield(store.AccountInfo{}, fail("accounts", "", store.ErrClosed))
			return
		}
		for info, err := range pages {
			if err != nil {
				err = fail("accounts", "", err)
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// account returns an account from memory, else loads it.
func (s *Store) account(ctx context.Context, id store.AccountID) (*account, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.wake.closed() {
		return nil, store.ErrClosed
	}
	s.mu.RLock()
	a := s.accounts[id]
	s.mu.RUnlock()
	if a != nil && a.ready.Load() {
		return a, nil
	}
	// The committer loads, so that what it loads cannot be older than what it
	// commits.
	err := s.db.Commit(ctx, s.work(id, 0, func(tx *sqldb.Tx) (err error) {
		a, err = s.load(tx, id)
		return err
	}))
	return a, err
}

// remember puts an account into memory. Called by the committer alone.
func (s *Store) remember(id store.AccountID, a *account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.accounts) >= s.opts.CachedAccounts {
		s.evictLocked(len(s.accounts) / 16)
	}
	s.accounts[id] = a
}

// keep puts an account back into memory that was evicted since it was loaded.
func (s *Store) keep(a *account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts[a.id] = a
}

// forget takes an account out of memory.
func (s *Store) forget(a *account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts[a.id] == a {
		delete(s.accounts, a.id)
	}
}

// evictLocked takes up to n+1 accounts out of memory that nothing uncommitted
// hangs on.
func (s *Store) evictLocked(n int) {
	for id, a := range s.accounts {
		if a.touched.Load() || a.hasClaims() {
			continue
		}
		delete(s.accounts, id)
		if n--; n < 0 {
			return
		}
	}
}
