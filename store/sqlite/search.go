package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// searchName is the file of the index of texts.
const searchName = "search.db"

// retryAfter is the pause of the index after an error of its database or of
// the store.
const retryAfter = 10 * time.Second

// searchIndex is the index of texts: a file of its own that follows the change
// logs of all accounts. It holds the trigrams of each text, so it knows for sure
// which messages do not contain a needle; those that hold all of its trigrams
// are Unknown, unless the needle is one trigram. What it has not indexed yet is
// Unknown, too. See searchSchema.
type searchIndex struct {
	path        string
	write, read *sql.DB
	store       *sqlstore.Store
	log         *slog.Logger
	limit       int // octets of text of a message that are indexed

	ctx     context.Context // of the worker; its cause ends it
	cancel  context.CancelFunc
	running sync.WaitGroup
	closed  atomic.Bool // nothing is looked up any more
	damaged atomic.Bool // the file is removed at the end

	mu      sync.Mutex
	line    []store.AccountID // to be indexed, the first one next
	waiting map[store.AccountID]bool
	busy    bool            // the worker is at an account
	quiet   []chan struct{} // closed when there is nothing to index
	wake    chan struct{}   // of capacity 1
}

var _ sqlstore.Index = (*searchIndex)(nil)

// openSearch opens the index, and makes it where it is missing, damaged or of
// another version: it can be rebuilt.
func openSearch(ctx context.Context, dir string, o *Options) (*searchIndex, error) {
	x := &searchIndex{
		path: filepath.Join(dir, searchName), log: o.Logger, limit: maxIndexed,
		waiting: make(map[store.AccountID]bool), wake: make(chan struct{}, 1),
	}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	err := x.openFile(ctx, o)
	if err != nil && ctx.Err() == nil {
		x.log.Warn("the search index is made anew", "reason", err)
		if err = removeSearch(dir); err == nil {
			err = x.openFile(ctx, o)
		}
	}
	if err != nil {
		x.cancel()
		return nil, fmt.Errorf("%s: %w", searchName, err)
	}
	return x, nil
}

// removeSearch removes the index.
func removeSearch(dir string) error {
	for _, suffix := range [...]string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(dir, searchName+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// start forgets what the database does not know, and begins to follow it.
// Nobody uses the store yet.
func (x *searchIndex) start(ctx context.Context, db *sqldb.DB, s *sqlstore.Store) error {
	x.store = s
	if err := x.compare(ctx, db); err != nil {
		return err
	}
	x.busy = true // until all accounts are in the line
	x.running.Go(x.work)
	return nil
}

// stop ends the worker.
func (x *searchIndex) stop() {
	x.cancel()
	x.running.Wait()
}

// close ends the index. A damaged one is removed.
func (x *searchIndex) close() error {
	x.stop()
	x.closed.Store(true)
	err := errors.Join(x.read.Close(), x.write.Close())
	if x.damaged.Load() {
		err = errors.Join(err, removeSearch(filepath.Dir(x.path)))
	}
	return err
}

// Changed implements sqlstore.Index.
func (x *searchIndex) Changed(id store.AccountID) {
	x.mu.Lock()
	if !x.waiting[id] {
		x.waiting[id] = true
		x.line = append(x.line, id)
	}
	x.mu.Unlock()
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// next takes an account from the line.
func (x *searchIndex) next() (id store.AccountID, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.busy = len(x.line) > 0
	if !x.busy {
		for _, c := range x.quiet {
			close(c)
		}
		x.quiet = nil
		return "", false
	}
	id, x.line = x.line[0], x.line[1:]
	delete(x.waiting, id)
	return id, true
}

// wait returns when nothing is left to index.
func (x *searchIndex) wait(ctx context.Context) error {
	c := make(chan struct{})
	x.mu.Lock()
	if !x.busy && len(x.line) == 0 {
		close(c)
	} else {
		x.quiet = append(x.quiet, c)
	}
	x.mu.Unlock()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-x.ctx.Done():
		return store.ErrClosed
	}
}

// work indexes one account after the other. It is the only writer.
func (x *searchIndex) work() {
	if err := x.greet(); err != nil {
		x.report("", err)
	}
	for x.ctx.Err() == nil {
		id, ok := x.next()
		if !ok {
			select {
			case <-x.wake:
			case <-x.ctx.Done():
			}
			continue
		}
		more, err := x.account(id)
		if err != nil {
			x.report(id, err)
			x.pause()
		}
		if (more || err != nil) && !x.damaged.Load() {
			x.Changed(id)
		}
	}
}

// greet puts all accounts into the line: what changed while nobody looked.
func (x *searchIndex) greet() error {
	for info, err := range x.store.Accounts(x.ctx, "") {
		if err != nil {
			return err
		}
		x.Changed(info.ID)
	}
	return nil
}

// report logs why an account could not be indexed. A damaged index is used no
// more.
func (x *searchIndex) report(id store.AccountID, err error) {
	switch {
	case x.ctx.Err() != nil:
	case isCorrupt(err):
		if !x.damaged.Swap(true) {
			x.log.Error("the search index is damaged; it is made anew at the next start", "error", err)
		}
	default:
		x.log.Warn("cannot index; tried again soon", "account", string(id), "error", err)
	}
}

func (x *searchIndex) pause() {
	t := time.NewTimer(retryAfter)
	defer t.Stop()
	select {
	case <-t.C:
	case <-x.ctx.Done():
	}
}
