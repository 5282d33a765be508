package smtp

import (
	"errors"
	"math"
	"reflect"
	"testing"
)

func TestParseMailParams(t *testing.T) {
	tests := []struct {
		in   string
		want MailParams
		err  error
	}{
		{in: ""},
		{in: "  "},
		{in: " SIZE=10 BODY=8bitmime ", want: MailParams{Size: 10, Body: Body8BitMIME}},
		{in: " size=99999999999999999999", want: MailParams{Size: math.MaxInt64}},
		{in: " SMTPUTF8 RET=HDRS ENVID=a+20b", want: MailParams{UTF8: true, Return: ReturnHeaders, EnvelopeID: "a b"}},
		{in: " AUTH=<>", want: MailParams{Auth: "<>"}},
		{in: " AUTH=e+3Dmc2@example.com", want: MailParams{Auth: "e=mc2@example.com"}},
		{in: " X-A=1 x-b REQUIRETLS", want: MailParams{RequireTLS: true, Unknown: []Param{{"X-A", "1", true}, {"x-b", "", false}}}},
		{in: " SIZE=1 size=1", err: ErrRepeated},
		{in: " X=1 x=2", err: ErrRepeated},
		{in: "SIZE=1", err: ErrSyntax},
		{in: " SIZE", err: ErrSyntax},
		{in: " SIZE=", err: ErrSyntax},
		{in: " SIZE=-1", err: ErrSyntax},
		{in: " SIZE=1x", err: ErrSyntax},
		{in: " SIZE=123456789012345678901", err: ErrSyntax},
		{in: " BODY=9BIT", err: ErrSyntax},
		{in: " SMTPUTF8=1", err: ErrSyntax},
		{in: " RET=NONE", err: ErrSyntax},
		{in: " ENVID=a+0Ab", err: ErrSyntax},
		{in: " ENVID=a+2", err: ErrSyntax},
		{in: " =1", err: ErrSyntax},
		{in: " A=b=c", err: ErrSyntax},
		{in: " A=\x01", err: ErrSyntax},
		{in: " A=\xff", err: ErrSyntax},
		{in: " -A=1", err: ErrSyntax},
		{in: " A_B=1", err: ErrSyntax},
	}
	for _, tt := range tests {
		got, err := ParseMailParams([]byte(tt.in))
		if !errors.Is(err, tt.err) || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, %v; want %+v, %v", tt.in, got, err, tt.want, tt.err)
		}
	}
}

func TestParseRcptParams(t *testing.T) {
	tests := []struct {
		in   string
		want RcptParams
		err  error
	}{
		{in: " NOTIFY=never", want: RcptParams{Notify: NotifyNever}},
		{in: " NOTIFY=DELAY,SUCCESS", want: RcptParams{Notify: NotifySuccess | NotifyDelay}},
		{in: " ORCPT=rfc822;a+2Bb@c", want: RcptParams{Original: OriginalRecipient{"rfc822", "a+b@c"}}},
		{in: ` ORCPT=utf-8;\x{E9}\x{2B}@c`, want: RcptParams{Original: OriginalRecipient{"utf-8", "é+@c"}}},
		{in: " ORCPT=utf-8;é@c", want: RcptParams{Original: OriginalRecipient{"utf-8", "é@c"}}},
		{in: " NOTIFY=NEVER,SUCCESS", err: ErrSyntax},
		{in: " NOTIFY=SUCCESS,SUCCESS", err: ErrSyntax},
		{in: " NOTIFY=SUCCESS,", err: ErrSyntax},
		{in: " ORCPT=rfc822;+C3+A9@c", want: RcptParams{Original: OriginalRecipient{"utf-8", "é@c"}}},
		{in: " ORCPT=rfc822;+FF@c", err: ErrSyntax},
		{in: " ORCPT=x400;+C3+A9@c", err: ErrSyntax},
		{in: " ORCPT=a@b", err: ErrSyntax},
		{in: " ORCPT=rfc822;", err: ErrSyntax},
		{in: " ORCPT=rfc822;a+0D+0Ab", err: ErrSyntax},
		{in: ` ORCPT=utf-8;\x{D800}`, err: ErrSyntax},
		{in: ` ORCPT=utf-8;\x{0A}`, err: ErrSyntax},
		{in: " NOTIFY=NEVER NOTIFY=NEVER", err: ErrRepeated},
	}
	for _, tt := range tests {
		got, err := ParseRcptParams([]byte(tt.in))
		if !errors.Is(err, tt.err) || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, %v; want %+v, %v", tt.in, got, err, tt.want, tt.err)
		}
	}
}

func FuzzMailParams(f *testing.F) {
	f.Add(" SIZE=10 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=a+2B AUTH=<> X=y")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseMailParams([]byte(s))
		if err != nil {
			return
		}
		again, err := ParseMailParams(p.AppendParams(nil))
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("%q: %+v, then %+v, %v", s, p, again, err)
		}
	})
}

func FuzzRcptParams(f *testing.F) {
	f.Add(` NOTIFY=SUCCESS ORCPT=utf-8;\x{E9}é X`)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseRcptParams([]byte(s))
		if err != nil {
			return
		}
		for _, utf8 := range []bool{false, true} {
			again, err := ParseRcptParams(p.AppendParams(nil, utf8))
			if err != nil || !reflect.DeepEqual(again, p) {
				t.Fatalf("%q: %+v, then %+v, %v", s, p, again, err)
			}
		}
	})
}

func FuzzXtext(f *testing.F) {
	f.Add("a+2Bb")
	f.Add("+3D")
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := ParseXtext(string(AppendXtext(nil, s))); err != nil || got != s {
			t.Fatalf("round trip of %q: %q, %v", s, got, err)
		}
		if plain, err := ParseXtext(s); err == nil {
			if again, err := ParseXtext(string(AppendXtext(nil, plain))); err != nil || again != plain {
				t.Fatalf("%q -> %q -> %q, %v", s, plain, again, err)
			}
		}
	})
}

func TestXtextStrict(t *testing.T) {
	for _, s := range []string{"+", "+2", "+2b", "+zz", "a=b", "a b", "é", "a\x00"} {
		if got, err := ParseXtext(s); !errors.Is(err, ErrSyntax) {
			t.Errorf("ParseXtext(%q) = %q, %v", s, got, err)
		}
	}
}
