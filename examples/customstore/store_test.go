package main

import (
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/storetest"
)

// TestStore judges the backend. It has one owner (no Nodes), is not persistent
// (no Reopen, no Faults) and keeps all tombstones (no Purge).
func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Config{
		New: func(t *testing.T) store.Store {
			s := newMapStore()
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			return s
		},
		Has: storetest.Everything,
	})
}
