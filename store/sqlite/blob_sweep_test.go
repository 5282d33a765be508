package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/blob/objects/objecttest"
	"github.com/mailstead/mailstead/store/sqlblob"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlite"
)

// clock is one that is put forward.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// ageing is a catalogue of objects alone, on a clock.
func ageing(t *testing.T) (*catalogue, *clock) {
	k := &clock{at: time.Now()}
	return newCatalogue(t, sqlblob.Options{Threshold: -1, Now: k.now}), k
}

func (c *catalogue) put(body []byte) (blob.Ref, error) {
	w, err := c.Create(context.Background(), int64(len(body)))
	if err != nil {
		return "", err
	}
	defer w.Abort()
	if _, err := w.Write(body); err != nil {
		return "", err
	}
	return w.Commit(context.Background())
}

func (c *catalogue) mustPut(t *testing.T, body []byte) blob.Ref {
	t.Helper()
	ref, err := c.put(body)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// rows counts those in a state; -1 = all.
func (c *catalogue) rows(t *testing.T, state int64) int64 {
	t.Helper()
	n, _, err := sqldb.One(t.Context(), c.db, sqldb.Int64, `SELECT COUNT(*) FROM blob_body WHERE state = ? OR ? < 0`, state, state)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (c *catalogue) sweep(t *testing.T) sqlblob.Swept {
	t.Helper()
	s, err := c.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestUploadFails: where the object store fails, before or after it has stored
// the object, Commit says so, nothing is listed, and the sweep leaves
// nothing.
func TestUploadFails(t *testing.T) {
	down := errors.New("the store is down")
	for name, set := range map[string]func(*objecttest.Mem){
		"Before": func(m *objecttest.Mem) { m.Before = func(context.Context, string, string) error { return down } },
		"After":  func(m *objecttest.Mem) { m.After = func(context.Context, string) error { return down } },
	} {
		t.Run(name, func(t *testing.T) {
			c, k := ageing(t)
			set(c.objects)
			if _, err := c.put([]byte("body")); !errors.Is(err, down) {
				t.Errorf("Commit: %v, want %v", err, down)
			}
			for info := range c.List(t.Context(), "") {
				t.Errorf("%s is listed", info.Ref)
			}
			c.objects.Before, c.objects.After = nil, nil
			if s := c.sweep(t); s != (sqlblob.Swept{}) {
				t.Errorf("at once: %+v", s)
			}
			k.pass(2 * time.Hour)
			if s := c.sweep(t); s.Removed != 1 || len(c.objects.Keys()) != 0 || c.rows(t, -1) != 0 {
				t.Errorf("%+v; %d objects, %d rows are left", s, len(c.objects.Keys()), c.rows(t, -1))
			}
		})
	}
}

// TestUploadCrashes: a process that dies before or after the object is stored
// leaves an intent, which another one gives up when it is old, and not before.
func TestUploadCrashes(t *testing.T) {
	for name, after := range map[string]bool{"Before": false, "After": true} {
		t.Run(name, func(t *testing.T) {
			c, k := ageing(t)
			died := make(chan struct{})
			die := func() error {
				close(died)
				select {} // never ends, as far as anyone can see
			}
			if after {
				c.objects.After = func(context.Context, string) error { return die() }
			} else {
				c.objects.Before = func(_ context.Context, op, _ string) error {
					if op == "put" {
						return die()
					}
					return nil
				}
			}
			go c.put([]byte("body"))
			<-died
			k.pass(23 * time.Hour)
			if s := c.sweep(t); s != (sqlblob.Swept{}) || c.rows(t, 0) != 1 {
				t.Errorf("after 23 h: %+v, %d intents", s, c.rows(t, 0))
			}
			k.pass(2 * time.Hour)
			if s := c.sweep(t); s.GivenUp != 1 || s.Removed != 0 {
				t.Errorf("after 25 h: %+v, want one given up", s)
			}
			k.pass(2 * time.Hour)
			if s := c.sweep(t); s.Removed != 1 || len(c.objects.Keys()) != 0 || c.rows(t, -1) != 0 {
				t.Errorf("after 27 h: %+v; %d objects, %d rows are left", s, len(c.objects.Keys()), c.rows(t, -1))
			}
		})
	}
}

// TestUploadLate: an upload that was given up does not become a blob, and its
// object does not stay.
func TestUploadLate(t *testing.T) {
	c, k := ageing(t)
	c.objects.Before = func(_ context.Context, op, _ string) error {
		if op == "put" {
			for range 2 {
				k.pass(25 * time.Hour)
				c.sweep(t)
			}
		}
		return nil
	}
	if _, err := c.put([]byte("body")); !errors.Is(err, sqlblob.ErrLate) {
		t.Errorf("Commit: %v, want ErrLate", err)
	}
	if len(c.objects.Keys()) != 0 || c.rows(t, -1) != 0 {
		t.Errorf("%d objects, %d rows are left", len(c.objects.Keys()), c.rows(t, -1))
	}
}

// TestSweepSparesOpen: an object outlives its blob for an hour, and longer while
// it is open; also when several sweep at once.
func TestSweepSparesOpen(t *testing.T) {
	c, k := ageing(t)
	body := objecttest.Octets(1, 3<<20)
	ref, other := c.mustPut(t, body), c.mustPut(t, body)
	o, err := c.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), ref, other); err != nil {
		t.Fatal(err)
	}
	if s := c.sweep(t); s.Removed != 0 || len(c.objects.Keys()) != 2 {
		t.Errorf("at once: %+v", s)
	}
	k.pass(2 * time.Hour)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { c.sweep(t) })
	}
	wg.Wait()
	if len(c.objects.Keys()) != 1 {
		t.Errorf("%d objects are left, want the one that is open", len(c.objects.Keys()))
	}
	got := make([]byte, o.Size())
	if _, err := o.ReadAt(got, 0); err != nil || !bytes.Equal(got, body) {
		t.Errorf("what is open differs: %v", err)
	}
	o.Close()
	if s := c.sweep(t); s.Removed != 1 || len(c.objects.Keys()) != 0 || c.rows(t, -1) != 0 {
		t.Errorf("after Close: %+v; %d objects, %d rows are left", s, len(c.objects.Keys()), c.rows(t, -1))
	}
}

// TestThreshold: what is small is no object, also when all writers together
// have no memory left.
func TestThreshold(t *testing.T) {
	c := newCatalogue(t, sqlblob.Options{Threshold: 1000, Spool: objects.Options{Budget: 4096}})
	hog, err := c.Create(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	defer hog.Abort()
	if _, err := hog.Write(make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 999, 1000} {
		body := objecttest.Octets(1, n)
		ref := c.mustPut(t, body)
		if size, err := c.Stat(t.Context(), ref); err != nil || size != int64(n) || len(c.objects.Keys()) != 0 {
			t.Errorf("%d octets: Stat %d, %v; %d objects", n, size, err, len(c.objects.Keys()))
		}
	}
	c.mustPut(t, objecttest.Octets(1, 1001))
	if len(c.objects.Keys()) != 1 {
		t.Errorf("1001 octets: %d objects, want 1", len(c.objects.Keys()))
	}
}

// TestInlineDamage: octets in the database are verified as all others.
func TestInlineDamage(t *testing.T) {
	c := newCatalogue(t, sqlblob.Options{})
	ref := c.mustPut(t, []byte("body"))
	for query, want := range map[string]error{
		`UPDATE blob_body SET body = x'626f6479' `: nil, // "body"
		`UPDATE blob_body SET body = x'626f647a' `: blob.ErrCorrupt,
		`UPDATE blob_body SET body = x'626f64' `:   blob.ErrCorrupt,
	} {
		err := c.db.Commit(t.Context(), sqldb.Work{Do: func(tx *sqldb.Tx) error {
			_, err := tx.Exec(query)
			return err
		}})
		if err != nil {
			t.Fatal(err)
		}
		o, err := c.Open(t.Context(), ref)
		if err == nil {
			o.Close()
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", query, err, want)
		}
	}
}

// TestAdoptElsewhere: a catalogue in another database cannot vouch for a row.
func TestAdoptElsewhere(t *testing.T) {
	c := newCatalogue(t, sqlblob.Options{})
	ref := c.mustPut(t, []byte("body"))
	db, err := sqlite.OpenDB(t.Context(), filepath.Join(t.TempDir(), "other.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	adopt := func(db *sqldb.DB, refs ...blob.Ref) error {
		return db.Commit(t.Context(), sqldb.Work{Do: func(tx *sqldb.Tx) error {
			return blob.Adopt(t.Context(), c, tx, refs...)
		}})
	}
	if err := adopt(db, ref); !errors.Is(err, sqlblob.ErrOtherDatabase) {
		t.Errorf("%v, want ErrOtherDatabase", err)
	}
	if err := adopt(c.db, ref); err != nil {
		t.Error(err)
	}
	for _, bad := range []blob.Ref{"", "nonsense", blob.Ref(objects.NewID(time.Now()))} {
		if err := adopt(c.db, ref, bad); !errors.Is(err, blob.ErrNoBlob) {
			t.Errorf("%q: %v, want ErrNoBlob", bad, err)
		}
	}
}

// TestAdoptMany: one batch adopts more than one statement names, and the one
// that adopts what is gone fails alone.
func TestAdoptMany(t *testing.T) {
	c := newCatalogue(t, sqlblob.Options{})
	var refs []blob.Ref
	for range 150 {
		refs = append(refs, c.mustPut(t, []byte("body")))
	}
	if err := c.Delete(t.Context(), refs[75]); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i, ref := range refs {
		wg.Go(func() {
			err := c.db.Commit(t.Context(), sqldb.Work{Do: func(tx *sqldb.Tx) error {
				return blob.Adopt(t.Context(), c, tx, ref)
			}})
			if (i == 75) != errors.Is(err, blob.ErrNoBlob) || i != 75 && err != nil {
				t.Errorf("number %d: %v", i, err)
			}
		})
	}
	err := c.db.Commit(t.Context(), sqldb.Work{Do: func(tx *sqldb.Tx) error {
		return blob.Adopt(t.Context(), c, tx, refs[:75]...)
	}})
	if err != nil {
		t.Error(err)
	}
	wg.Wait()
}
