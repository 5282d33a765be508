package mime

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

func TestFields(t *testing.T) {
	block := "A: b\r\nc :\td\n e\r\n\tf\nbroken line\r\n: x\r\n g\r\nlast:\r\n\r\nbody: x\r\n"
	var got []string
	for f := range Fields([]byte(block)) {
		got = append(got, string(f.Name)+"="+string(AppendUnfolded(nil, f.Value)))
	}
	want := "A=b|c=d e\tf|=broken line|=: x g|last="
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got %q, want %q", s, want)
	}
}

func TestParseDate(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00"},
		{"21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06Z"},
		{"21 Nov 02 09:55 PDT", "2002-11-21T09:55:00-07:00"},
		{"Thu, 21 Nov 102 09:55:06 Z", "2002-11-21T09:55:06Z"},
		{"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T00:00:00Z"},
		{"Fri (x), 21 Nov 1997 (y) 09:55:06 (z) +0130 (CET)", "1997-11-21T09:55:06+01:30"},
		{"Fri Nov 21 09:55:06 1997", "1997-11-21T09:55:06Z"},
		{"Fri, 21-Nov-1997 09:55:06 EST", "1997-11-21T09:55:06-05:00"},
		{"21 November 1997 09:55:06 +9999", "1997-11-21T09:55:06Z"},
		{"21 Nov 1997 25:00:00 +0000", "1997-11-21T00:00:00Z"},
		{"31 Dec 2016 23:59:60 +0000", "2016-12-31T23:59:59Z"},
		{"21 Nov 1997", "1997-11-21T00:00:00Z"},
		{"1 Jan 1970 00:00:00 -0000", "1970-01-01T00:00:00Z"},
		{"31 Feb 1997 09:55:06 +0000", ""},
		{"Nov 1997", ""},
		{"", ""},
		{"x", ""},
		{"21 Nov 99999999999999999999", ""},
		{"0 Jan 2000 1:1", ""},
		{strings.Repeat("x ", 100) + "21 Nov 1997", ""},
	} {
		got := ""
		if d, ok := ParseDate([]byte(tt.in)); ok {
			got = d.Format(time.RFC3339)
		}
		if got != tt.want {
			t.Errorf("%q = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	f.Add("Fri, 21-Nov-1997 09:55:06 (x) EST")
	f.Fuzz(func(t *testing.T, s string) {
		if d, ok := ParseDate([]byte(s)); ok && (d.Year() < 0 || d.Year() > 9999) {
			t.Fatalf("%q: %v", s, d)
		}
	})
}

func TestMessageIDs(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"<a@b>", "a@b"},
		{"<a@b><c@d>\t<e@f> (x)", "a@b c@d e@f"},
		{"Your message of \"Fri\" <a@b>", "a@b"},
		{`<"a\b"@c>`, "ab@c"},
		{"<a @ b>", "a@b"},
		{"a@b", "a@b"},
		{"joe said a@b", ""},
		{"<a@b", ""},
		{"<<a@b>", "a@b"},
		{"<>", ""},
		{"", ""},
	} {
		var got []string
		for id := range MessageIDs([]byte(tt.in)) {
			got = append(got, string(id))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%q = %q, want %q", tt.in, s, tt.want)
		}
	}
}

func TestFieldFilter(t *testing.T) {
	const block = "A: 1\r\nB: 2\r\n c\r\nnonsense\r\nb : 3\r\nC: 4"
	for _, tt := range []struct {
		filter     FieldFilter
		tail, want string
	}{
		{FieldFilter{Names: []string{"B", "x"}}, "\r\n\r\n", "B: 2\r\n c\r\nb : 3\r\n\r\n"},
		{FieldFilter{Names: []string{"B"}, Not: true}, "\r\n\r\n", "A: 1\r\nnonsense\r\nC: 4\r\n\r\n"},
		{FieldFilter{Names: []string{"B"}, Not: true}, "", "A: 1\r\nnonsense\r\nC: 4"},
		{FieldFilter{Names: []string{"c"}}, "", "C: 4\r\n\r\n"},
		{FieldFilter{Names: []string{"c"}}, "\n\n", "C: 4\n\r\n"},
		{FieldFilter{}, "\r\n\r\n", "\r\n"},
	} {
		in := block + tt.tail
		if got := string(tt.filter.Append(nil, []byte(in))); got != tt.want {
			t.Errorf("Append %+v = %q, want %q", tt.filter, got, tt.want)
		}
		var out bytes.Buffer
		n, err := tt.filter.Copy(&out, strings.NewReader("xx"+in+"yy"), Span{2, int64(2 + len(in))})
		if out.String() != tt.want || n != int64(len(tt.want)) || err != nil {
			t.Errorf("Copy %+v = %q, %d, %v", tt.filter, out.String(), n, err)
		}
	}
}

// FuzzFieldFilter: streaming and appending give the same octets.
func FuzzFieldFilter(f *testing.F) {
	f.Add("A: 1\r\nB: 2\r\n c\r\n\r\n", "b", true)
	f.Fuzz(func(t *testing.T, block, name string, not bool) {
		filter := FieldFilter{Names: []string{name}, Not: not}
		var out bytes.Buffer
		n, err := filter.Copy(&out, iotestReaderAt{[]byte(block)}, Span{0, int64(len(block))})
		want := filter.Append(nil, []byte(block))
		if err != nil || !bytes.Equal(out.Bytes(), want) || n != int64(len(want)) {
			t.Fatalf("%q: copied %q, appended %q, %v", block, out.Bytes(), want, err)
		}
	})
}

func TestFieldFilterReportsErrors(t *testing.T) {
	if _, err := (FieldFilter{Not: true}).Copy(io.Discard, brokenReaderAt{io.ErrClosedPipe}, Span{0, 5}); err != io.ErrClosedPipe {
		t.Error(err)
	}
}

// A field has so many parameters, and an ENVELOPE so many addresses of one.
func TestBounds(t *testing.T) {
	var f fields
	if e := f.read([]byte("Content-Type: text/plain"+strings.Repeat("; a*0=b", 3*MaxParams)), 0); len(e.Params) != MaxParams {
		t.Errorf("%d parameters", len(e.Params))
	}
	form := string(AppendEnvelope(nil, &Envelope{To: []byte(strings.Repeat("a@b, ", 3*MaxAddresses))}))
	if n := strings.Count(form, `"a" "b"`); n != MaxAddresses {
		t.Errorf("%d addresses", n)
	}
	const messages = 200
	in := mixed + strings.Repeat("--b\nContent-Type: message/rfc822\n\nTo: "+strings.Repeat("a@b,", MaxAddresses)+"\n\n", messages)
	tree, err := Walk(strings.NewReader(in), int64(len(in)), Limits{})
	if err != nil || tree.Len() != 2*messages+1 {
		t.Fatalf("%d parts, %v", tree.Len(), err)
	}
	if n := strings.Count(structure(t, tree, in, 0, true), `"a" "b"`); n != MaxNestedAddresses {
		t.Errorf("%d addresses of messages within", n)
	}
}
