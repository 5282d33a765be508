package crlf

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

var errCut = errors.New("cut")

func TestStream(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""},
		{"a", "a"},
		{"\n", "\r\n"},
		{"\r\n", "\r\n"},
		{"\r", "\r"},
		{"\n\n", "\r\n\r\n"},
		{"\r\r\n\n", "\r\r\n\r\n"},
		{"a\nb\r\nc\rd\n", "a\r\nb\r\nc\rd\r\n"},
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "one octet at a time": iotest.OneByteReader,
			"end with the octets": iotest.DataErrReader,
		} {
			for _, err := range []error{io.EOF, errCut} {
				in := io.MultiReader(strings.NewReader(tc.in), iotest.ErrReader(err))
				got, gotErr := io.ReadAll(Stream(wrap(in)))
				if string(got) != tc.want || err == errCut && gotErr != errCut || err == io.EOF && gotErr != nil {
					t.Errorf("%s: %q becomes %q, %v; want %q", name, tc.in, got, gotErr, tc.want)
				}
			}
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte("a\nb\r\n\n"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, room uint8) {
		want := bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		var got bytes.Buffer
		r, p := Stream(bytes.NewReader(b)), make([]byte, int(room)+1)
		for {
			n, err := r.Read(p)
			got.Write(p[:n])
			if err != nil {
				break
			}
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%q becomes %q, want %q", b, got.Bytes(), want)
		}
	})
}
