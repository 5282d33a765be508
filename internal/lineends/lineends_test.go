package lineends

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

var errCut = errors.New("cut off")

func TestLines(t *testing.T) {
	for _, test := range []struct{ in, lf, quoted string }{
		{"", "", ""},
		{"a\r\nb\r\n", "a\nb\n", "a\r\nb\r\n"},
		{"a\rb\nc\r\r\n\r", "a\rb\nc\r\n\r", "a\rb\nc\r\r\n\r"},
		{"From x\r\n>From y\r\n>>From \r\n> From\r\nFrom", "From x\n>From y\n>>From \n> From\nFrom", ">From x\r\n>>From y\r\n>>>From \r\n> From\r\nFrom"},
		{"x From y\r\n\r\nFro\r\n>>>", "x From y\n\nFro\n>>>", "x From y\r\n\r\nFro\r\n>>>"},
	} {
		for name, read := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "by octets": iotest.OneByteReader, "data and error": iotest.DataErrReader} {
			lf, err := io.ReadAll(LF(read(strings.NewReader(test.in))))
			quoted, err2 := io.ReadAll(QuoteFrom(read(strings.NewReader(test.in))))
			if string(lf) != test.lf || string(quoted) != test.quoted || err != nil || err2 != nil {
				t.Errorf("%q %s: %q, %q, %v, %v", test.in, name, lf, quoted, err, err2)
			}
		}
	}
	if _, err := io.ReadAll(LF(iotest.ErrReader(errCut))); !errors.Is(err, errCut) {
		t.Errorf("%v", err)
	}
	long := strings.Repeat(">", 3*maxPending) + "From x"
	if got, err := io.ReadAll(QuoteFrom(strings.NewReader(long))); string(got) != long || err != nil {
		t.Errorf("%d octets, %v", len(got), err)
	}
}
