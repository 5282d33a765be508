package itest

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/compress"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/blob/objects/objecttest"
	"github.com/mailstead/mailstead/store/encrypt"
	"github.com/mailstead/mailstead/store/sqlblob"
	"github.com/mailstead/mailstead/store/sqlite"
	"github.com/mailstead/mailstead/store/sqlstore"
	"github.com/mailstead/mailstead/store/storetest"
)

// sealed is the embedded engine with compressed and encrypted bodies, and
// encrypted rows.
type sealed struct {
	*encrypt.Store
	engine *sqlite.Engine
	ring   *encrypt.KeyFile
	dir    string
}

func (s *sealed) Close() error { return s.engine.Close() }

// makeKeys makes the keys of a new store.
func makeKeys(t testing.TB, path string) {
	t.Helper()
	ring, err := encrypt.CreateKeyFile(path) // once; fails if there is a file
	if err != nil {
		t.Fatal(ring, err)
	}
}

// openMail is what docs/guide/encryption.md shows.
func openMail(ctx context.Context, dir string, ring encrypt.KeyRing) (*sqlite.Engine, *encrypt.Store, error) {
	wrap := func(b blob.Blobs) (blob.Blobs, error) {
		enc, err := encrypt.NewBlobs(b, ring, encrypt.Options{})
		if err != nil {
			return nil, err
		}
		return compress.New(compress.Config{Blobs: enc}) // or return enc, without compression
	}
	engine, err := sqlite.Open(ctx, dir, sqlite.Options{Wrap: wrap})
	if err != nil {
		return nil, nil, err
	}
	mail, err := encrypt.New(engine.Store(), ring, encrypt.Options{})
	return engine, mail, err
}

// openSealed opens dir; its keys lie beside it.
func openSealed(t testing.TB, dir string) *sealed {
	t.Helper()
	path := dir + ".keys"
	ring, err := encrypt.OpenKeyFile(path) // at each start; refuses a file that others may read
	if err != nil {
		t.Fatal(err)
	}
	engine, mail, err := openMail(context.Background(), dir, ring)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	return &sealed{mail, engine, ring, dir}
}

// newSealed makes a store with fresh keys.
func newSealed(t testing.TB) *sealed {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	makeKeys(t, dir+".keys")
	return openSealed(t, dir)
}

// TestSealedStore judges compression and encryption over SQLite and segments.
func TestSealedStore(t *testing.T) {
	if testing.Short() {
		t.Skip("a suite on disk: minutes with the race detector; store/encrypt runs it in memory")
	}
	storetest.Run(t, storetest.Config{
		New: func(t *testing.T) store.Store { return newSealed(t) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			o := s.(*sealed)
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
			return openSealed(t, o.dir)
		},
		Purge: func(t *testing.T, s store.Store, id store.AccountID, upTo store.ModSeq) {
			if err := s.(*sealed).engine.Store().Purge(t.Context(), id, upTo); err != nil {
				t.Fatal(err)
			}
		},
		Has: storetest.Everything | storetest.Metas | storetest.Retains | storetest.Snapshots | storetest.Locks,
	})
}

// TestSealedRotation changes the key of a store on disk, and removes the old
// one.
func TestSealedRotation(t *testing.T) {
	ctx := t.Context()
	s := newSealed(t)
	if err := s.Create(ctx, "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	a, inbox := openInbox(t, s)
	body := func(i int) string { return fmt.Sprintf("Subject: %d\r\n\r\n%s", i, strings.Repeat("text ", i*100)) }
	for i := range 120 {
		if _, err := store.AppendMessage(ctx, s, a, "", store.NewMessage{Mailbox: inbox, Body: strings.NewReader(body(i)), BodySize: -1, Prefix: []byte("P: p\r\n")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Apply(ctx, store.Change{Ops: []store.Op{
		store.PutEntry{Key: "k", Value: []byte("v")}, store.Expunge{Mailbox: inbox, UIDs: store.UIDs(120)},
	}}); err != nil {
		t.Fatal(err)
	}
	old, _ := s.ring.Current(ctx)
	if _, err := s.ring.Rotate(); err != nil {
		t.Fatal(err)
	}
	if st, err := s.Rewrap(ctx, "alice", nil); err != nil || st.Rewrapped != 121 {
		t.Fatalf("%+v, %v", st, err)
	}
	if u, err := s.Uses(ctx); err != nil || u[old] != 0 || len(u) != 1 {
		t.Fatalf("%v, %v", u, err)
	}
	if err := s.ring.Remove(old); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	a, inbox = openInbox(t, openSealed(t, s.dir))
	for uid := range store.UID(120) { // the last one is expunged
		c, err := a.Content(ctx, inbox, uid+1)
		if err != nil {
			t.Fatal(err)
		}
		want := "P: p\r\n" + body(int(uid))
		got := make([]byte, c.Size())
		if _, err := c.ReadAt(got, 0); string(got) != want {
			t.Errorf("message %d reads %d octets of %d, %v", uid+1, len(got), len(want), err)
		}
		c.Close()
	}
	for e, err := range a.Entries(ctx, store.EntryQuery{}) {
		if err != nil || string(e.Value) != "v" {
			t.Errorf("entry %q, %v", e.Value, err)
		}
	}
}

func openInbox(t *testing.T, s store.Store) (store.Account, store.MailboxID) {
	t.Helper()
	a, err := s.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	return a, m.ID
}

// TestSealedCatalogue: the same over bodies on an object store, whose catalogue
// is asked in the transactions of the store, through both wrappers.
func TestSealedCatalogue(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	storetest.Run(t, storetest.Config{
		New: func(t *testing.T) store.Store { return sealedCatalogue(t) },
		Has: storetest.Everything | storetest.Metas | storetest.Retains | storetest.Snapshots | storetest.Locks,
	})
}

func sealedCatalogue(t *testing.T) store.Store {
	ctx, quiet, dir := context.Background(), slog.New(slog.DiscardHandler), t.TempDir()
	ring, err := encrypt.CreateKeyFile(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.OpenDB(ctx, filepath.Join(dir, "mail.db"), sqlite.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	catalogue, err := sqlblob.New(ctx, db, new(objecttest.Mem), sqlblob.Options{
		Threshold: 1024, SweepEvery: -1, Logger: quiet, Spool: objects.Options{TempDir: dir},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { catalogue.Close() })
	enc, err := encrypt.NewBlobs(catalogue, ring, encrypt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	bodies, err := compress.New(compress.Config{Blobs: enc})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := blob.As[blob.Condemner](bodies); !ok {
		t.Fatal("the marks of the catalogue are not found through the wrappers")
	}
	rows, err := sqlstore.New(ctx, db, bodies, sqlstore.Options{OneOwner: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rows.Close() })
	mail, err := encrypt.New(rows, ring, encrypt.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return mail
}
