package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/postgres"
	"github.com/mailstead/mailstead/store/sqldb"
)

// TestRecentOnce: nodes that claim at once are told of each message once
// (RFC 3501 §2.3.2).
func TestRecentOnce(t *testing.T) {
	first := fresh(t)
	second := open(t, first.dsn, first.blobs)
	a, inbox := account(t, first, "alice")
	b, _ := inboxOf(t, second, "alice")
	const n = 30
	var mu sync.Mutex
	claimed := map[store.UID]int{}
	var wg sync.WaitGroup
	for _, h := range []store.Account{a, b} {
		op := appendTo(t, first.blobs, inbox, "x")
		wg.Go(func() {
			for range n {
				_, err := h.Apply(context.Background(), store.Change{Ops: []store.Op{op}})
				r, err2 := h.Apply(context.Background(), store.Change{Ops: []store.Op{store.ClaimRecent{Mailbox: inbox}}})
				if err := errors.Join(err, err2); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for uid := range r.Ops[0].Changed.All() {
					claimed[uid]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for uid := store.UID(1); uid <= 2*n; uid++ {
		if claimed[uid] != 1 {
			t.Errorf("UID %d was claimed %d times", uid, claimed[uid])
		}
	}
}

// TestSmallCache: accounts that are evicted all the time are what they were.
func TestSmallCache(t *testing.T) {
	small := func(o *postgres.Options) { o.Store.CachedAccounts = 2 }
	first := open(t, pg.Database(t), refBlobs{}, small)
	second := open(t, first.dsn, refBlobs{}, small)
	l := startLoad(t, []*opened{first, second}, 20)
	l.grow(t, 150)
	l.end(t, first, second)
}

// TestLockTimeout: a node that hangs with an account locked makes the others
// fail for a while, instead of waiting for ever.
func TestLockTimeout(t *testing.T) {
	first := fresh(t, func(o *postgres.Options) { o.LockTimeout = 100 * time.Millisecond })
	second := open(t, first.dsn, first.blobs)
	a, inbox := account(t, first, "alice")
	locked, release := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- second.engine.DB().Commit(context.Background(), sqldb.Work{Do: func(tx *sqldb.Tx) error {
			_, err := tx.Exec(`UPDATE account SET created = created WHERE name = ?`, "alice")
			close(locked)
			<-release
			return err
		}})
	}()
	<-locked
	change := store.Change{Ops: []store.Op{appendTo(t, first.blobs, inbox, "x")}}
	if _, err := a.Apply(t.Context(), change); !errors.Is(err, store.ErrTemporary) {
		t.Errorf("while it is locked: %v, want ErrTemporary", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := a.Apply(t.Context(), change); err != nil {
		t.Error(err)
	}
	sound(t, first)
}
