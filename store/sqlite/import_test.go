package sqlite_test

import (
	"context"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// TestImportBetween: messages imported between others stay when more come
// behind, also where blocks are halved.
func TestImportBetween(t *testing.T) {
	s := open(t, t.TempDir())
	w := newWriter(t, s, "alice")
	importing, active := store.AccountImporting, store.AccountActive
	w.apply(t, store.PutAccount{State: &importing})
	op := w.op(t, body(100), 1)
	var want store.UIDSet
	put := func(from, to, step store.UID) {
		var ops []store.Op
		for u := from; u <= to; u += step {
			ops = append(ops, store.Import{Append: op, UID: u, ModSeq: store.ModSeq(1000 + u)})
			want.Add(u)
		}
		w.apply(t, ops...)
	}
	put(1000, 2000, 4)
	put(1002, 1998, 4)
	put(2001, 2001, 1)
	put(1001, 1999, 2)
	put(2002, 2003, 1)
	put(1, 999, 111)
	w.apply(t, store.PutAccount{State: &active})
	w.deliver(t, body(100), 2)
	want.Add(2004 + 1<<20)
	var got store.UIDSet
	last := store.UID(0)
	for m, err := range w.a.Messages(t.Context(), w.inbox, store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if m.UID <= last {
			t.Errorf("%d after %d", m.UID, last)
		}
		last = m.UID
		got.Add(m.UID)
	}
	if got.String() != want.String() {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	sound(t, s)
}

// TestSyncs: what durability rests on, asked of the connection that writes.
func TestSyncs(t *testing.T) {
	s := open(t, t.TempDir())
	err := s.engine.DB().Commit(context.Background(), sqldb.Work{Do: func(tx *sqldb.Tx) error {
		n, _, err := sqldb.One(tx.Context(), tx, sqldb.Int64, `PRAGMA synchronous`)
		if n != 2 {
			t.Errorf("synchronous is %d, want 2 (FULL)", n)
		}
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
}
