package fetch

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store/blob/memblob"
)

// FuzzSpool: what is kept is what came, but for the provider's Return-Path in
// front; a message is known again when a server has changed its own fields, and
// with other line ends.
func FuzzSpool(f *testing.F) {
	for _, text := range []string{
		"", "\r\n", "A: b", "Return-Path: <joe@example.org>\r\nA: b\r\n\r\nbody", "return-path:\r\n <x>\r\nReturn-Path: <y@z>\r\n\r\n",
		"A: b\nStatus: RO\n\n\xff", "Subject: x\r\n\tfolded\r\n\r\nbody",
	} {
		f.Add([]byte(text), uint8(7))
	}
	f.Fuzz(func(t *testing.T, text []byte, piece uint8) {
		blobs := memblob.New()
		r := &byPieces{bytes.NewReader(text), 1 + int(piece)}
		s, err := spool(t.Context(), blobs, r, 0)
		if err != nil {
			t.Fatal(err)
		}
		b, err := blobs.Open(t.Context(), s.stored.Ref)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		kept, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
		if err != nil || s.size != int64(len(kept)) || !bytes.HasSuffix(text, kept) {
			t.Fatalf("%q became %q, %d octets, %v", text, kept, s.size, err)
		}
		taken := text[:len(text)-len(kept)]
		for line := range strings.Lines(string(taken)) {
			if !strings.HasPrefix(strings.ToLower(line), "return-path:") && line[0] != ' ' && line[0] != '\t' {
				t.Errorf("taken away: %q", line)
			}
		}
		if got := printOf(bytes.ReplaceAll(s.head, []byte("\r\n"), []byte("\n"))); got != printOf(s.head) {
			t.Errorf("%q has another fingerprint with LF", s.head)
		}
		if got := printOf(append([]byte("X-UIDL: 1\r\nStatus: RO\r\n"), s.head...)); (len(s.head) == 0 || s.head[0] != ' ' && s.head[0] != '\t') && got != s.print {
			t.Errorf("%q has another fingerprint with fields of the server", s.head)
		}
	})
}

// byPieces reads at most n octets at a time.
type byPieces struct {
	io.Reader
	n int
}

func (p *byPieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.n)]) }
