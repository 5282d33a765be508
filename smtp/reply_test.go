package smtp

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestAppendReply(t *testing.T) {
	tests := []struct {
		in       Reply
		enhanced bool
		want     string
	}{
		{NewReply(250, EnhancedCode{2, 1, 0}, "fine"), true, "250 2.1.0 fine\r\n"},
		{NewReply(250, EnhancedCode{2, 1, 0}, "fine"), false, "250 fine\r\n"},
		{Reply{Code: 550, Enhanced: EnhancedCode{5, 1, 1}, Lines: []string{"a", "b"}}, true, "550-5.1.1 a\r\n550 5.1.1 b\r\n"},
		{Reply{Code: 354, Lines: []string{"go"}}, true, "354 go\r\n"},
		{Reply{Code: 250}, true, "250 2.0.0 OK\r\n"},
		{NewReply(550, EnhancedCode{4, 1, 1}, "x"), true, "550 5.1.1 x\r\n"},
		{NewReply(12, EnhancedCode{}, "x"), true, "451 4.0.0 x\r\n"},
		{NewReply(550, EnhancedCode{}, "a\r\n250 ok"), false, "550-a\r\n550 250 ok\r\n"},
		{NewReply(550, EnhancedCode{}, "a\rb\nc\x00é\t"), false, "550-a\r\n550-b\r\n550 c???\t\r\n"},
		{NewReply(550, EnhancedCode{}, "\r\n"), false, "550 \r\n"},
	}
	for _, tt := range tests {
		if got := string(tt.in.AppendReply(nil, tt.enhanced)); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.in, got, tt.want)
		}
	}
	long := NewReply(550, EnhancedCode{5, 0, 0}, strings.Repeat("word ", 400))
	for line := range strings.SplitAfterSeq(string(long.AppendReply(nil, true)), "\r\n") {
		if len(line) > MaxReplyLine {
			t.Errorf("line of %d octets", len(line))
		}
	}
}

func TestParseReply(t *testing.T) {
	tests := []struct {
		in   string
		want Reply
		err  error
	}{
		{"250 ok\r\n", NewReply(250, EnhancedCode{}, "ok"), nil},
		{"250\r\n", NewReply(250, EnhancedCode{}, ""), nil},
		{"550-5.1.1 a\r\n550 5.1.1 b\n", Reply{550, EnhancedCode{5, 1, 1}, []string{"a", "b"}}, nil},
		{"550 2.0.0 a\r\n", NewReply(550, EnhancedCode{}, "2.0.0 a"), nil},
		{"250-a\r\n251 b\r\n", Reply{}, ErrSyntax},
		{"250-a\r\n", Reply{}, ErrSyntax},
		{"25 a\r\n", Reply{}, ErrSyntax},
		{"150 a\r\n", Reply{}, ErrSyntax},
		{"250:a\r\n", Reply{}, ErrSyntax},
		{"250 a\r\n250 b\r\n", Reply{}, ErrSyntax},
		{"", Reply{}, ErrSyntax},
	}
	for _, tt := range tests {
		got, err := ParseReply(tt.in)
		if !errors.Is(err, tt.err) || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, %v; want %+v, %v", tt.in, got, err, tt.want, tt.err)
		}
	}
}

func TestParseEnhancedCode(t *testing.T) {
	for s, ok := range map[string]bool{
		"2.0.0": true, "5.7.26": true, "4.123.999": true, "3.0.0": false, "5.1": false,
		"5.1.": false, "5.1.1234": false, "5.01.1": false, "5.1.1x": false, "": false, "5..1": false,
	} {
		c, err := ParseEnhancedCode(s)
		if (err == nil) != ok || ok && c.String() != s {
			t.Errorf("ParseEnhancedCode(%q) = %v, %v", s, c, err)
		}
	}
}

// Whatever a handler writes, the wire has one reply, and it parses.
func FuzzReply(f *testing.F) {
	f.Add(250, "ok\r\n550 no", true)
	f.Fuzz(func(t *testing.T, code int, text string, enhanced bool) {
		wire := string(NewReply(code, EnhancedCode{}, text).AppendReply(nil, enhanced))
		r, err := ParseReply(wire)
		if err != nil {
			t.Fatalf("%q: %v", wire, err)
		}
		if code >= 200 && code <= 599 && r.Code != code {
			t.Fatalf("%q: code %d", wire, r.Code)
		}
	})
}
