package view

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store"
)

// model is what a Table should hold.
type model map[store.UID]Row

// TestLargeTable changes a Table of several pages: messages between others,
// flags here and there, expunges that empty chunks and pages, and messages
// behind all others; after each step it is as a plain map, and so are the
// Tables before.
func TestLargeTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = pageChunks*chunkRows + 1000
	want := model{}
	b := newBuilder(nil)
	put := func(uid store.UID, at store.ModSeq, flags store.Flags) {
		b.message(&store.Message{UID: uid, ModSeq: at, Flags: flags, Size: int64(uid)})
		want[uid] = Row{ModSeq: at, Size: int64(uid), UID: uid, state: uint32(flags)}
	}
	steps := []func(at store.ModSeq){
		func(at store.ModSeq) { // 2, 4, 6 …
			for uid := store.UID(2); uid <= 2*n; uid += 2 {
				put(uid, at, 0)
			}
		},
		func(at store.ModSeq) { // what lies between, and so splits chunks and pages
			for uid := store.UID(1); uid <= 2*n; uid += 2 {
				put(uid, at, store.Seen)
			}
		},
		func(at store.ModSeq) {
			for range 100 {
				put(store.UID(rng.IntN(2*n)+1), at, store.Flagged)
			}
		},
		func(at store.ModSeq) {
			for uid := store.UID(2*n + 1); uid <= 2*n+10; uid++ {
				put(uid, at, 0)
			}
		},
		func(at store.ModSeq) { // the array of the last chunk grows and is then changed
			put(2*n+11, at, 0)
			put(2*n+5, at, store.Deleted)
		},
		func(at store.ModSeq) { // all but every 50th, and nothing of the middle
			for uid := store.UID(1); uid <= 2*n; uid++ {
				if uid%50 != 0 || uid > n/2 && uid < n {
					b.message(&store.Message{UID: uid, ModSeq: at, Gone: true})
					delete(want, uid)
				}
			}
		},
		func(at store.ModSeq) {
			put(2*n+12, at, store.Deleted)
			put(50, at, store.Deleted)
		},
	}
	var tables []*Table
	var models []model
	for i, step := range steps {
		at := store.ModSeq(i + 1)
		step(at)
		tables, models = append(tables, b.finish(at)), append(models, maps.Clone(want))
		b = newBuilder(tables[i])
	}
	for i := range tables {
		tables[i].check(t, models[i])
	}
}

// check compares a Table with what it should hold.
func (t *Table) check(test *testing.T, want model) {
	var octets int64
	n := 0
	for r := range t.Rows(1, t.MaxUID()) {
		if got := t.At(n); got != r {
			test.Errorf("At(%d) is %v, want %v", n, got, r)
		}
		octets += r.Size
		n++
	}
	if t.At(-1) != nil || t.At(n) != nil || t.Octets() != octets {
		test.Errorf("%d octets, want %d; or there are rows outside", t.Octets(), octets)
	}
	test.Helper()
	uids := slices.Sorted(maps.Keys(want))
	if t.Len() != len(uids) || t.UIDs().Len() != int64(len(uids)) || t.MaxUID() != uids[len(uids)-1] {
		test.Fatalf("at %d: %d messages, UIDs %d, last %d; want %d, last %d",
			t.modseq, t.Len(), t.UIDs().Len(), t.MaxUID(), len(uids), uids[len(uids)-1])
	}
	i := 0
	for r := range t.Rows(1, t.MaxUID()) {
		if *r != want[uids[i]] || *t.Row(r.UID) != *r {
			test.Fatalf("at %d: row %+v, want %+v", t.modseq, *r, want[uids[i]])
		}
		i++
	}
	changed, flagged, unseen := model{}, model{}, model{}
	for uid, r := range want {
		if r.ModSeq >= t.modseq {
			changed[uid] = r
		}
		if r.Flags()&store.Flagged != 0 {
			flagged[uid] = r
		}
		if r.Flags()&store.Seen == 0 {
			unseen[uid] = r
		}
	}
	if i != len(uids) || !collect(t.Changed(t.modseq-1)).equal(changed) ||
		!collect(t.With(store.Flagged, 1, t.MaxUID())).equal(flagged) ||
		!collect(t.Without(store.Seen, 1, t.MaxUID())).equal(unseen) {
		test.Errorf("at %d: Rows, Changed, With or Without differ", t.modseq)
	}
	for _, p := range t.pages {
		for _, c := range p.chunks {
			if len(c.rows) == 0 || len(c.rows) >= 2*chunkRows {
				test.Errorf("at %d: a chunk of %d rows", t.modseq, len(c.rows))
			}
		}
		if len(p.chunks) == 0 || len(p.chunks) >= 2*pageChunks {
			test.Errorf("at %d: a page of %d chunks", t.modseq, len(p.chunks))
		}
	}
}

func collect(rows func(func(*Row) bool)) model {
	m := model{}
	for r := range rows {
		m[r.UID] = *r
	}
	return m
}

func (m model) equal(o model) bool { return maps.Equal(m, o) }
