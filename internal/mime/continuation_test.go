package mime

import (
	"fmt"
	"strings"
	"testing"
)

func TestJoinContinuations(t *testing.T) {
	for in, want := range map[string]string{
		"a=1; b=2":                      "a=1 b=2",
		"name*0=a; name*1=b; x=y":       "name=ab x=y",
		"x=y; NAME*1=b; name*0=\"a c\"": "x=y name=a cb",
		"name*0*=utf-8''a%20; name*1=\"b c%\"; name*2*=%41": "name*=utf-8''a%20b%20c%25%41",
		"name*0=\"a'\"; name*1*=b%20":                       "name*=''a%27b%20",
		"name*=utf-8''x":                                    "name*=utf-8''x",
		"name*1=b; name*2=c":                                "name*1=b name*2=c",
		"name*0=a; name*2=c":                                "name*0=a name*2=c",
		"name*0=a; name*0=b":                                "name*0=a name*0=b",
		"name*00=a; name*01=b":                              "name*00=a name*01=b",
		"a*0=1; b*0=2; a*1=3; b*1=4":                        "a=13 b=24",
		"name*0=":                                           "name=",
	} {
		var f fields
		var got []string
		for _, p := range f.read([]byte("Content-Type: a/b;"+in+"\r\n"), 0).Params {
			got = append(got, string(p.Name)+"="+string(p.Value))
		}
		if out := strings.Join(got, " "); out != want {
			t.Errorf("%s: %s, want %s", in, out, want)
		}
	}
}

// A boundary may come in pieces.
func TestContinuedBoundary(t *testing.T) {
	root, _ := parse(t, "Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\n\n--ab\n\none\n--ab--\n")
	if root.Len() != 2 {
		t.Errorf("%d parts", root.Len())
	}
}

// Joining takes no longer than reading, whatever the pieces are.
func TestEndlessContinuations(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, "; n*%d=x", (i*7919)%10_000)
	}
	var f fields
	if n := len(f.read([]byte("Content-Type: a/b"+b.String()), 0).Params); n != MaxParams { // some are missing: they stand as they are
		t.Errorf("%d parameters", n)
	}
}
