package mimetext

import (
	"io"
	"mime"
	"strings"
	"testing"

	"github.com/emersion/go-message/charset"
)

// byLibrary is what package mime makes of a value.
func byLibrary(value string) string {
	d := mime.WordDecoder{CharsetReader: func(name string, r io.Reader) (io.Reader, error) {
		if decoded, err := charset.Reader(name, r); err == nil {
			return decoded, nil
		}
		return r, nil
	}}
	s, err := d.DecodeHeader(value)
	if err != nil {
		s = value
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

var wordValues = []string{
	"", "plain", "=?", "=?utf-8", "=?utf-8?q", "=?utf-8?q?", "=?utf-8?q?a?=", "=?UTF-8?Q?a_b=C3=A4?= c",
	"a =?iso-8859-1?q?=E4?= =?ISO-8859-1?B?5A==?= =?koi8-r?q?=C1?=\t=?koi8-r?b?wQ==?= b", "=?utf-8?x?a?= =?utf-8?q?b?=",
	"=?utf-8?b?!?= =?utf-8?q?a?=", "=?utf-8?q?=E?=", "=?us-ascii?q?a=E4?=", "=?x-none?q?a=E4?= \xff", "=?iso-2022-jp?b?GyRCNEEbKEI=?=",
	"=?utf-8?q?\x01?= a", "=??q?a?=", "=?utf-8?q?a?=x=?utf-8?q?b?=", "=?big5?q?=A4?= =?big5?q?=40?=",
}

// TestWords: values are decoded as package mime decodes them.
func TestWords(t *testing.T) {
	var d Words
	for _, value := range append(wordValues, strings.Join(wordValues, " "), strings.Join(wordValues, "")) {
		if got, want := string(d.Append([]byte("x"), []byte(value))), "x"+byLibrary(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

// TestWordsAreCheap: ten thousand words cost no more memory than their octets,
// in whatever charset.
func TestWordsAreCheap(t *testing.T) {
	value := []byte(strings.Repeat("=?koi8-r?q?=C1?= ", 10_000))
	var d Words
	dst := d.Append(nil, value)
	if len(dst) != 2*10_000+1 {
		t.Errorf("%d octets", len(dst))
	}
	if n := testing.AllocsPerRun(10, func() { dst = d.Append(dst[:0], value) }); n > 1 {
		t.Errorf("%.0f allocations", n)
	}
}

func FuzzWords(f *testing.F) {
	for _, value := range wordValues {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if lower := strings.ToLower(value); strings.Contains(lower, "utf-16") || strings.Contains(lower, "utf16") || strings.Contains(lower, "ucs") || strings.Contains(lower, "unicode") {
			return // without a byte order mark: package mime then decodes no word of the value
		}
		if got, want := DecodeWords([]byte(value)), byLibrary(value); got != want {
			t.Fatalf("%q: %q, want %q", value, got, want)
		}
	})
}

func TestAppendExtended(t *testing.T) {
	for value, want := range map[string]string{
		"":                          "",
		"plain%41":                  "plain%41",
		"one'%41":                   "one'%41",
		"''%41b":                    "Ab",
		"utf-8''%c3%A4 x":           "ä x",
		"UTF-8'de'Gr%C3%BC%C3%9Fe":  "Grüße",
		"iso-8859-1''Gr%FC%DFe":     "Grüße",
		"iso-2022-jp''%1B$B4A%1B(B": "漢",
		"utf-8''%FF":                "utf-8''%FF",
		"x-none''%41":               "x-none''%41",
		"utf-8''%4":                 "%4",
		"utf-8''%zz%@A%`a":          "%zz%@A%`a",
		"utf-8''it's":               "it's",
	} {
		if got := string(AppendExtended([]byte("x"), []byte(value))); got != "x"+want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}
