package imapwire

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// show turns a ConsumeX function into one of comparable text.
func show[T any](f func([]byte) (T, int, error), format string) func([]byte) (string, int, error) {
	return func(b []byte) (string, int, error) {
		v, n, err := f(b)
		return fmt.Sprintf(format, v), n, err
	}
}

var grammar = map[string]func([]byte) (string, int, error){
	"atom":     show(ConsumeAtom, "%s"),
	"tag":      show(ConsumeTag, "%s"),
	"flag":     show(ConsumeFlag, "%s"),
	"astring":  show(ConsumeAString, "%s"),
	"list":     show(ConsumeListMailbox, "%s"),
	"quoted":   show(ConsumeQuoted, "%s"),
	"string":   show(ConsumeString, "%q"),
	"nstring":  show(ConsumeNString, "%q"),
	"literal":  show(ConsumeLiteralHeader, "%+v"),
	"number":   show(ConsumeNumber, "%d"),
	"nz":       show(ConsumeNZNumber, "%d"),
	"number64": show(ConsumeNumber64, "%d"),
	"set":      show(ConsumeSeqSet, "%v"),
	"item":     show(ConsumeItemName, "%s"),
	"date":     show(ConsumeDate, "%v"),
	"datetime": show(ConsumeDateTime, "%v"),
	"base64":   show(ConsumeBase64, "%q"),
	"value": func(b []byte) (string, int, error) {
		n, err := SkipValue(b, 10)
		return string(b[:n]), n, err
	},
}

// want: the value, "!" a syntax error, "…" more is needed.
var grammarTable = []struct {
	rule, in, want string
	n              int
}{
	{"atom", "NOOP\r\n", "NOOP", 4},
	{"atom", "a]b ", "a", 1},
	{"atom", "NOOP", "…", 0},
	{"atom", "", "…", 0},
	{"atom", "(", "!", 0},
	{"atom", "\xc3\xa4 ", "!", 0},
	{"atom", "\x00 ", "!", 0},
	{"tag", "a.1+ ", "a.1", 3},
	{"tag", "a]1 ", "a]1", 3},
	{"tag", "+ ", "!", 0},
	{"item", "HEADER.FIELDS (", "HEADER.FIELDS", 13},
	{"item", "RFC822]", "RFC822", 6},
	{"item", "FLAGS", "…", 0},
	{"item", "[", "!", 0},
	{"flag", `\Seen)`, `\Seen`, 5},
	{"flag", `\* `, `\*`, 2},
	{"flag", `$Junk `, `$Junk`, 5},
	{"flag", `\ `, "!", 0},
	{"flag", `\`, "…", 0},
	{"astring", "a]b ", "a]b", 3},
	{"astring", "{3}\r\na b ", "a b", 8},
	{"astring", `"a \"b\\" `, `a "b\`, 9},
	{"astring", "a%b ", "a", 1},
	{"list", "a%b* ", "a%b*", 4},
	{"quoted", `"" `, "", 2},
	{"quoted", "\"\u00e4\U0001f600\" ", "\u00e4\U0001f600", 8},
	{"quoted", "\"\xe4\" ", "!", 0},
	{"quoted", "\"\xc3", "…", 0},
	{"quoted", `"\n"`, "!", 0},
	{"quoted", "\"a\r\n\"", "!", 0},
	{"quoted", "\"a\x00\"", "!", 0},
	{"quoted", `"abc`, "…", 0},
	{"quoted", `"abc\`, "…", 0},
	{"string", "{0}\r\n", `""`, 5},
	{"string", "{5}\r\nab", "…", 0},
	{"string", "{1}\r\n\x00", "!", 0},
	{"string", "~{1}\r\n\x00", `"\x00"`, 7},
	{"string", "{9223372036854775807}\r\na", "…", 0},
	{"nstring", "NIL ", `""`, 3},
	{"nstring", "nil)", `""`, 3},
	{"nstring", "NIL", "…", 0},
	{"nstring", "NILS ", "!", 0},
	{"nstring", `"NIL"`, `"NIL"`, 5},
	{"literal", "{12}\r\n", "{Size:12 NonSync:false Binary:false}", 6},
	{"literal", "~{12+}\r\n", "{Size:12 NonSync:true Binary:true}", 8},
	{"literal", "{12}\n", "!", 0},
	{"literal", "{}\r\n", "!", 0},
	{"literal", "{-1}\r\n", "!", 0},
	{"literal", "{1++}\r\n", "!", 0},
	{"literal", "{9223372036854775808}\r\n", "!", 0},
	{"literal", "{1", "…", 0},
	{"literal", "{1}", "…", 0},
	{"number", "4294967295 ", "4294967295", 10},
	{"number", "4294967296 ", "!", 0},
	{"number", "99999999999999999999999 ", "!", 0},
	{"number", "007 ", "7", 3},
	{"number", "-1 ", "!", 0},
	{"nz", "0 ", "!", 0},
	{"nz", "01 ", "!", 0},
	{"number64", "9223372036854775807 ", "9223372036854775807", 19},
	{"number64", "9223372036854775808 ", "!", 0},
	{"set", "1:*,4,*:2,7:3 ", "[{1 0} {4 4} {0 2} {7 3}]", 13},
	{"set", "* ", "[{0 0}]", 1},
	{"set", "1,", "…", 0},
	{"set", "1", "…", 0},
	{"set", "1, ", "!", 0},
	{"set", "0 ", "!", 0},
	{"set", "1:0 ", "!", 0},
	{"set", "1:4294967296 ", "!", 0},
	{"date", "1-Feb-1994 ", "1994-02-01 00:00:00 +0000 UTC", 10},
	{"date", `"01-feb-1994" `, "1994-02-01 00:00:00 +0000 UTC", 13},
	{"date", "30-Feb-1994 ", "!", 0},
	{"date", "1-Foo-1994 ", "!", 0},
	{"date", "1-Feb\r\n", "!", 0},
	{"date", "1-Feb", "…", 0},
	{"date", `"1-Feb-1994x`, "!", 0},
	{"datetime", `"17-Jul-1996 02:44:25 -0700" `, "1996-07-17 02:44:25 -0700 -0700", 28},
	{"datetime", `" 7-Jul-1996 02:44:25 +0000" `, "1996-07-07 02:44:25 +0000 UTC", 28},
	{"datetime", `"17-Jul-1996 24:44:25 -0700" `, "!", 0},
	{"datetime", `"31-Jun-1996 02:44:25 -0700" `, "!", 0},
	{"datetime", `"17-Jul-1996"` + "\r\n", "!", 0},
	{"datetime", `"17-Jul-1996`, "…", 0},
	{"base64", "AGE=\r\n", `"\x00a"`, 4},
	{"base64", "=\r\n", `""`, 1},
	{"base64", "\r\n", `""`, 0},
	{"base64", "AGF=\r\n", "!", 0},
	{"base64", "AGE\r\n", "!", 0},
	{"value", `(a "b" {1}` + "\r\n" + `( (nil)(c) 1) x`, `(a "b" {1}` + "\r\n" + `( (nil)(c) 1)`, 25},
	{"value", "() ", "()", 2},
	{"value", "(a  b)", "!", 0},
	{"value", "(a )", "!", 0},
	{"value", "(a(b))", "!", 0},
	{"value", "((a)b)", "!", 0},
	{"value", "(((((((((((", "!", 0},
	{"value", "(a", "…", 0},
	{"value", ") ", "!", 0},
}

func TestGrammar(t *testing.T) {
	for _, tt := range grammarTable {
		got, n, err := grammar[tt.rule]([]byte(tt.in))
		var se *SyntaxError
		switch {
		case errors.As(err, &se):
			got = "!"
			if se.Pos < 0 || se.Pos > int64(len(tt.in)) {
				t.Errorf("%s %q: error position %d", tt.rule, tt.in, se.Pos)
			}
		case err == io.ErrUnexpectedEOF:
			got = "…"
		case err != nil:
			t.Errorf("%s %q: unknown error %v", tt.rule, tt.in, err)
		}
		if got != tt.want || n != tt.n {
			t.Errorf("%s %q = %s, %d; want %s, %d", tt.rule, tt.in, got, n, tt.want, tt.n)
		}
	}
}

func TestSeqSetIsBounded(t *testing.T) {
	in := []byte(strings.Repeat("1,", MaxRanges-1) + "1 ")
	if set, _, err := ConsumeSeqSet(in); err != nil || len(set) != MaxRanges {
		t.Errorf("%d ranges: %v", len(set), err)
	}
	in = []byte(strings.Repeat("1,", MaxRanges) + "1 ")
	if _, _, err := ConsumeSeqSet(in); err == nil {
		t.Error("more than MaxRanges accepted")
	}
}

// FuzzConsume checks every rule: no panic, n within b, a prefix that is cut off
// asks for more or gives the same answer, and more input changes nothing.
func FuzzConsume(f *testing.F) {
	for _, tt := range grammarTable {
		f.Add([]byte(tt.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for rule, consume := range grammar {
			v, n, err := consume(in)
			if n < 0 || n > len(in) || err != nil && n != 0 {
				t.Fatalf("%s: n = %d, %v", rule, n, err)
			}
			v2, n2, err2 := consume(append(in[:len(in):len(in)], 'x'))
			if err == nil && (v2 != v || n2 != n || err2 != nil) {
				t.Fatalf("%s: more input changed %q into %q", rule, v, v2)
			}
			if cut, m, err := consume(in[:len(in)/2]); err == nil && (cut != v || m != n) {
				t.Fatalf("%s: a cut changed %q into %q", rule, v, cut)
			}
		}
	})
}

func TestAppend(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", `""`},
		{"abc", `"abc"`},
		{`a"b\c`, `"a\"b\\c"`},
		{"a\tb", "\"a\tb\""},
		{"a\r\nb", "{4}\r\na\r\nb"},
		{"\xe4", "{1}\r\n\xe4"},
		{"a\x00b", "{2}\r\nab"},
		{"\u00e4", "{2}\r\n\u00e4"},
	} {
		if got := string(AppendString(nil, []byte(tt.in))); got != tt.want {
			t.Errorf("AppendString(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	if got := string(AppendNString(nil, nil)); got != "NIL" {
		t.Errorf("NIL: %q", got)
	}
	if got := string(AppendAString(nil, []byte("nil"))); got != `"nil"` {
		t.Errorf("astring nil: %q", got)
	}
	if got := string(AppendFlags(nil, []string{`\Seen`, "a"})); got != `(\Seen a)` {
		t.Errorf("flags: %q", got)
	}
	if got := string(AppendSeqSet(nil, SeqSet{{1, 0}, {4, 4}})); got != "1:*,4" {
		t.Errorf("set: %q", got)
	}
	d := time.Date(2024, 2, 3, 4, 5, 6, 0, time.FixedZone("", -7*3600))
	if got := string(AppendDateTime(nil, d)); got != `" 3-Feb-2024 04:05:06 -0700"` {
		t.Errorf("date-time: %q", got)
	}
	if got := string(AppendDate(nil, d)); got != "3-Feb-2024" {
		t.Errorf("date: %q", got)
	}
	for _, tt := range []struct {
		name   string
		asUTF8 bool
		want   string
	}{
		{"INBOX", false, "INBOX"},
		{"a b", false, `"a b"`},
		{"Entw\u00fcrfe", false, "Entw&APw-rfe"},
		{"Entw\u00fcrfe", true, "\"Entw\u00fcrfe\""},
		{"a\r", true, "{2}\r\na\r"},
		{"a&b", true, "a&b"},
		{"a&b", false, "a&-b"},
	} {
		if got := string(AppendMailbox(nil, tt.name, tt.asUTF8)); got != tt.want {
			t.Errorf("mailbox %q: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// FuzzAppend: what an AppendX function writes, its ConsumeX function reads (I5).
func FuzzAppend(f *testing.F) {
	f.Add([]byte("a\"b\\\r\n\xe4"), int64(1), uint32(4))
	f.Fuzz(func(t *testing.T, s []byte, sec int64, num uint32) {
		want := strings.ReplaceAll(string(s), "\x00", "")
		for name, form := range map[string][]byte{
			"string":  AppendString(nil, s),
			"astring": AppendAString(nil, s),
			"literal": AppendLiteral(nil, s),
		} {
			got, n, err := ConsumeAString(append(form, ' '))
			if err != nil || n != len(form) || string(got) != want {
				t.Fatalf("%s %q: %q, %v", name, form, got, err)
			}
		}
		if d := time.Unix(sec, 0).UTC(); d.Year() >= 0 && d.Year() <= 9999 {
			got, _, err := ConsumeDateTime(AppendDateTime(nil, d))
			if err != nil || !got.Equal(d) {
				t.Fatalf("date-time %v: %v, %v", d, got, err)
			}
		}
		set := SeqSet{{num, num}, {0, num}, {num, 7}}
		got, _, err := ConsumeSeqSet(append(AppendSeqSet(nil, set), ' '))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(set) {
			t.Fatalf("set %v: %v, %v", set, got, err)
		}
	})
}
