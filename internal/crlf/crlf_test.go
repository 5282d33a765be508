package crlf_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/crlf"
)

// naive is the rule in one line.
func naive(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// FuzzReader holds what is read, whole and from any place, against the naive
// rule; long repeats the text so that it spans blocks.
func FuzzReader(f *testing.F) {
	for _, s := range []string{"", "\n", "a\nb\r\nc", "\r", "x\r\n\n", "\n\r\n"} {
		f.Add(s, uint16(0), false)
		f.Add(s, uint16(40_000), true)
	}
	f.Fuzz(func(t *testing.T, s string, off uint16, long bool) {
		if long && len(s) > 0 {
			s = strings.Repeat(s, 1+100_000/len(s))
		}
		want := naive(s)
		c, lf, err := crlf.Wire(strings.NewReader(s), int64(len(s)))
		if err != nil || c.Size() != int64(len(want)) || lf != (want != s) {
			t.Fatalf("%d octets, lf %v, %v; want %d, %v", c.Size(), lf, err, len(want), want != s)
		}
		got, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
		if err != nil || string(got) != want {
			t.Fatalf("reads %.100q, %v, want %.100q", got, err, want)
		}
		p := make([]byte, 100)
		n, err := c.ReadAt(p, int64(off))
		rest := []byte(want)[min(int(off), len(want)):]
		if !bytes.Equal(p[:n], rest[:min(100, len(rest))]) || (n < 100) != (err == io.EOF) {
			t.Fatalf("at %d reads %q, %v, want %.100q", off, p[:n], err, rest)
		}
	})
}
