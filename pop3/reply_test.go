package pop3

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestParseReply(t *testing.T) {
	for line, want := range map[string]Reply{
		"+OK":                         {OK: true},
		"+OK ":                        {OK: true},
		"+OK  ready":                  {OK: true, Text: "ready"},
		"+OK<1.2@host>":               {OK: true, Text: "<1.2@host>"},
		"+OK\tx":                      {OK: true, Text: "x"},
		"-ERR":                        {},
		"-ERR [IN-USE] locked":        {Code: CodeInUse, Text: "locked"},
		"-ERR [sys/temp]later":        {Code: CodeSysTemp, Text: "later"},
		"-ERR [SYS/TEMP/DISK]":        {Code: "SYS/TEMP/DISK"},
		"+OK [X] y":                   {OK: true, Code: "X", Text: "y"},
		"-ERR [two words] no code":    {Text: "[two words] no code"},
		"-ERR [SYS//TEMP] no code":    {Text: "[SYS//TEMP] no code"},
		"-ERR [] no code":             {Text: "[] no code"},
		"-ERR [never closed":          {Text: "[never closed"},
		"-ERR \xff\x00\x1b[31m r\xe9": {Text: "\ufffd\ufffd\ufffd[31m r\ufffd"},
	} {
		got, err := ParseReply([]byte(line))
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", line, got, err, want)
		}
	}
	for _, line := range []string{"", "+", "OK", "+ok", "+OKAY", "-ERRor", "* OK", "220 hi", " +OK", "+ OK", "HTTP/1.1 200 OK"} {
		if got, err := ParseReply([]byte(line)); !errors.Is(err, ErrReply) {
			t.Errorf("%q: %+v, %v", line, got, err)
		}
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		code, outer ResponseCode
		want        bool
	}{
		{"SYS/TEMP", CodeSysTemp, true},
		{"SYS/TEMP/X", CodeSysTemp, true},
		{"SYS/TEMPX", CodeSysTemp, false},
		{"SYS", CodeSysTemp, false},
		{"", "", false},
		{"AUTH", "", false},
	} {
		if got := c.code.Within(c.outer); got != c.want {
			t.Errorf("%q within %q: %v", c.code, c.outer, got)
		}
	}
}

// FuzzParseReply: what is parsed prints as a line that means the same, and has
// nothing that a terminal or a log would take for more than text.
func FuzzParseReply(f *testing.F) {
	for _, s := range []string{"+OK", "-ERR [SYS/TEMP] x", "+OK <1@h>", "-ERR [", "+OK [a/b]\x7f \xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := ParseReply(line)
		if err != nil {
			if r != (Reply{}) {
				t.Errorf("%q: an error with %+v", line, r)
			}
			return
		}
		s := r.String()
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			t.Errorf("%q prints as %q", line, s)
		}
		again, err := ParseReply([]byte(s))
		again.Text, r.Text = strings.TrimRight(again.Text, " "), strings.TrimRight(r.Text, " ")
		if r.Code == "" && strings.HasPrefix(r.Text, "[") {
			return // what was no code may print as one
		}
		if err != nil || again != r {
			t.Errorf("%q: %+v prints as %q, which is %+v, %v", line, r, s, again, err)
		}
	})
}
