package cluster

import (
	"context"
	"errors"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/objects/objecttest"
	"github.com/mailstead/mailstead/store/sqlblob"
)

// moment is where in a collection somebody adopts what is collected.
type moment int

const (
	beforeCondemn moment = iota // no holder has it
	afterCondemn
	beforeDelete // no holder has it, still
	afterDelete
)

// watched is a Blobs that says at which moment its collector is.
type watched struct {
	*sqlblob.Blobs
	at func(moment)
}

// As lets the capabilities through, and stands before Condemn.
func (w *watched) As(target any) bool {
	if c, ok := target.(*blob.Condemner); ok {
		*c = w
		return true
	}
	return w.Blobs.As(target)
}

func (w *watched) Condemn(ctx context.Context, refs ...blob.Ref) (blob.Condemned, error) {
	w.at(beforeCondemn)
	c, err := w.Blobs.Condemn(ctx, refs...)
	w.at(afterCondemn)
	return &watchedSentence{c, w}, err
}

type watchedSentence struct {
	blob.Condemned
	w *watched
}

func (c *watchedSentence) Delete(ctx context.Context, refs ...blob.Ref) ([]blob.Ref, error) {
	c.w.at(beforeDelete)
	defer c.w.at(afterDelete)
	return c.Condemned.Delete(ctx, refs...)
}

// careless hides what a catalogue can do: it has the methods of a blob.Blobs and
// no more.
type careless struct {
	blob.Blobs
	at func(moment)
}

func (c *careless) As(any) bool { return false }

func (c *careless) Delete(ctx context.Context, refs ...blob.Ref) error {
	c.at(beforeDelete)
	defer c.at(afterDelete)
	return c.Blobs.Delete(ctx, refs...)
}

// adopters are all ways in which a Ref gets into a row.
type adopters map[string]func(blob.Ref) error

func (n *node) adopters(t *testing.T, d *database, size int) adopters {
	ctx := context.Background()
	alice, inbox := n.account(t, "alice", store.AccountActive)
	moved, box := n.account(t, "moved", store.AccountImporting)
	app := d.raw(t)
	uid := store.UID(0)
	return adopters{
		"Append": func(ref blob.Ref) error {
			_, err := alice.Apply(ctx, store.Change{Ops: []store.Op{appendOp(inbox, ref, size)}})
			return err
		},
		"Import": func(ref blob.Ref) error {
			uid++
			op := store.Import{Append: appendOp(box, ref, size), UID: uid, ModSeq: store.ModSeq(uid)}
			_, err := moved.Apply(ctx, store.Change{Ops: []store.Op{op}})
			return err
		},
		"Put": func(ref blob.Ref) error { return n.queue.Put(ctx, n.job(ref)) },
		"EnqueueTx": func(ref blob.Ref) error {
			tx, err := app.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if err := n.queue.EnqueueTx(ctx, tx, n.job(ref)); err != nil {
				return err
			}
			return tx.Commit()
		},
	}
}

// TestHandOver adopts a blob at every moment of its collection, in every way:
// whoever adopts before the deletion keeps it, and whoever comes later is told.
func TestHandOver(t *testing.T) {
	for name, threshold := range map[string]int64{"Inline": 0, "Object": -1} {
		t.Run(name, func(t *testing.T) {
			engines(t, func(t *testing.T, d *database) { handOver(t, d, threshold) })
		})
	}
}

func handOver(t *testing.T, d *database, threshold int64) {
	mem := new(objecttest.Mem)
	db := d.open(t)
	mine := catalogue(t, db, mem, sqlblob.Options{Threshold: threshold})
	n := newNode(t, db, mine)
	other := &watched{Blobs: catalogue(t, d.open(t), mem, sqlblob.Options{Threshold: threshold})}
	c := n.collector(other)
	body := objecttest.Octets(1, 1000)
	for name, adopt := range n.adopters(t, d, len(body)) {
		for m := beforeCondemn; m <= afterDelete; m++ {
			ref := put(t, mine, body)
			var err error
			other.at = func(at moment) {
				if at == m {
					err = adopt(ref)
				}
			}
			stats, collectErr := c.Collect(t.Context())
			if collectErr != nil {
				t.Fatal(collectErr)
			}
			if m == afterDelete {
				if !errors.Is(err, blob.ErrNoBlob) || stats.Deleted != 1 {
					t.Errorf("%s after the deletion: %v, want ErrNoBlob; %+v", name, err, stats)
				}
				continue
			}
			if err != nil || stats.Deleted != 0 {
				t.Errorf("%s at moment %d: %v; %+v", name, m, err, stats)
			}
			if err := whole(mine, ref, body); err != nil {
				t.Errorf("%s at moment %d: a row without its blob: %v", name, m, err)
			}
		}
	}
}

// TestHandOverControl: without the mark and the lock the same adoption loses
// its blob. If it did not, TestHandOver would prove nothing.
func TestHandOverControl(t *testing.T) {
	engines(t, func(t *testing.T, d *database) {
		db := d.open(t)
		b := &careless{Blobs: catalogue(t, db, new(objecttest.Mem), sqlblob.Options{})}
		n := newNode(t, db, b)
		body := objecttest.Octets(1, 1000)
		for name, adopt := range n.adopters(t, d, len(body)) {
			ref := put(t, b, body)
			var err error
			b.at = func(at moment) {
				if at == beforeDelete {
					err = adopt(ref)
				}
			}
			if _, err := n.collector(b).Collect(t.Context()); err != nil {
				t.Fatal(err)
			}
			if lost := whole(b, ref, body); err != nil || !errors.Is(lost, blob.ErrNoBlob) {
				t.Errorf("%s: adopted with %v, then %v; want a row without its blob", name, err, lost)
			}
		}
	})
}

// TestHandOverOpen: a transaction that has adopted and is still open stops
// nobody, and keeps its blob; one that is undone does not.
func TestHandOverOpen(t *testing.T) {
	d := onPostgres(t)
	mem := new(objecttest.Mem)
	db := d.open(t)
	mine, other := catalogue(t, db, mem, sqlblob.Options{}), catalogue(t, d.open(t), mem, sqlblob.Options{})
	n, app, ctx := newNode(t, db, mine), d.raw(t), t.Context()
	body := objecttest.Octets(1, 1000)
	for _, commit := range []bool{true, false} {
		ref, free := put(t, mine, body), put(t, mine, body)
		tx, err := app.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.queue.EnqueueTx(ctx, tx, n.job(ref)); err != nil {
			t.Fatal(err)
		}
		if stats, err := n.collector(other).Collect(ctx); err != nil || stats.Deleted != 1 {
			t.Errorf("while it is open: %+v, %v; want one deleted", stats, err)
		}
		if err := whole(mine, free, body); !errors.Is(err, blob.ErrNoBlob) {
			t.Errorf("what nobody has is there: %v", err)
		}
		want := error(nil)
		if commit {
			err = tx.Commit()
		} else {
			want, err = blob.ErrNoBlob, tx.Rollback()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.collector(other).Collect(ctx); err != nil {
			t.Fatal(err)
		}
		if err := whole(mine, ref, body); !errors.Is(err, want) {
			t.Errorf("committed: %v; then %v, want %v", commit, err, want)
		}
	}
}
