package sqlstore

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store/sqldb"
)

// Bus tells nodes that an account was changed at another one, so that who waits
// there wakes sooner than it would be found by asking. Hints may be lost, come
// twice, or name accounts that did not change. Its methods may be called from
// any number of goroutines.
type Bus interface {
	// Tell tells the other nodes, after the commit. It must not block.
	Tell(account int64)

	// Listen has heard called for every account that another node tells of,
	// until stop returns. heard does not block.
	Listen(heard func(account int64)) (stop func())
}

// tell passes a change on to other nodes.
func (s *Store) tell(account int64) {
	if s.opts.Bus != nil && s.shared() {
		s.opts.Bus.Tell(account)
	}
}

// watcher finds out for those who wait what other nodes did: it asks the
// database for all watched accounts from time to time, and for those that a
// Bus tells of at once.
type watcher struct {
	cancel context.CancelFunc
	silent func() // ends listening
	kicks  chan struct{}
	wg     sync.WaitGroup

	mu    sync.Mutex
	heard map[int64]bool
}

func (w *watcher) start(s *Store) {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.silent = cancel, func() {}
	w.kicks, w.heard = make(chan struct{}, 1), make(map[int64]bool)
	if !s.shared() {
		return
	}
	if s.opts.Bus != nil {
		w.silent = s.opts.Bus.Listen(func(account int64) { w.hear(s, account) })
	}
	w.wg.Go(func() {
		tick := time.NewTicker(s.opts.PollEvery)
		defer tick.Stop()
		for {
			var list []int64
			select {
			case <-ctx.Done():
				return
			case <-w.kicks:
				list = w.take()
			case <-tick.C:
				list = s.wake.watched()
			}
			if err := s.look(ctx, list); err != nil && ctx.Err() == nil {
				s.log.Warn("asking for changes of other nodes failed; it is tried again", "error", err)
			}
		}
	})
}

func (w *watcher) stop() {
	w.silent()
	w.cancel()
	w.wg.Wait()
}

// hear notes an account that somebody waits for.
func (w *watcher) hear(s *Store, account int64) {
	if !s.wake.waited(account) {
		return
	}
	w.mu.Lock()
	w.heard[account] = true
	w.mu.Unlock()
	select {
	case w.kicks <- struct{}{}:
	default:
	}
}

func (w *watcher) take() []int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := slices.Collect(maps.Keys(w.heard))
	clear(w.heard)
	return list
}

// lookMax bounds the accounts of one statement; it is a power of two.
const lookMax = 1024

// look wakes those who wait for an account that another node changed or
// dropped; they read it themselves.
func (s *Store) look(ctx context.Context, accounts []int64) error {
	slices.Sort(accounts)
	for part := range slices.Chunk(accounts, lookMax) {
		args := make([]any, sizeOf(len(part)))
		for i := range args {
			args[i] = part[min(i, len(part)-1)]
		}
		now := make(map[int64]int64, len(part))
		err := sqldb.Each(ctx, s.db, func(r *sql.Rows) error {
			var num, version int64
			err := r.Scan(&num, &version)
			now[num] = version
			return err
		}, lookQuery(len(args)), args...)
		if err != nil {
			return err
		}
		for _, num := range part {
			version, there := now[num]
			if !there || s.wake.behind(num, version) {
				s.wake.notify(num)
			}
		}
	}
	return nil
}

func lookQuery(n int) string {
	return `SELECT id, version FROM account WHERE id IN (` + list("?", n) + `) AND dropped = 0`
}
