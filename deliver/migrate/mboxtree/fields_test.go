package mboxtree

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store"
)

// FuzzSplit: of what other programs wrote nothing but whole fields is taken away;
// what this package writes comes back as it was.
func FuzzSplit(f *testing.F) {
	for _, text := range []string{
		"Status: RO\nX-Status: A\nSubject: x\n\nbody\n", "X-IMAPbase: 1 2\n a\nSubject: DON'T DELETE THIS MESSAGE\n\n",
		"X-Mozilla-Status: 0009\nX-Gmail-Labels: Unread,\n Starred\n\n", "Status: RO\nX-Status: \nX-Keywords: a b\nX-Migrate-Id: 7\n\nStatus: x", " x\n\n",
	} {
		f.Add([]byte(text), uint8(5))
	}
	f.Fuzz(func(t *testing.T, text []byte, flags uint8) {
		_, body, err := split(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		left, err := io.ReadAll(body)
		if err != nil || !isSubsequence(left, text) {
			t.Fatalf("%q became %q, %v", text, left, err)
		}
		want := store.Flags(flags) & (store.Seen | store.Answered | store.Flagged | store.Deleted | store.Draft)
		written := append(appendFields(nil, want, []string{"$Junk", "a"}, "id7"), text...)
		m, body, err := split(bufio.NewReader(bytes.NewReader(written)))
		if err != nil {
			t.Fatal(err)
		}
		left, err = io.ReadAll(body)
		if len(text) > 0 && (text[0] == ' ' || text[0] == '\t') {
			return // no message: its first line belongs to our last field
		}
		if err != nil || !bytes.Equal(left, text) || m.flags != want || m.id != "id7" || !slices.Equal(m.keywords, []string{"$Junk", "a"}) {
			t.Errorf("%q came back as %q, %+v, %v", text, left, m, err)
		}
	})
}

// isSubsequence reports that the lines of part are lines of whole, in their order.
func isSubsequence(part, whole []byte) bool {
	have := slices.Collect(bytes.Lines(whole))
	for line := range bytes.Lines(part) {
		i := slices.IndexFunc(have, func(b []byte) bool { return bytes.Equal(b, line) })
		if i < 0 {
			return false
		}
		have = have[i+1:]
	}
	return true
}
