package imapfetch

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

func parseNews(t *testing.T, line string) *Plan {
	t.Helper()
	dec := imapwire.NewDecoder(strings.NewReader(line+"\r\n"), imapwire.Config{MaxLine: 1 << 20})
	if err := dec.Begin(); err != nil {
		t.Fatal(err)
	}
	p, err := ParseNews(dec, Dialect{})
	if err == nil {
		err = dec.End()
	}
	if err != nil {
		t.Fatalf("%.60s: %v", line, err)
	}
	return p
}

func TestParseNews(t *testing.T) {
	if p := parseNews(t, ""); p != nil {
		t.Errorf("%+v", p)
	}
	for _, line := range []string{" (UID BODY[])", "(UID BODY[])"} {
		if p := parseNews(t, line); p == nil || p.Items != imap.FetchUID || len(p.Sections) != 1 || p.Seen {
			t.Errorf("%q: %+v", line, p)
		}
	}
}

// TestMerge: each thing once, under the bound, and PREVIEW lazy only where nobody
// waits for it.
func TestMerge(t *testing.T) {
	a := parseNews(t, " (UID BODY.PEEK[TEXT] BODY[HEADER.FIELDS (A)]<0.3> PREVIEW (LAZY))")
	b := parseNews(t, " (FLAGS BODY[TEXT] BODY[HEADER.FIELDS (A)]<0.4> BODY[HEADER.FIELDS (A)])")
	p, err := Merge(a, b)
	if err != nil || p.Items != imap.FetchUID|imap.FetchFlags|imap.FetchPreview || len(p.Sections) != 4 || p.Seen || !p.Lazy {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err = Merge(p, parseNews(t, " (PREVIEW)")); err != nil || p.Lazy {
		t.Errorf("%+v, %v", p, err)
	}
	many := make([]string, MaxSections)
	for i := range many {
		many[i] = fmt.Sprintf("BODY[%d]", i+1)
	}
	if _, err = Merge(a, parseNews(t, " ("+strings.Join(many, " ")+")")); !errors.Is(err, ErrTooManySections) {
		t.Errorf("%v", err)
	}
}
