package cluster

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/objects/objecttest"
	"github.com/mailstead/mailstead/store/sqlblob"
)

// TestHandOverStress: two nodes collect without pause and without regard to age
// while others write and adopt. Every row has its blob, at every moment.
func TestHandOverStress(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	engines(t, func(t *testing.T, d *database) {
		mem := new(objecttest.Mem)
		opts := sqlblob.Options{Threshold: 2000, GoneFor: -1}
		db := d.open(t)
		mine, other := catalogue(t, db, mem, opts), catalogue(t, d.open(t), mem, opts)
		n := newNode(t, db, mine)
		stop, passed := make(chan struct{}), make(chan struct{})
		var collectors, writers sync.WaitGroup
		var deleted atomic.Int64
		for _, b := range []*sqlblob.Blobs{mine, other} {
			collectors.Go(func() { collectUntil(t, n, b, stop, passed, &deleted) })
		}
		var adopted, refused atomic.Int64
		for w := range 6 {
			writers.Go(func() {
				a, inbox := n.account(t, store.AccountID(fmt.Sprint("a", w)), store.AccountActive)
				for i := range rounds {
					if adoptOne(t, n, &box{a, inbox}, w*1000+i, passed) {
						adopted.Add(1)
					} else {
						refused.Add(1)
					}
				}
			})
		}
		writers.Wait()
		close(stop)
		collectors.Wait()
		t.Logf("%d adopted, %d refused, %d deleted", adopted.Load(), refused.Load(), deleted.Load())
		if adopted.Load() == 0 || deleted.Load() == 0 {
			t.Error("no race took place")
		}
	})
}

// tail is a Blobs that lists what is new since the pass before the last, so that
// a pass is short and meets what is just being adopted.
type tail struct {
	*sqlblob.Blobs
	after, newest blob.Ref
}

func (b *tail) List(ctx context.Context, _ blob.Ref) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		from := b.after
		b.after = b.newest
		for info, err := range b.Blobs.List(ctx, from) {
			b.newest = max(b.newest, info.Ref)
			if !yield(info, err) {
				return
			}
		}
	}
}

func collectUntil(t *testing.T, n *node, b *sqlblob.Blobs, stop <-chan struct{}, passed chan<- struct{}, deleted *atomic.Int64) {
	c := n.collector(&tail{Blobs: b})
	for {
		select {
		case <-stop:
			return
		default:
		}
		stats, err := c.Collect(context.Background())
		if err != nil {
			t.Error(err)
			return
		}
		deleted.Add(int64(stats.Deleted))
		select {
		case passed <- struct{}{}:
		default:
		}
		if _, err := b.Sweep(context.Background()); err != nil {
			t.Error(err)
			return
		}
	}
}

type box struct {
	a  store.Account
	id store.MailboxID
}

// adoptOne writes a blob and has one or two rows adopt it; false when it was
// collected before.
func adoptOne(t *testing.T, n *node, b *box, seed int, passed <-chan struct{}) bool {
	ctx := context.Background()
	body := objecttest.Octets(uint64(seed), 1000+rand.IntN(2000))
	ref, err := tryPut(ctx, n.blobs, body)
	if err != nil {
		t.Error(err)
		return false
	}
	if rand.IntN(16) == 0 { // one that is late finds that it was collected
		<-passed
		<-passed
	}
	for range rand.IntN(8) { // as when it is described; it may be gone
		_ = whole(n.blobs, ref, body)
	}
	ways := []func() error{
		func() error { return n.queue.Put(ctx, n.job(ref)) },
		func() error {
			_, err := b.a.Apply(ctx, store.Change{Ops: []store.Op{appendOp(b.id, ref, len(body))}})
			return err
		},
	}
	rand.Shuffle(2, func(i, j int) { ways[i], ways[j] = ways[j], ways[i] })
	for i, way := range ways[:1+rand.IntN(2)] {
		err := way()
		if errors.Is(err, blob.ErrNoBlob) && i == 0 {
			return false
		}
		if err != nil {
			t.Errorf("adoption %d: %v", i, err)
			return false
		}
		if err := whole(n.blobs, ref, body); err != nil {
			t.Errorf("a row without its blob: %v", err)
		}
	}
	return true
}
