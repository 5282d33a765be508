package encrypt_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/encrypt"
	"github.com/mailstead/mailstead/store/memstore"
	"github.com/mailstead/mailstead/store/storetest"
)

// vault is an encrypted store and what lies below it.
type vault struct {
	*encrypt.Store
	below *memstore.Store
	blobs *memblob.Blobs
	ring  *encrypt.KeyFile
}

func newVault(t testing.TB, bodies func(blob.Blobs, encrypt.KeyRing) blob.Blobs, o encrypt.Options) *vault {
	t.Helper()
	v := &vault{blobs: memblob.New(), ring: keyFile(t)}
	if bodies == nil {
		bodies = func(b blob.Blobs, ring encrypt.KeyRing) blob.Blobs { return overBlobs(t, b, ring, o) }
	}
	v.below = memstore.New(bodies(v.blobs, v.ring))
	v.Store = wrapped(t, v.below, v.ring, o)
	t.Cleanup(func() { v.Close() })
	return v
}

func (v *vault) path() string {
	return strings.TrimSuffix(strings.TrimPrefix(v.ring.String(), "encrypt.KeyFile("), ")")
}

// reopen is what another process with this ring has.
func (v *vault) reopen(t testing.TB, ring encrypt.KeyRing) {
	t.Helper()
	v.Store = wrapped(t, reopened{v.below, overBlobs(t, v.blobs, ring, encrypt.Options{})}, ring, encrypt.Options{})
}

type reopened struct {
	*memstore.Store
	blobs blob.Blobs
}

func (r reopened) Blobs() blob.Blobs { return r.blobs }

func wrapped(t testing.TB, s store.Store, ring encrypt.KeyRing, o encrypt.Options) *encrypt.Store {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	e, err := encrypt.New(s, ring, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func suite(bodies func(blob.Blobs, encrypt.KeyRing) blob.Blobs) storetest.Config {
	return storetest.Config{
		New: func(t *testing.T) store.Store { return newVault(t, bodies, encrypt.Options{}) },
		Purge: func(t *testing.T, s store.Store, id store.AccountID, upTo store.ModSeq) {
			if err := s.(*vault).below.Purge(t.Context(), id, upTo); err != nil {
				t.Error(err)
			}
		},
		Has: storetest.Everything | storetest.Locks | storetest.Metas | storetest.Snapshots | storetest.Retains,
	}
}

func TestStore(t *testing.T) { storetest.Run(t, suite(nil)) }

// TestCompressedStore is the whole stack: compressed, encrypted, kept.
func TestCompressedStore(t *testing.T) {
	storetest.Run(t, suite(func(b blob.Blobs, ring encrypt.KeyRing) blob.Blobs { return squeezed(t, b, ring) }))
}
