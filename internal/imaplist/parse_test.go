package imaplist

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// parse reads one line.
func parse(line string) (Request, error) {
	dec := imapwire.NewDecoder(strings.NewReader(line+"\r\n"), imapwire.Config{})
	if err := dec.Begin(); err != nil {
		return Request{}, err
	}
	r, err := Parse(dec)
	if err == nil {
		err = dec.End()
	}
	return r, err
}

func TestParse(t *testing.T) {
	for line, want := range map[string]Request{
		`"" ""`:                                {Patterns: []string{""}, Root: true},
		`a/ %`:                                 {Patterns: []string{"a/%"}},
		`"" ("" b)`:                            {Patterns: []string{"", "b"}, Extended: true},
		`() "" ""`:                             {Patterns: []string{""}, Extended: true},
		`(SUBSCRIBED special-use REMOTE) "" *`: {Patterns: []string{"*"}, Subscribed: true, SpecialUse: true, Extended: true},
		`(RECURSIVEMATCH SUBSCRIBED) "" *`:     {Patterns: []string{"*"}, Subscribed: true, Recursive: true, Extended: true},
		`"" * RETURN (CHILDREN SUBSCRIBED)`:    {Patterns: []string{"*"}, ReturnSubscribed: true, Extended: true},
		`"" * RETURN (MYRIGHTS STATUS (UNSEEN MESSAGES unseen))`: {
			Patterns: []string{"*"}, MyRights: true, Extended: true, Status: []imap.StatusItem{imap.StatusUnseen, imap.StatusMessages},
		},
		`"" * RETURN (METADATA ("/shared/Comment" /private/comment))`: {
			Patterns: []string{"*"}, Metadata: []string{"/shared/comment", "/private/comment"}, Extended: true,
		},
	} {
		if got, err := parse(line); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", line, got, err, want)
		}
	}
	for _, line := range []string{
		``, `""`, `(X) "" *`, `"" * RETURN (X)`, `"" * OTHER ()`, `"" (a`, `"" ()`, `(RECURSIVEMATCH) "" *`, `(REMOTE RECURSIVEMATCH) "" *`, `"" * RETURN (STATUS)`,
		`"" * RETURN (STATUS ())`, `"" * RETURN (METADATA ())`, `"" * RETURN (METADATA (/x))`, `"" (` + strings.Repeat("a ", MaxPatterns) + `a)`,
	} {
		if got, err := parse(line); !errors.As(err, new(*imapwire.SyntaxError)) {
			t.Errorf("%s: %+v, %v", line, got, err)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a/b", true},
		{"%", "a/b", false},
		{"%", "a", true},
		{"inbox", "INBOX", true},
		{"InB%", "INBOX", true},
		{"A", "a", false},
		{"inbox/a", "INBOX/a", true},
		{"B&AOQ-r", "Bär", true},
		{"Bär", "Bär", true},
		{"B&AOQ", "B&AOQ", false}, // not modified UTF-7
	} {
		if got := Match([]string{"none", tt.pattern}, false)(tt.name); got != tt.want {
			t.Errorf("%q matches %q: %v", tt.pattern, tt.name, got)
		}
	}
}

// FuzzParse: what was taken can be matched against any name.
func FuzzParse(f *testing.F) {
	f.Add(`(SUBSCRIBED) "a/" ("%" *b*) RETURN (CHILDREN)`, "a/b")
	f.Add("\"\" {1+}\r\n*", "INBOX")
	f.Fuzz(func(t *testing.T, line, name string) {
		r, err := parse(line)
		if err != nil {
			return
		}
		if n := len(r.Patterns); n > MaxPatterns {
			t.Fatalf("%d patterns", n)
		}
		got := Match(r.Patterns, false)(name)
		if got && !Match([]string{"*"}, false)(name) {
			t.Fatalf("%q matches %q, and not *", r.Patterns, name)
		}
	})
}
