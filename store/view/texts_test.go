package view

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store"
)

// keepTexts puts a text of size octets for each message of the table.
func keepTexts(t *Texts, table *Table, size int) {
	w := TextWriter{To: t}
	text := bytes.Repeat([]byte("x"), size)
	for r := range table.Rows(1, table.MaxUID()) {
		w.Add(r.UID, fmt.Appendf(text[:max(size-8, 0)], "%08d", r.UID))
	}
	w.Flush()
}

// TestTexts: what was put is found, in any order of putting, once.
func TestTexts(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 3000)
	views := New(w.st, Options{})
	defer views.Close()
	a := open(t, views)
	defer a.Release()
	table := w.table(t, a)
	texts := a.Texts(w.inbox, 1)
	for _, third := range []store.UID{2, 0, 1, 1} {
		tw := TextWriter{To: texts}
		for uid := store.UID(1); uid <= 2900; uid++ {
			if uid%3 == third {
				tw.Add(uid, fmt.Appendf(nil, "text %04d", uid))
			}
		}
		tw.Flush()
	}
	tw := TextWriter{To: texts}
	tw.Add(2950, make([]byte, maxText+1))
	tw.Flush()
	hits := texts.Containing([]byte(" 17"), table.UIDs())
	if want := (store.UIDSet{{First: 1700, Last: 1799}}); !slices.Equal(hits.Match, want) {
		t.Errorf("match %v, want %v", hits.Match, want)
	}
	if want := (store.UIDSet{{First: 2901, Last: 3000}}); !slices.Equal(hits.Unknown, want) {
		t.Errorf("unknown %v, want %v", hits.Unknown, want)
	}
	// What spans the end of one text and the begin of the next is in neither.
	if hits := texts.Containing([]byte("0002text"), store.AllUIDs()); len(hits.Match) > 0 {
		t.Errorf("%v match across texts", hits.Match)
	}
	hits = texts.Matching(func(b []byte) bool { return string(b) == "text 0007" }, store.UIDs(5, 7, 9))
	if !slices.Equal(hits.Match, store.UIDs(7)) || len(hits.Unknown) > 0 {
		t.Errorf("match %v, unknown %v", hits.Match, hits.Unknown)
	}
	if n := texts.n; n != 2900 {
		t.Errorf("%d texts are kept, want 2900", n)
	}
}

// TestTextsMemory: texts are bounded with the Tables, one of them by a quarter;
// those of expunged messages go, and with a mailbox all.
func TestTextsMemory(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 10000)
	const bound = 1 << 20
	views := New(w.st, Options{MaxBytes: bound})
	defer views.Close()
	a := open(t, views)
	defer a.Release()
	table := w.table(t, a)
	for kind := range uint8(8) {
		keepTexts(a.Texts(w.inbox, kind), table, 100)
		if texts := a.Texts(w.inbox, kind); texts.bytes > bound/textsShare {
			t.Errorf("one takes %d octets of %d", texts.bytes, bound)
		}
		if n := views.Bytes(); n > bound {
			t.Errorf("%d octets are kept, bound %d", n, bound)
		}
	}
	if n := len(a.texts); n == 0 || n == 8 {
		t.Errorf("%d of 8 are kept", n)
	}
	if _, err := w.acct.Apply(t.Context(), store.Change{Ops: []store.Op{
		store.Expunge{Mailbox: w.inbox, UIDs: store.UIDSet{{First: 1, Last: 9900}}},
	}}); err != nil {
		t.Fatal(err)
	}
	texts := a.Texts(w.inbox, 7)
	before := texts.n
	texts.Trim(w.table(t, a))
	if texts.n > 100 || before < 1000 {
		t.Errorf("%d texts are kept, %d before the messages went", texts.n, before)
	}
	a.dropMailbox(w.inbox)
	if n := views.Bytes(); n != 0 || len(a.texts) != 0 {
		t.Errorf("%d octets in %d texts are left", n, len(a.texts))
	}
}

// TestTextsSize: a text costs six octets besides itself, and few for its block.
func TestTextsSize(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 10000)
	views := New(w.st, Options{})
	defer views.Close()
	a := open(t, views)
	defer a.Release()
	table := w.table(t, a)
	texts := a.Texts(w.inbox, 1)
	keepTexts(texts, table, 40)
	each := float64(texts.bytes) / 10000
	t.Logf("%.1f octets for a text of 40", each)
	if each > 47 {
		t.Errorf("a text of 40 octets costs %.1f", each)
	}
}

// TestTextsEvicted: one that was put out while somebody writes to it does not
// grow.
func TestTextsEvicted(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 2000)
	views := New(w.st, Options{})
	defer views.Close()
	a := open(t, views)
	defer a.Release()
	table := w.table(t, a)
	texts := a.Texts(w.inbox, 1)
	before := texts.bytes
	a.dropMailbox(w.inbox)
	keepTexts(texts, table, 100)
	if texts.bytes != before || texts.n != 0 || len(texts.blocks) != 0 || views.Bytes() != 0 {
		t.Errorf("%d texts of %d octets, %d are counted", texts.n, texts.bytes, views.Bytes())
	}
}
