package emltree

import (
	"slices"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
)

// FuzzName: any name of a file can be read; flags and keywords come back as they
// were, or are told.
func FuzzName(f *testing.F) {
	f.Add("20240101T000000Z-000001-abcdefgh+seen,~x%2Cy.eml", uint8(3), "a,b")
	f.Add("letter.EML", uint8(0), "50%+x/y")
	f.Fuzz(func(t *testing.T, name string, flags uint8, keyword string) {
		parseName(name)
		at := time.Unix(1e9, 0).UTC()
		id, want := newID(at, int(flags)), store.Flags(flags)&store.AllFlags
		written, dropped := fileName(id, want, []string{"$Junk", keyword})
		p := parseName(written)
		got := append(p.keywords, dropped...)
		if p.id != id || !p.received.Equal(at) || p.flags != want || !slices.Equal(got, []string{"$Junk", keyword}) {
			t.Errorf("%q: %+v, dropped %q; want %v, %q", written, p, dropped, want, keyword)
		}
		if len(written) > maxName {
			t.Errorf("%d octets", len(written))
		}
	})
}
