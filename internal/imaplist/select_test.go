package imaplist

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
)

// tree makes names: "a" exists, "-a" does not, "+a" is subscribed, "!a" cannot be
// opened, "a=\Sent" has a special use.
func tree(words ...string) (names []Name) {
	for i, w := range words {
		n := Name{Exists: true, Ref: i}
		for strings.IndexByte("-+!", w[0]) >= 0 {
			switch w[0] {
			case '-':
				n.Exists = false
			case '+':
				n.Subscribed = true
			case '!':
				n.NoSelect = true
			}
			w = w[1:]
		}
		n.Name, n.Role, _ = strings.Cut(w, "=")
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b Name) int { return strings.Compare(a.Name, b.Name) })
	return names
}

// show writes answers in one line each.
func show(answers []Answer) (lines []string) {
	for _, a := range answers {
		line := strings.Join(a.Attrs, " ") + " " + a.Name.Name
		if a.ChildInfo != nil {
			line += fmt.Sprint(" ", a.ChildInfo)
		}
		lines = append(lines, strings.NewReplacer(`\HasNoChildren`, "leaf", `\HasChildren`, "node", `\NonExistent \Noselect`, "none").Replace(line))
	}
	return lines
}

func TestSelect(t *testing.T) {
	foo2 := tree("+foo2/bar1", "+foo2/bar2", "foo2", "baz2", "+baz2/bar2", "+baz2/bar22", "+baz2/bar222", "eps2", "+eps2/mamba", "+qux2/bar2")
	for _, tt := range []struct {
		line  string
		names []Name
		want  []string
	}{
		{`"" %`, tree("a", "a/b", "INBOX"), []string{"leaf INBOX", "node a"}},
		// RFC 5258 §5, example 9.
		{`(RECURSIVEMATCH SUBSCRIBED) "" *2`, foo2, []string{
			`leaf \Subscribed baz2/bar2`, `leaf \Subscribed baz2/bar22`, `leaf \Subscribed baz2/bar222`, "node eps2 [SUBSCRIBED]",
			"node foo2 [SUBSCRIBED]", `leaf \Subscribed foo2/bar2`, `leaf \Subscribed qux2/bar2`,
		}},
		// Example 10: a name below is told itself, so the one above need not be.
		{`(RECURSIVEMATCH SUBSCRIBED) "" *`, tree("foo", "+foo/bar"), []string{`leaf \Subscribed foo/bar`}},
		{`(RECURSIVEMATCH SUBSCRIBED) "" *`, tree("+foo", "+foo/bar"), []string{`node \Subscribed foo [SUBSCRIBED]`, `leaf \Subscribed foo/bar`}},
		// A2: the level above is no mailbox.
		{`(SUBSCRIBED RECURSIVEMATCH) "" %`, tree("+foo/bar"), []string{"none node foo [SUBSCRIBED]"}},
		{`(SUBSCRIBED RECURSIVEMATCH) "" %`, tree("-+foo/a/b"), []string{"none leaf foo [SUBSCRIBED]"}},
		{`"" %`, tree("x/y/z"), []string{`\Noselect node x`}},
		{`"" x/%`, tree("x/y/z"), []string{`\Noselect node x/y`}},
		{`"" *`, tree("x/y/z"), []string{"leaf x/y/z"}},
		{`"" (* x)`, tree("x/y/z"), []string{"leaf x/y/z"}},
		{`"" * RETURN ()`, tree("-x", "x/y", "-+q"), []string{"none node x", "leaf x/y"}},
		{`(SUBSCRIBED) "" *`, tree("-+q", "r"), []string{`none leaf \Subscribed q`}},
		{`(SUBSCRIBED SPECIAL-USE) "" *`, tree("+a=\\Sent", "b=\\Junk", "+c"), []string{`leaf \Sent \Subscribed a`}},
		{`(SPECIAL-USE RECURSIVEMATCH) "" %`, tree("a", "a/b/c=\\Sent", "d"), []string{"node a [SPECIAL-USE]"}},
		{`"" *`, tree("!a", "a/b"), []string{`\Noselect node a`, "leaf a/b"}},
	} {
		r, err := parse(tt.line)
		if err != nil {
			t.Fatal(tt.line, err)
		}
		if got := show(slices.Collect(r.Select(tt.names, false))); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s:\n%q\n%q", tt.line, got, tt.want)
		}
	}
}

func TestSelectSubscribed(t *testing.T) {
	names := tree("+a/b", "a", "-+a/c", "d", "+e", "+f/g/h")
	for pattern, want := range map[string][]string{
		"*":   {" a/b", `\Noselect a/c`, " e", " f/g/h"},
		"%":   {`\Noselect a`, " e", `\Noselect f`},
		"f/%": {`\Noselect f/g`},
	} {
		r := Request{Patterns: []string{pattern}}
		if got := show(slices.Collect(r.SelectSubscribed(names, true))); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
}

// TestDeepNames: many deep names take no longer than their levels are many.
func TestDeepNames(t *testing.T) {
	var words []string
	for i := range 2000 {
		words = append(words, fmt.Sprintf("+%s%d", strings.Repeat("x/", 500), i))
	}
	r := Request{Patterns: []string{"%"}, Subscribed: true, Recursive: true, Extended: true}
	if got := show(slices.Collect(r.Select(tree(words...), true))); !slices.Equal(got, []string{"none node x [SUBSCRIBED]"}) {
		t.Error(got)
	}
}

// TestTwentyStars counts nothing: it would not end if matching went back.
func TestTwentyStars(t *testing.T) {
	match := Match([]string{strings.Repeat("*a", 20) + "*b", strings.Repeat("%*", 20) + "c"}, true)
	if match(strings.Repeat("a", 1000)) {
		t.Error("matches")
	}
}

// FuzzSelect holds Select against the rules read plainly (RFC 5258 §3.5).
func FuzzSelect(f *testing.F) {
	f.Add("+a/b -c d/e/f +INBOX", "%", uint8(5))
	f.Add("a +a/b/c", "a*", uint8(7))
	f.Fuzz(func(t *testing.T, words, pattern string, options uint8) {
		names := fuzzNames(words)
		r := Request{Patterns: []string{pattern}, Subscribed: options&1 != 0, SpecialUse: options&2 != 0, Extended: true}
		r.Recursive = options&4 != 0 && (r.Subscribed || r.SpecialUse)
		match := Match(r.Patterns, true)
		told := map[string]bool{}
		last := ""
		for a := range r.Select(names, true) {
			if told[a.Name.Name] || a.Name.Name < last || !match(a.Name.Name) {
				t.Fatalf("%q is told twice, out of order, or does not match", a.Name.Name)
			}
			told[a.Name.Name], last = true, a.Name.Name
			if slices.Contains(a.Attrs, string(imap.AttrNonExistent)) == a.Exists {
				t.Fatalf("%q: %v", a.Name.Name, a.Attrs)
			}
		}
		for i := range names {
			n := &names[i]
			meets := r.selects(n) && match(n.Name) && (n.Exists || r.Subscribed)
			if meets && !told[n.Name] {
				t.Fatalf("%q is not told", n.Name)
			}
		}
	})
}

func fuzzNames(words string) []Name {
	fields := strings.Fields(words)
	fields = slices.DeleteFunc(fields, func(w string) bool {
		name := strings.TrimLeft(w, "-+!")
		return name == "" || strings.Contains("/"+name+"/", "//") || len(w) > 50
	})
	names := tree(fields...)
	names = slices.DeleteFunc(names, func(n Name) bool { return n.Name == "" })
	return slices.CompactFunc(names, func(a, b Name) bool { return a.Name == b.Name })
}
