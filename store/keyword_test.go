package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestValidKeyword(t *testing.T) {
	for _, kw := range []string{"a", "$Junk", "NonJunk", "a.b", "[x", "a/b", "~", "!", strings.Repeat("k", MaxKeyword)} {
		if !ValidKeyword(kw) {
			t.Errorf("%q is a keyword", kw)
		}
	}
	for _, kw := range []string{"", " ", "a b", "\\Seen", "(", ")", "{", "%", "*", `"`, "]", "a\x00", "a\x7f", "\u00e9", strings.Repeat("k", MaxKeyword+1)} {
		if ValidKeyword(kw) {
			t.Errorf("%q is no keyword", kw)
		}
	}
}

func TestCleanKeywords(t *testing.T) {
	in := []string{"b", "$X", "B", "a", "$x"}
	got, err := CleanKeywords(in)
	if err != nil || !slices.Equal(got, []string{"$X", "a", "b"}) {
		t.Errorf("CleanKeywords = %q, %v", got, err)
	}
	if in[0] != "b" || in[4] != "$x" {
		t.Errorf("the caller's list was changed: %q", in)
	}
	var many []string
	for i := range MaxKeywords + 1 {
		many = append(many, fmt.Sprintf("k%d", i))
	}
	if _, err := CleanKeywords(many[1:]); err != nil {
		t.Errorf("%d keywords: %v", MaxKeywords, err)
	}
	if _, err := CleanKeywords(many); !errors.Is(err, ErrLimit) {
		t.Errorf("%d keywords: %v", len(many), err)
	}
}

func TestSetFlagsOn(t *testing.T) {
	old := Flagging{Seen, []string{"$Junk", "a"}}
	for _, c := range []struct {
		op      SetFlags
		want    Flagging
		changed bool
	}{
		{SetFlags{}, old, false},
		{SetFlags{Flags: Seen, Keywords: []string{"A", "$JUNK"}}, old, false},
		{SetFlags{Flags: Draft, Keywords: []string{"Z"}}, Flagging{Seen | Draft, []string{"$Junk", "Z", "a"}}, true},
		{SetFlags{Mode: FlagsRemove, Flags: Draft, Keywords: []string{"q"}}, old, false},
		{SetFlags{Mode: FlagsRemove, Flags: Seen, Keywords: []string{"$jUNK"}}, Flagging{0, []string{"a"}}, true},
		{SetFlags{Mode: FlagsReplace, Flags: Seen, Keywords: []string{"A", "$junk"}}, old, false},
		{SetFlags{Mode: FlagsReplace, Keywords: []string{"A", "n"}}, Flagging{0, []string{"a", "n"}}, true},
		{SetFlags{Mode: FlagsReplace}, Flagging{}, true},
	} {
		got, changed, err := c.op.On(old)
		if got.Flags != c.want.Flags || !slices.Equal(got.Keywords, c.want.Keywords) || changed != c.changed || err != nil {
			t.Errorf("%+v: %+v, %v, %v; want %+v, %v", c.op, got, changed, err, c.want, c.changed)
		}
		if !slices.Equal(old.Keywords, []string{"$Junk", "a"}) {
			t.Fatalf("%+v changed the old state: %q", c.op, old.Keywords)
		}
	}
}

func TestAccountIDCheck(t *testing.T) {
	for id, want := range map[AccountID]error{
		"alice@example.org": nil, "\u00e4": nil, "": ErrName, "\xff": ErrName, "a\u0308": ErrName,
		AccountID(strings.Repeat("a", 256)): ErrName,
	} {
		if err := id.Check(); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", id, err, want)
		}
	}
}
