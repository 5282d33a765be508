package imap

import (
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
)

func TestNumSet(t *testing.T) {
	tests := []struct {
		in   string
		last uint32
		want string // "" and bad = refused
		bad  bool
	}{
		{in: "2,4:7,9,12:*", last: 15, want: "2,4:7,9,12:15"},
		{in: "*:4,5:7", last: 10, want: "4:10"},
		{in: "3291:*", last: 5, want: "5:3291"}, // covers the last message all the same
		{in: "*", last: 7, want: "7"},
		{in: "*", last: 0, want: ""},
		{in: "1:4294967295", last: 3, want: "1:4294967295"},
		{in: "5,3,1", last: 9, want: "1,3,5"},
		{in: "1,1,1:2", last: 9, want: "1:2"},
		{in: "0", bad: true},
		{in: "1:0", bad: true},
		{in: "4294967296", bad: true},
		{in: "1,", bad: true},
		{in: "", bad: true},
		{in: "1 2", bad: true},
	}
	for _, tt := range tests {
		set, err := ParseNumSet(tt.in)
		if (err != nil) != tt.bad {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		if err != nil {
			continue
		}
		if set.String() != tt.in {
			t.Errorf("%q is written %q", tt.in, set)
		}
		if got := set.Resolve(tt.last).String(); got != tt.want {
			t.Errorf("%q of %d: %s, want %s", tt.in, tt.last, got, tt.want)
		}
	}
}

// TestNumSetWorstOrder resolves the most ranges that a set may have, in the
// order that costs most.
func TestNumSetWorstOrder(t *testing.T) {
	var set NumSet
	for i := range uint32(10_000) {
		set = append(set, NumRange{Start: 4 * (10_000 - i), Stop: 4*(10_000-i) + 1})
	}
	if n := set.Resolve(1); len(n) != 10_000 || n[0].First != 4 {
		t.Errorf("%d ranges from %d", len(n), n[0].First)
	}
}

func TestSectionNames(t *testing.T) {
	tests := []struct {
		sec  Section
		want string
	}{
		{Section{}, "BODY[]"},
		{Section{Name: "RFC822.TEXT", Text: TextText}, "RFC822.TEXT"},
		{Section{Part: []uint32{4, 2}, Text: TextMIME, Peek: true}, "BODY[4.2.MIME]"},
		{Section{Part: []uint32{1}}, "BODY[1]"},
		{Section{Form: FormBinary, Part: []uint32{1, 2}, Partial: true, Offset: 1 << 40, Count: 1}, "BINARY[1.2]<1099511627776>"},
		{Section{Form: FormBinarySize}, "BINARY.SIZE[]"},
		{Section{Text: TextFields, Fields: []string{"From", "a b"}}, `BODY[HEADER.FIELDS (From "a b")]`},
		{Section{Part: []uint32{3}, Text: TextFieldsNot, Fields: []string{"X"}, Partial: true, Offset: 5, Count: 7}, "BODY[3.HEADER.FIELDS.NOT (X)]<5>"},
	}
	for _, tt := range tests {
		if got := string(tt.sec.AppendName(nil)); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestWindow(t *testing.T) {
	const most = 1<<32 - 1
	for _, tt := range []struct{ offset, count, size, wantOffset, wantCount int64 }{
		{0, 2048, 1500, 0, 1500},
		{10, 5, 100, 10, 5},
		{100, 5, 100, 100, 0},
		{most, most, 10, 10, 0},
		{1, most, 10, 1, 9},
		{0, most, 1 << 40, 0, most},
		{1, 1<<63 - 1, 10, 1, 9},
		{1<<63 - 1, 1<<63 - 1, 1<<63 - 1, 1<<63 - 1, 0},
	} {
		sec := Section{Partial: true, Offset: tt.offset, Count: tt.count}
		if o, c := sec.Window(tt.size); o != tt.wantOffset || c != tt.wantCount {
			t.Errorf("<%d.%d> of %d: %d, %d", tt.offset, tt.count, tt.size, o, c)
		}
	}
}

func TestFlagNames(t *testing.T) {
	names := string(AppendFlagNames(nil, store.AllFlags))
	var back Flags
	for name := range strings.FieldsSeq(strings.ToUpper(names)) {
		f, ok := SystemFlag(name)
		if !ok {
			t.Errorf("%s is unknown", name)
		}
		back |= f
	}
	if back != store.AllFlags {
		t.Errorf("%s gives %v", names, back)
	}
	if _, ok := SystemFlag(FlagRecent); ok {
		t.Error(`\Recent can be set`)
	}
}

func FuzzNumSet(f *testing.F) {
	f.Add("1:*,3", uint32(7))
	f.Fuzz(func(t *testing.T, s string, last uint32) {
		set, err := ParseNumSet(s)
		if err != nil {
			return
		}
		again, err := ParseNumSet(set.String())
		if err != nil || again.String() != set.String() {
			t.Fatalf("%q: %v", set, err)
		}
		before := store.UID(0)
		for i, r := range set.Resolve(last) {
			if r.First > r.Last || r.First == 0 || i > 0 && r.First <= before+1 {
				t.Fatalf("%q of %d is no ascending set: %v", s, last, set.Resolve(last))
			}
			before = r.Last
		}
	})
}
