package smtpscan_test

import (
	"testing"

	"github.com/mailstead/mailstead/internal/smtpscan"
)

func TestWords(t *testing.T) {
	for _, test := range []struct{ line, verb, arg string }{
		{"NOOP", "NOOP", ""},
		{"MAIL FROM:<> ", "MAIL", "FROM:<>"},
		{"VRFY  two  words \t", "VRFY", "two  words"},
		{" NOOP", "", "NOOP"},
		{"", "", ""},
	} {
		if verb, arg := smtpscan.SplitVerb([]byte(test.line)); string(verb) != test.verb || string(arg) != test.arg {
			t.Errorf("%q: %q, %q", test.line, verb, arg)
		}
	}
	for _, test := range []struct {
		word string
		want bool
	}{{"quit", true}, {"QuIt", true}, {"QUIT ", false}, {"QUI\xd4", false}, {"QU\u0131T", false}} {
		if got := smtpscan.EqualFold("QUIT", []byte(test.word)); got != test.want {
			t.Errorf("%q: %v", test.word, got)
		}
	}
	if rest, ok := smtpscan.CutKeyword([]byte("from:  <a@b>"), "FROM:"); !ok || string(rest) != "<a@b>" {
		t.Errorf("%q, %v", rest, ok)
	}
	if _, ok := smtpscan.CutKeyword([]byte("FROM"), "FROM:"); ok {
		t.Error("FROM without a colon")
	}
	for line, want := range map[string]string{"AUTH PLAIN x": "PLAIN x", "\tauth\vPLAIN": "PLAIN", "AUTH": "", "AUTHOR x": "-", "NOOP AUTH": "-"} {
		arg, ok := smtpscan.CutAuth([]byte(line))
		if got := string(arg); ok != (want != "-") || ok && got != want {
			t.Errorf("%q: %q, %v", line, got, ok)
		}
	}
}
