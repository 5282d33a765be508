package txtrecord

import (
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	const a, b = "v=X1; a=1", "v=X1 ;b=1"
	for _, test := range []struct {
		texts []string
		want  string
		n     int
	}{
		{nil, "", 0},
		{[]string{"v=spf1 -all", "v=X10; a=1", "v=X1", "V=X1; a=1"}, "", 0},
		{[]string{"v=spf1 -all", a}, a, 1},
		{[]string{b, "", a, a}, b, 3},
	} {
		if got, n := Find(test.texts, "v=X1"); got != test.want || n != test.n {
			t.Errorf("%q: %q, %d", test.texts, got, n)
		}
	}
}

func TestFields(t *testing.T) {
	for text, want := range map[string]string{
		"v=X1; a=1; b=2;": "a=1|b=2|", "v=X1 \t; a = 1 ;b=": "a = 1|b=|", "v=X1;": "", "v=X1; ; a=1": "=|a=1|", "v=X1; a": "=|", "v=X1;a=b=c": "a=b=c|", "v=X1": "no", "v=X12; a=1": "no", "": "no",
	} {
		var got strings.Builder
		fields, ok := Fields(text, "v=X1")
		if !ok {
			got.WriteString("no")
		}
		for name, value := range fields {
			got.WriteString(name + "=" + value + "|")
		}
		if got.String() != want {
			t.Errorf("%q: %s, want %s", text, got.String(), want)
		}
		for range fields {
			break // a reader may stop
		}
	}
}
