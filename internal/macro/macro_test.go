package macro

import (
	"errors"
	"strings"
	"testing"
)

func known(name string) bool { return name == "user" || name == "queue_id" }

func TestTemplate(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "x": "x", "$user": "<user>", "a${user}b": "a<user>b", "$$user": "$user", "$$$user$$": "$<user>$", "$user$queue_id.": "<user><queue_id>.",
	} {
		tmpl, err := Parse(in, known)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if got := tmpl.Expand(func(name string) string { return "<" + name + ">" }); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for _, in := range []string{"$", "a$", "${user", "${}", "$User", "$users", "$x", "\x00", "${us er}", strings.Repeat("x", maxTemplate+1)} {
		if _, err := Parse(in, known); !errors.Is(err, ErrTemplate) {
			t.Errorf("%.20q: %v", in, err)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"$user", "${user}", "a$$b", "$", "${", "$$$user$", "${user}${queue_id}x", "-$queue_id"} {
		f.Add(s, "bob")
	}
	f.Fuzz(func(t *testing.T, s, value string) {
		tmpl, err := Parse(s, known)
		if err != nil {
			return
		}
		if len(tmpl.text) != len(tmpl.names)+1 {
			t.Fatalf("%q: %d texts, %d names", s, len(tmpl.text), len(tmpl.names))
		}
		if got, want := tmpl.Expand(func(string) string { return value }), strings.Join(tmpl.text, value); got != want {
			t.Errorf("%q of %q: %q, want %q", s, value, got, want)
		}
	})
}
