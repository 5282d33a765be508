package sqlblob

import (
	"context"
	"fmt"
	"time"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Swept tells what one Sweep did.
type Swept struct {
	GivenUp int64 // uploads that did not end in time
	Removed int64 // objects removed, with their rows
}

// sweeper sweeps until ctx ends.
func (b *Blobs) sweeper(ctx context.Context) {
	tick := time.NewTicker(b.opts.SweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := b.Sweep(ctx); err != nil && ctx.Err() == nil {
			b.log.Error("sweeping the object store failed; it is tried again later", "error", err)
		}
	}
}

// Sweep gives up uploads that did not end in Options.WritingFor, and removes the
// objects of blobs that have been gone for Options.GoneFor, unless this process
// has them open. Blobs does it now and then by itself. Several Sweeps may run at
// once, also on several nodes.
func (b *Blobs) Sweep(ctx context.Context) (s Swept, err error) {
	if err := b.ready(ctx); err != nil {
		return s, err
	}
	if s.GivenUp, err = b.giveUpLate(ctx); err != nil {
		return s, fmt.Errorf("sqlblob: sweep: %w", err)
	}
	if s.Removed, err = b.removeGone(ctx); err != nil {
		return s, fmt.Errorf("sqlblob: sweep: %w", err)
	}
	return s, nil
}

func (b *Blobs) giveUpLate(ctx context.Context) (n int64, err error) {
	now := b.opts.Now()
	for {
		late, err := sqldb.Collect(ctx, b.db, scanRef, selectLate, now.Add(-b.opts.WritingFor).Unix())
		if err != nil || len(late) == 0 {
			return n, err
		}
		err = b.sweepWork(ctx, late, func(tx *sqldb.Tx, ref blob.Ref) (int64, error) {
			return exec(tx, giveUp, now.Unix(), string(ref))
		}, &n)
		if err != nil {
			return n, err
		}
	}
}

// removeGone removes objects, then their rows: a row says that its object may
// be there.
func (b *Blobs) removeGone(ctx context.Context) (n int64, err error) {
	before := b.opts.Now().Add(-b.opts.GoneFor).Unix() + 1
	for {
		refs, err := sqldb.Collect(ctx, b.db, scanRef, selectGone, before)
		if err != nil {
			return n, err
		}
		free, keys := b.unopened(refs)
		if len(free) == 0 {
			return n, nil
		}
		if err := b.store.Delete(ctx, keys...); err != nil {
			return n, err
		}
		err = b.sweepWork(ctx, free, func(tx *sqldb.Tx, ref blob.Ref) (int64, error) {
			return exec(tx, forget, string(ref))
		}, &n)
		if err != nil {
			return n, err
		}
	}
}

// unopened are those that this process has not open, and their keys.
func (b *Blobs) unopened(refs []blob.Ref) (free []blob.Ref, keys []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ref := range refs {
		if b.open[ref] == 0 {
			free = append(free, ref)
			keys = append(keys, key(ref))
		}
	}
	return free, keys
}

// sweepWork runs do for each Ref in one Work, and adds what it did to n.
func (b *Blobs) sweepWork(ctx context.Context, refs []blob.Ref, do func(*sqldb.Tx, blob.Ref) (int64, error), n *int64) error {
	var done int64
	err := b.db.Commit(ctx, sqldb.Work{Key: "blob/collect", Cost: len(refs), Do: func(tx *sqldb.Tx) error {
		done = 0
		for _, ref := range refs {
			k, err := do(tx, ref)
			if err != nil {
				return err
			}
			done += k
		}
		return nil
	}})
	if err == nil {
		*n += done
	}
	return err
}
