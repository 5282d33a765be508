package imapsearch

import (
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// TestWithin: the keys of RFC 9738 §3.2, and what UIDs leave of a mailbox.
func TestWithin(t *testing.T) {
	all := store.UIDSet{{First: 1, Last: 9}}
	for line, want := range map[string]string{
		"ALL": "1:9", "UIDBEFORE 1": "", "UIDBEFORE 4": "1:3", "UIDAFTER 7": "8:9", "UIDAFTER 9": "", "UIDAFTER 4294967295": "",
		"UID *": "9", "UID 2:5 (SEEN UIDAFTER 3)": "4:5", "NOT UID 2:5": "1:9", "OR UID 2 UID 3": "1:9",
	} {
		dec := imapwire.NewDecoder(strings.NewReader(line+"\r\n"), imapwire.Config{})
		if err := dec.Begin(); err != nil {
			t.Fatal(err)
		}
		p, err := NewParser(dec, Config{MaxNodes: 100}).Program()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := p.Within(all, 9).String(); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
		for _, n := range p {
			for _, r := range n.UIDs {
				if r.First == 0 || r.First > r.Last {
					t.Errorf("%s: range %v", line, r)
				}
			}
		}
	}
}
