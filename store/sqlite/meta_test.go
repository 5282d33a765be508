package sqlite_test

import (
	"testing"

	"github.com/mailstead/mailstead/store"
)

// TestMetaKept: Meta that is offered survives Close, for each of many messages,
// and never takes the place of a newer version in the database.
func TestMetaKept(t *testing.T) {
	s := open(t, t.TempDir())
	w := newWriter(t, s, "alice")
	const n = 250 // more than one batch
	var uids store.UIDSet
	for k := range n {
		op := w.op(t, body(10), uint64(k))
		op.Meta = []byte("\x02of the writer")
		r, err := w.a.Apply(t.Context(), store.Change{Ops: []store.Op{op}})
		if err != nil {
			t.Fatal(err)
		}
		uids.AddSet(r.Ops[0].Dest)
	}
	for uid := range uids.All() {
		meta := "\x03newer"
		if uid%2 == 0 {
			meta = "\x01older"
		}
		if err := store.OfferMeta(t.Context(), w.a, w.inbox, uid, []byte(meta)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(a store.Account) {
		t.Helper()
		for m, err := range a.Messages(t.Context(), w.inbox, store.Query{Fields: store.FieldMeta}) {
			want := "\x03newer"
			if m != nil && m.UID%2 == 0 {
				want = "\x02of the writer"
			}
			if err != nil || string(m.Meta) != want {
				t.Fatalf("Meta of %v: %q, %v, want %q", m.UID, m.Meta, err, want)
			}
		}
	}
	check(w.a)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, s.dir)
	a, err := s.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	check(a)
}
