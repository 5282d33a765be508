package segment

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store/blob"
)

func TestRef(t *testing.T) {
	r := ref{number: 0xa1, origin: 0x40, size: 0x1000, sum: 0xdeadbeef}
	text := r.text()
	if want := blob.Ref("s00000000a1.0000000040.0000001000.deadbeef"); text != want {
		t.Fatalf("text = %q, want %q", text, want)
	}
	if got, ok := parseRef(text); !ok || got != r {
		t.Errorf("parseRef = %+v, %v", got, ok)
	}
	for _, bad := range []string{"", "s", strings.ToUpper(string(text)), "t" + string(text[1:]), strings.Replace(string(text), ".", "-", 1), string(text) + "0", strings.Replace(string(text), "a1", "+1", 1)} {
		if got, ok := parseRef(blob.Ref(bad)); ok {
			t.Errorf("parseRef(%q) = %+v", bad, got)
		}
	}
	refs := []ref{{1, 64, 9, 9}, {1, 0x100, 0, 0}, {2, 64, 0, 0}, {0x10, 64, 0, 0}, {maxNumber, maxOffset, maxOffset, 1}}
	texts := make([]blob.Ref, len(refs))
	for i, r := range refs {
		texts[i] = r.text()
	}
	if !slices.IsSorted(texts) {
		t.Errorf("the order of the texts is not that of the numbers: %q", texts)
	}
}

func TestFileName(t *testing.T) {
	for _, k := range []kind{shared, single, tombs} {
		name := fileName(k, 0xabc, 3)
		gotK, number, generation, ok := parseFileName(name)
		if !ok || gotK != k || number != 0xabc || generation != 3 {
			t.Errorf("parseFileName(%q) = %v, %x, %x, %v", name, gotK, number, generation, ok)
		}
	}
	for _, bad := range []string{"", "..", "x.y.seg", "0000000001.00000001.tmp", "000000001.00000001.seg", "0000000001.0000000A.seg"} {
		if _, _, _, ok := parseFileName(bad); ok {
			t.Errorf("parseFileName(%q) is accepted", bad)
		}
	}
}

func TestPool(t *testing.T) {
	var p pool
	p.free.Store(64 << 10)
	a := p.get(4096)
	b := p.get(4097)
	if len(a) != 0 || cap(a) < 4096+classRoom || cap(b) < 4097+classRoom {
		t.Fatalf("caps %d, %d", cap(a), cap(b))
	}
	if c := p.get(60 << 10); c != nil {
		t.Error("memory beyond the budget")
	}
	p.put(a)
	p.put(b)
	p.put(nil)
	if got := p.free.Load(); got != 64<<10 {
		t.Errorf("the budget is %d after all came back", got)
	}
}

// FuzzParse feeds every parser of the format, and holds what they accept
// against what the encoders make of it.
func FuzzParse(f *testing.F) {
	h := fileHeader{kind: shared, number: 7, generation: 2, created: 9, tableOff: 64, tableLen: 1}
	h.setSalt(3)
	f.Add(h.append(nil), uint32(1))
	rec := make([]byte, recHeaderSize)
	(&recHeader{size: 5, origin: 64, created: 1, sum: 2}).put(rec, 4)
	f.Add(rec, uint32(4))
	f.Add(tombstone{origin: 64, size: 48, setAside: true}.append(nil, 5), uint32(5))
	f.Add([]byte(ref{1, 2, 3, 4}.text()), uint32(0))
	f.Add([]byte(fileName(tombs, 3, 4)), uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, seed uint32) {
		if h, err := parseFileHeader(b); err == nil {
			if got, err := parseFileHeader(h.append(nil)); err != nil || got != h {
				t.Errorf("file header %+v came back as %+v, %v", h, got, err)
			}
		}
		if h, err := parseRecHeader(b, seed); err == nil {
			if h.size < 0 || h.origin < 0 || recordLen(h.size) < h.size {
				t.Errorf("record header %+v", h)
			}
			var again [recHeaderSize]byte
			h.put(again[:], seed)
			if got, err := parseRecHeader(again[:], seed); err != nil || got != h {
				t.Errorf("record header %+v came back as %+v, %v", h, got, err)
			}
		}
		if ts, err := parseTombstone(b, seed); err == nil {
			if got, err := parseTombstone(ts.append(nil, seed), seed); err != nil || got != ts {
				t.Errorf("tombstone %+v came back as %+v, %v", ts, got, err)
			}
		}
		if r, ok := parseRef(blob.Ref(b)); ok && string(r.text()) != string(b) {
			t.Errorf("Ref %q came back as %q", b, r.text())
		}
		if k, number, generation, ok := parseFileName(string(b)); ok && fileName(k, number, generation) != string(b) {
			t.Errorf("name %q came back as %q", b, fileName(k, number, generation))
		}
		th := fileHeader{tableLen: uint64(len(b) / tableEntrySize)}
		if table, err := parseTable(b, &th); err == nil && !bytes.Equal(appendTable(nil, table), b) {
			t.Error("table came back otherwise")
		}
	})
}
