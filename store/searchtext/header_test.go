package searchtext

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/internal/mimetext"
)

// gather collects texts, each ended by a bar.
type gather struct{ bytes.Buffer }

func (g *gather) End()       { g.WriteByte('|') }
func (g *gather) Done() bool { return false }

// texts is what Header and WriteText give.
func texts(t testing.TB, header string) string {
	t.Helper()
	var g gather
	for f, err := range Header(strings.NewReader(header), int64(len(header))) {
		if err == nil {
			err = f.WriteText(&g)
		}
		if err != nil {
			t.Fatal(err)
		}
		g.End()
	}
	return g.String()
}

// atOnce is what a header of short fields has to give: each field held as a whole.
func atOnce(header string) string {
	var b strings.Builder
	for f := range mime.Fields([]byte(header)) {
		fmt.Fprintf(&b, "%s: %s|", f.Name, mimetext.DecodeWords(mime.AppendUnfolded(nil, f.Value)))
	}
	return b.String()
}

// TestHeaderInPieces: a field that is read in pieces is the same as one that is
// read at once, wherever the pieces end.
func TestHeaderInPieces(t *testing.T) {
	for name, unit := range map[string]string{
		"words":         "=?utf-8?q?=C3=A4b?= =?koi8-r?q?=C1?=\r\n ",
		"words, text":   "plain =?utf-8?b?w6Q=?=\r\n\tmore ",
		"raw":           "é",
		"raw, spaces":   "漢 é\r\n  ",
		"one long word": "x",
		"folding":       "a\n b\r\n\tc",
	} {
		for pad := range 12 {
			value := strings.Repeat("p", pad) + " " + strings.Repeat(unit, 3*pieceSize/len(unit))
			header := "A: 1\r\nSubject: " + value + "\r\nNo field\r\nB: 2\r\n\r\nC: 3\r\n"
			if got, want := texts(t, header), atOnce(header); got != want {
				t.Fatalf("%s, pad %d: %d octets, want %d", name, pad, len(got), len(want))
			}
		}
	}
	for n := pieceSize - 20; n < pieceSize+20; n++ {
		header := "A: " + strings.Repeat("a", n) + "\r\nB: 2\r\n c\r\n\r\n"
		if got, want := texts(t, header), atOnce(header); got != want {
			t.Fatalf("a field of %d octets: %d octets, want %d", n, len(got), len(want))
		}
	}
}

// TestHeaderReportsTheReader: a header that ends early is an error.
func TestHeaderReportsTheReader(t *testing.T) {
	for _, header := range []string{"A: 1\r\n", "A: " + strings.Repeat("x", 2*pieceSize)} {
		var last error
		for _, err := range Header(strings.NewReader(header), int64(len(header)+1)) {
			last = err
		}
		if last != io.ErrUnexpectedEOF {
			t.Errorf("%.10q: %v", header, last)
		}
	}
}

// TestLongHeader: all of a header of 1 MiB is read, and little of it is held.
func TestLongHeader(t *testing.T) {
	for name, header := range map[string]string{
		"one field":   "Subject: " + strings.Repeat("=?koi8-r?q?=C1?= ", MaxHeader/17-10) + "last word\r\n",
		"many fields": strings.Repeat("X-A: something of no use\r\n", MaxHeader/26-10) + "X-B: last word\r\n",
	} {
		if len(header) < MaxHeader-1000 || len(header) > MaxHeader {
			t.Fatalf("%s: %d octets", name, len(header))
		}
		body := header + "\r\nx"
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f := &finder{needle: []byte("last word")}
		for fd, err := range Header(strings.NewReader(body), int64(len(body))) {
			if err == nil {
				err = fd.WriteText(f)
			}
			if err != nil {
				t.Fatal(err)
			}
			f.End()
		}
		runtime.ReadMemStats(&after)
		if !f.found {
			t.Errorf("%s: the last word was not found", name)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d octets", name, n)
		}
	}
}

// FuzzHeader: the end of the pieces makes no difference to a header that has
// white space.
func FuzzHeader(f *testing.F) {
	f.Add("A: b =?utf-8?q?x?=\r\n c\r\n\r\nD: e")
	f.Add("a\n\n")
	f.Fuzz(func(t *testing.T, header string) {
		if len(header) < pieceSize {
			if got, want := texts(t, header), atOnce(header); got != want {
				t.Fatalf("%q: %q, want %q", header, got, want)
			}
		}
	})
}
