package imapserver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// reopen returns what a client with QRESYNC is told when it opens INBOX again on
// a server that has nothing in memory.
func reopen(t *testing.T, st store.Store, param string) []string {
	t.Helper()
	c := newModelClientOn(t, "q", qresync, listenAndServe(t, testServer(t, testConfig(st))))
	var lines []string
	c.hear = func(l string) {
		if strings.Contains(l, "VANISHED") || strings.Contains(l, "FETCH") || strings.Contains(l, "HIGHESTMODSEQ") {
			lines = append(lines, l)
		}
	}
	if r := c.run("SELECT INBOX (QRESYNC (" + param + "))"); !strings.HasPrefix(r, "OK") {
		t.Fatal(r)
	}
	return lines
}

// TestResyncFromStore: what a view does not remember is read from the tombstones
// of the store; below its purge mark, all that the client knew and is not there
// has vanished (RFC 7162 §3.2.6).
func TestResyncFromStore(t *testing.T) {
	st := testStore(t)
	var last store.OpResult
	for range 6 {
		last = deliver(t, st, "alice", "INBOX", "x: y\r\n\r\n", 0)
	}
	a, _ := st.Open(t.Context(), "alice")
	box := last.Mailbox
	apply := func(op store.Op) store.ModSeq {
		t.Helper()
		res, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{op}})
		if err != nil {
			t.Fatal(err)
		}
		return res.ModSeq
	}
	old := apply(store.Expunge{Mailbox: box, UIDs: store.UIDs(2)})
	since := apply(store.SetFlags{Mailbox: box, UIDs: store.UIDs(1), Flags: store.Seen})
	apply(store.Expunge{Mailbox: box, UIDs: store.UIDs(3, 6)})
	now := apply(store.SetFlags{Mailbox: box, UIDs: store.UIDs(4), Flags: store.Flagged})

	newModelClient(t, "r", listenAndServe(t, testServer(t, testConfig(st)))).selectBox("INBOX") // takes \Recent
	highest := fmt.Sprintf("* OK [HIGHESTMODSEQ %d] Highest", now)
	flagged := fmt.Sprintf(`* 2 FETCH (UID 4 FLAGS (\Flagged) MODSEQ (%d))`, now)
	seen := fmt.Sprintf(`* 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (%d))`, since)
	validity := last.UIDValidity
	check := func(what, param string, want ...string) {
		t.Helper()
		if got := reopen(t, st, param); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	check("log", fmt.Sprint(validity, since), highest, "* VANISHED (EARLIER) 3,6", flagged)
	check("known UIDs", fmt.Sprint(validity, since)+" 1:3", highest, "* VANISHED (EARLIER) 3")
	check("nothing", fmt.Sprint(validity, now), highest)

	if err := st.Purge(t.Context(), "alice", since); err != nil {
		t.Fatal(err)
	}
	check("at the purge mark", fmt.Sprint(validity, since), highest, "* VANISHED (EARLIER) 3,6", flagged)
	check("below the purge mark", fmt.Sprint(validity, old), highest, "* VANISHED (EARLIER) 2:3,6", seen, flagged)
	check("a sample", fmt.Sprint(validity, old)+" 1:6 (1,2 1,4)", highest, "* VANISHED (EARLIER) 6", seen, flagged)
}

// TestResyncLong: a long set goes out in several responses.
func TestResyncLong(t *testing.T) {
	st := testStore(t)
	var last store.OpResult
	const n = 2*vanishedLine + 10
	for range 2*n - 1 {
		last = appendEmpty(t, st)
	}
	a, _ := st.Open(t.Context(), "alice")
	var odd store.UIDSet
	for uid := store.UID(1); uid < 2*n; uid += 2 {
		odd.Add(uid)
	}
	before, err := a.Wait(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{store.Expunge{Mailbox: last.Mailbox, UIDs: odd}}}); err != nil {
		t.Fatal(err)
	}
	var told int
	for _, l := range reopen(t, st, fmt.Sprint(last.UIDValidity, before)) {
		if set, ok := strings.CutPrefix(l, "* VANISHED (EARLIER) "); ok {
			ranges := strings.Count(set, ",") + 1
			if told += ranges; ranges > vanishedLine {
				t.Errorf("%d ranges in one line", ranges)
			}
		}
	}
	if told != n {
		t.Errorf("%d ranges were told, want %d", told, n)
	}
}

// appendEmpty adds a message to INBOX of alice, all of which share one body.
func appendEmpty(t *testing.T, st *memstore.Store) store.OpResult {
	t.Helper()
	return deliver(t, st, "alice", "INBOX", "\r\n", 0)
}
