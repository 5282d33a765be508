package memstore_test

import (
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
	"github.com/mailstead/mailstead/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Config{
		New: func(t *testing.T) store.Store {
			s := memstore.New(nil)
			t.Cleanup(func() { s.Close() })
			return s
		},
		Purge: func(t *testing.T, s store.Store, id store.AccountID, upTo store.ModSeq) {
			if err := s.(*memstore.Store).Purge(t.Context(), id, upTo); err != nil {
				t.Error(err)
			}
		},
		Nodes: func(t *testing.T, n int) []store.Store { // one store is all nodes there can be
			s := memstore.New(nil)
			t.Cleanup(func() { s.Close() })
			return slices.Repeat([]store.Store{s}, n)
		},
		Has: storetest.Everything | storetest.Locks | storetest.Metas | storetest.Snapshots | storetest.Retains | storetest.Keys,
	})
}
