package imapmeta

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/imapwire"
)

// parse reads one command's arguments with f.
func parse[T any](line string, f func(*imapwire.Decoder) (T, error)) (v T, err error) {
	dec := imapwire.NewDecoder(strings.NewReader(line+"\r\n"), imapwire.Config{})
	if err := dec.Begin(); err != nil {
		return v, err
	}
	if v, err = f(dec); err == nil {
		err = dec.End()
	}
	return v, err
}

func TestParseGet(t *testing.T) {
	const c = "/private/comment"
	for line, want := range map[string]Get{
		`"" /Private/COMMENT`:                               {Entries: []string{c}, MaxSize: -1},
		`INBOX (/private/comment "/shared/x")`:              {Mailbox: "INBOX", Entries: []string{c, "/shared/x"}, MaxSize: -1},
		`(MAXSIZE 7 DEPTH 1) INBOX /private/comment`:        {Mailbox: "INBOX", Entries: []string{c}, MaxSize: 7, Depth: DepthOne},
		`INBOX (depth INFINITY) (/private/comment)`:         {Mailbox: "INBOX", Entries: []string{c}, MaxSize: -1, Depth: DepthAll},
		`INBOX (/private/comment /private/comment)`:         {Mailbox: "INBOX", Entries: []string{c}, MaxSize: -1},
		"{5+}\r\nINBOX ({16+}\r\n/private/comment /shared)": {Mailbox: "INBOX", Entries: []string{c, "/shared"}, MaxSize: -1},
	} {
		if got, err := parse(line, ParseGet); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v, want %+v", line, got, err, want)
		}
	}
	many := strings.Repeat("/shared/a ", MaxEntries)
	for i := range MaxEntries {
		many += "/shared/" + strings.Repeat("b", i+1) + " "
	}
	for _, line := range []string{
		``, `INBOX`, `INBOX ()`, `INBOX (DEPTH 1)`, `INBOX (DEPTH 3) /shared/a`, `(X 1) INBOX /shared/a`, `INBOX (/shared/a DEPTH 1)`,
		`INBOX (DEPTH 1 /shared/a) /shared/a`, `INBOX shared/a`, `INBOX /other/a`, `INBOX /shared//a`, `INBOX /shared/a/`, `INBOX "/shared/a*"`,
		`INBOX "/shared/%"`, `INBOX "/shared/ü"`, `INBOX (` + many + `/shared/c)`, `(MAXSIZE -1) INBOX /shared/a`,
		`INBOX /shared/` + strings.Repeat("x", MaxName),
	} {
		if got, err := parse(line, ParseGet); !errors.As(err, new(*imapwire.SyntaxError)) {
			t.Errorf("%q: %+v, %v", line, got, err)
		}
	}
}

func TestAsks(t *testing.T) {
	for _, tt := range []struct {
		depth Depth
		name  string
		want  bool
	}{
		{DepthNone, "/shared/a", true},
		{DepthNone, "/shared/a/b", false},
		{DepthOne, "/shared/a/b", true},
		{DepthOne, "/shared/a/b/c", false},
		{DepthOne, "/shared/ab", false},
		{DepthAll, "/shared/a/b/c", true},
		{DepthAll, "/shared", false},
	} {
		g := Get{Entries: []string{"/shared/a"}, Depth: tt.depth}
		if got := g.Asks(tt.name); got != tt.want {
			t.Errorf("depth %d, %s: %v", tt.depth, tt.name, got)
		}
	}
}

func TestParseSet(t *testing.T) {
	for line, want := range map[string]Set{
		`INBOX (/private/comment "x")`: {"INBOX", []Value{{"/private/comment", []byte("x")}}},
		`"" (/shared/comment nil)`:     {"", []Value{{"/shared/comment", nil}}},
		"a (/shared/comment {0+}\r\n)": {"a", []Value{{"/shared/comment", []byte{}}}},
		"a (/shared/comment ~{2+}\r\n\x00\xff /private/vendor/v/x NIL /SHARED/comment \"2\")": {
			"a", []Value{{"/shared/comment", []byte("2")}, {"/private/vendor/v/x", nil}},
		},
	} {
		if got, err := parse(line, ParseSet); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", line, got, err)
		}
	}
	for _, line := range []string{
		``, `a`, `a ()`, `a /shared/comment "x"`, `a (/shared/comment)`, `a (/shared/comment x)`, `a (/shared "x")`, `a (/private "x")`,
		`a (/shared/vendor "x")`, `a (/shared/vendor/v "x")`, `a (/x/y "x")`, "a (/shared/comment {1+}\r\n\x00)",
	} {
		if got, err := parse(line, ParseSet); !errors.As(err, new(*imapwire.SyntaxError)) {
			t.Errorf("%q: %+v, %v", line, got, err)
		}
	}
}

// FuzzParse: names that were taken are clean (I1), and few (I2).
func FuzzParse(f *testing.F) {
	f.Add("(DEPTH 1) INBOX (/shared/comment)", false)
	f.Add("INBOX (MAXSIZE 5) /private/comment", false)
	f.Add("\"\" (/private/vendor/x/y {2+}\r\nab /shared/comment NIL)", true)
	f.Fuzz(func(t *testing.T, line string, set bool) {
		var names []string
		if set {
			s, err := parse(line, ParseSet)
			if err != nil {
				return
			}
			for _, v := range s.Values {
				names = append(names, v.Entry)
			}
		} else {
			g, err := parse(line, ParseGet)
			if err != nil {
				return
			}
			names = g.Entries
		}
		if len(names) == 0 || len(names) > MaxEntries {
			t.Fatalf("%d names", len(names))
		}
		seen := map[string]bool{}
		for _, n := range names {
			if clean, err := Clean(n); err != nil || clean != n || seen[n] {
				t.Fatalf("%q is not clean or comes twice: %q, %v", n, clean, err)
			}
			seen[n] = true
		}
	})
}
