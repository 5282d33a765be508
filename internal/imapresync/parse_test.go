package imapresync

import (
	"errors"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

func parse(line string) (Request, error) {
	dec := imapwire.NewDecoder(strings.NewReader(line+"\r\n"), imapwire.Config{})
	if err := dec.Begin(); err != nil {
		return Request{}, err
	}
	r, err := Parse(dec)
	if err == nil {
		err = dec.End()
	}
	return r, err
}

func TestParse(t *testing.T) {
	for line, want := range map[string]struct {
		known, seqs, uids string
		condstore         bool
	}{
		" (QRESYNC (67890007 20050715194045000 41,43:211,214:541))": {known: "41,43:211,214:541"},
		" (QRESYNC (67890007 20050715194045000))":                   {known: "1:1000"},
		" (condstore qresync (67890007 20050715194045000 (1:2 5,9)))": {
			known: "1:1000", seqs: "1:2", uids: "5,9", condstore: true,
		},
		" (QRESYNC (67890007 20050715194045000 1:29997 (5000,7500,9000,9990:9991 15000,22500,27000,29970,29973)))": {
			known: "1:1000", seqs: "5000,7500,9000,9990:9991", uids: "15000,22500,27000,29970,29973",
		},
	} {
		r, err := parse(line)
		if err != nil || r.QResync == nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		q := r.QResync
		if q.UIDValidity != 67890007 || q.Since != 20050715194045000 || r.CondStore != want.condstore {
			t.Errorf("%s: %+v", line, r)
		}
		if got := q.Known(1000).String(); got != want.known {
			t.Errorf("%s: knows %s, want %s", line, got, want.known)
		}
		if q.Seqs.String() != want.seqs || q.UIDs.String() != want.uids {
			t.Errorf("%s: %s are %s", line, q.Seqs, q.UIDs)
		}
	}
	for _, line := range []string{
		" ", " X", " (X)", " (QRESYNC)", " (QRESYNC ())", " (QRESYNC (1))", " (QRESYNC (0 1))", " (QRESYNC (1 0))",
		" (QRESYNC (1 9223372036854775808))", " (QRESYNC (1 2 *))", " (QRESYNC (1 2 1:*))", " (QRESYNC (1 2 3 4))",
		" (QRESYNC (1 2 3 (1 *)))", " (QRESYNC (1 2 3 (1:2 1)))", " (QRESYNC (1 2 3 (2,1 1:2)))", " (QRESYNC (1 2 3 (1 1:2)))",
		" (QRESYNC (1 2 3 (2:1 1:2)))", " (QRESYNC (1 2 3 (1 1)) QRESYNC (1 2))", " (QRESYNC (1 2) ",
	} {
		if r, err := parse(line); !errors.As(err, new(*imapwire.SyntaxError)) {
			t.Errorf("%s: %+v, %v", line, r, err)
		}
	}
	if r, err := parse(""); err != nil || r != (Request{}) {
		t.Errorf("nothing: %+v, %v", r, err)
	}
}

// TestKnown: what the client may know ends at the greatest UID that was given
// out.
func TestKnown(t *testing.T) {
	q := QResync{known: imap.NumSet{{Start: 3, Stop: 4294967295}}}
	if got := q.Known(7).String(); got != "3:7" {
		t.Errorf("%s", got)
	}
	if got := q.Known(0); got != nil {
		t.Errorf("an empty mailbox that never had messages: %v", got)
	}
	if got := (&QResync{}).Known(1); got.Len() != 1 || got.Max() != 1 {
		t.Errorf("%v", got)
	}
	var _ store.UIDSet = q.Known(1)
}

func FuzzParse(f *testing.F) {
	f.Add(" (QRESYNC (1 2 3:9 (1:2 5,9)) CONDSTORE)")
	f.Fuzz(func(t *testing.T, line string) {
		r, err := parse(line)
		if err != nil || r.QResync == nil {
			return
		}
		if q := r.QResync; q.UIDValidity == 0 || q.Since == 0 || q.Since > 1<<63-1 {
			t.Fatalf("%q: %+v", line, q)
		}
		for _, known := range r.QResync.Known(100) {
			if known.First == 0 || known.Last > 100 || known.First > known.Last {
				t.Fatalf("%q: %v", line, known)
			}
		}
	})
}
