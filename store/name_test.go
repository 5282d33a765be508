package store

import (
	"errors"
	"strings"
	"testing"
)

func TestCleanName(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"INBOX", "INBOX"},
		{"inbox", "INBOX"},
		{"InBox/a", "INBOX/a"},
		{"inboxes", "inboxes"},
		{"x/inbox", "x/inbox"},
		{"\u0130nbox", "\u0130nbox"}, // folds to no ASCII letter
		{"cafe\u0301", "caf\u00e9"},
		{"a b", "a b"},
		{"..", ".."},
		{strings.Repeat("x", MaxName), strings.Repeat("x", MaxName)},
		{strings.Repeat("e\u0301", 512), strings.Repeat("\u00e9", 512)}, // 1024 octets in NFC
	} {
		got, err := CleanName(c.in)
		if got != c.want || err != nil {
			t.Errorf("CleanName(%q) = %q, %v; want %q", c.in, got, err, c.want)
		}
		if err := ValidateName(c.want); err != nil {
			t.Errorf("ValidateName(%q) = %v", c.want, err)
		}
		if err := ValidateName(c.in); (err == nil) != (c.in == c.want) {
			t.Errorf("ValidateName(%q) = %v", c.in, err)
		}
	}
	for _, in := range []string{
		"", "/", "/a", "a/", "a//b", "a\x00", "\r\n", "\x7f", "\u0080", "\u2028", "a\u2029b", "\xff", "\xc0\xaf",
		strings.Repeat("x", MaxName+1), strings.Repeat("\u00e9", 513),
	} {
		if got, err := CleanName(in); !errors.Is(err, ErrName) {
			t.Errorf("CleanName(%q) = %q, %v; want ErrName", in, got, err)
		}
	}
}

func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"inbox/x", "cafe\u0301", "a//b", "\xff", "\u1112\u1161"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		name, err := CleanName(in)
		if err != nil {
			return
		}
		if again, err := CleanName(name); err != nil || again != name {
			t.Errorf("CleanName(%q) = %q, and again %q, %v", in, name, again, err)
		}
		if p := ParentName(name); p != "" && (ValidateName(p) != nil || !IsBelow(name, p)) {
			t.Errorf("%q: the level above, %q, is not clean or not above", name, p)
		}
		if len(name) > MaxName || strings.EqualFold(name, Inbox) && len(name) == len(Inbox) && name != Inbox {
			t.Errorf("CleanName(%q) = %q", in, name)
		}
	})
}

func TestLevels(t *testing.T) {
	for name, parent := range map[string]string{"a": "", "a/b": "a", "a/b/c": "a/b"} {
		if got := ParentName(name); got != parent {
			t.Errorf("ParentName(%q) = %q, want %q", name, got, parent)
		}
	}
	for _, c := range []struct {
		name, parent string
		want         bool
	}{{"a/b", "a", true}, {"a/b/c", "a", true}, {"a", "a", false}, {"ab", "a", false}, {"ab/c", "a", false}, {"a", "a/b", false}} {
		if got := IsBelow(c.name, c.parent); got != c.want {
			t.Errorf("IsBelow(%q, %q) = %v", c.name, c.parent, got)
		}
	}
}
