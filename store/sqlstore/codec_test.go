package sqlstore

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store"
)

func sampleBlock() *block {
	b := newBlock(5)
	b.rows = []row{
		{uid: 5, modSeq: 900, flags: store.Seen, size: 1},
		{uid: 6, modSeq: 3, kind: b.kindOf([]string{"$Forwarded", "Work"}), size: 1 << 40},
		{uid: 1<<32 - 2, modSeq: 1 << 62, flags: store.AllFlags, kind: b.kindOf([]string{"Work"})},
	}
	return b
}

func TestBlockRoundTrip(t *testing.T) {
	want := sampleBlock()
	want.kindOf([]string{"unused"})
	got := new(block)
	if err := decodeBlock(got, 5, want.encode(nil)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.rows, want.rows) {
		t.Errorf("rows %v, want %v", got.rows, want.rows)
	}
	if len(got.kinds) != 3 || !reflect.DeepEqual(got.kinds, want.kinds[:3]) {
		t.Errorf("keyword lists %v; the one that no row uses must go", got.kinds)
	}
}

func TestBlockDamage(t *testing.T) {
	data := sampleBlock().encode(nil)
	for n := range data {
		if err := decodeBlock(new(block), 5, data[:n]); !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrVersion) {
			t.Errorf("cut to %d octets: %v", n, err)
		}
	}
	data[0]++
	if err := decodeBlock(new(block), 5, data); !errors.Is(err, store.ErrVersion) {
		t.Errorf("newer version: %v", err)
	}
}

func FuzzBlock(f *testing.F) {
	f.Add(sampleBlock().encode(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := new(block)
		if decodeBlock(b, 5, data) != nil {
			return
		}
		again := new(block)
		if err := decodeBlock(again, 5, b.encode(nil)); err != nil {
			t.Fatalf("what was decoded does not survive a round trip: %v", err)
		}
		for i, r := range b.rows {
			s := again.rows[i]
			if !slices.Equal(b.kinds[r.kind], again.kinds[s.kind]) {
				t.Fatalf("row %d has other keywords", i)
			}
			r.kind, s.kind = 0, 0
			if r != s {
				t.Fatalf("row %d: %v, then %v", i, r, s)
			}
		}
	})
}

func TestUIDsRoundTrip(t *testing.T) {
	for _, want := range []store.UIDSet{
		nil, store.UIDs(1), store.UIDs(1, 3, 5), store.AllUIDs(), {{First: 7, Last: 9}, {First: 1<<32 - 1, Last: 1<<32 - 1}},
	} {
		got, err := consumeUIDs(appendUIDs(nil, want))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v became %v, %v", want, got, err)
		}
	}
}

func FuzzUIDs(f *testing.F) {
	f.Add(appendUIDs(nil, store.UIDs(1, 2, 9)))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := consumeUIDs(data)
		if err != nil {
			return
		}
		for i, r := range s {
			if r.First == 0 || r.First > r.Last || i > 0 && r.First <= s[i-1].Last {
				t.Fatalf("not a set: %v", s)
			}
		}
	})
}

func FuzzResult(f *testing.F) {
	f.Add(appendResult(nil, store.Result{ModSeq: 9, Ops: []store.OpResult{{UIDValidity: 7, Dest: store.UIDs(1, 2)}}}))
	f.Add(appendResult(nil, store.Result{ModSeq: 9, Ops: []store.OpResult{{Held: store.UIDs(3)}, {Changed: store.UIDs(1, 2)}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeResult(data)
		if err != nil {
			return
		}
		again, err := decodeResult(appendResult(nil, r))
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%v became %v, %v", r, again, err)
		}
	})
}

func TestNextIn(t *testing.T) {
	set := store.UIDSet{{First: 3, Last: 5}, {First: 9, Last: 9}}
	at := 0
	var got []store.UID
	for u := store.UID(1); ; u++ {
		n, ok := nextIn(set, &at, u)
		if !ok {
			break
		}
		got = append(got, n)
	}
	if want := []store.UID{3, 3, 3, 4, 5, 9, 9, 9, 9}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestSplit(t *testing.T) {
	got := split([]store.UID{1, 2, 9, 20, 28}, 8)
	want := []store.UIDRange{{First: 1, Last: 9}, {First: 20, Last: 28}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestHalve: halving keeps every row and its keywords.
func TestHalve(t *testing.T) {
	b := newBlock(1)
	for i := range 2 * blockMax {
		kw := []string{string(rune('a' + rand.IntN(5)))}
		b.rows = append(b.rows, row{uid: store.UID(i + 1), kind: b.kindOf(kw)})
	}
	var before []string
	for _, r := range b.rows {
		before = append(before, b.kinds[r.kind][0])
	}
	upper := b.halve()
	var after []string
	for _, part := range []*block{b, upper} {
		again := new(block)
		if err := decodeBlock(again, part.first, part.encode(nil)); err != nil {
			t.Fatal(err)
		}
		for _, r := range again.rows {
			after = append(after, again.kinds[r.kind][0])
		}
	}
	if !slices.Equal(before, after) || upper.first != blockMax+1 {
		t.Errorf("halved at %d: %v, want %v", upper.first, after, before)
	}
}

func TestAfter(t *testing.T) {
	for _, c := range []struct{ prefix, in, out string }{
		{"a/", "a/\xff\xff", "a0"}, {"", "\xff\xff", ""}, {"a\xff", "a\xff\xff", "b"},
	} {
		end := after([]byte(c.prefix))
		if bytes.Compare([]byte(c.in), end) >= 0 {
			t.Errorf("%q starts with %q but is not below %q", c.in, c.prefix, end)
		}
		if c.out != "" && bytes.Compare([]byte(c.out), end) < 0 {
			t.Errorf("%q does not start with %q but is below %q", c.out, c.prefix, end)
		}
	}
}
