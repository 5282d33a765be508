package imapserver

import (
	"context"
	"fmt"
	"iter"
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

// tornStore lets something happen while the messages of a mailbox are read: when
// message 1 was read, and the others not yet.
type tornStore struct {
	store.Store
	meanwhile func() // once; nil = nothing
}

func (s *tornStore) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return &tornAccount{a, s}, err
}

type tornAccount struct {
	store.Account
	of *tornStore
}

func (a *tornAccount) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	meanwhile := a.of.meanwhile
	if meanwhile == nil || q.Since == 0 {
		return a.Account.Messages(ctx, id, q)
	}
	a.of.meanwhile = nil
	return func(yield func(*store.Message, error) bool) {
		for _, uids := range []store.UIDSet{{{First: 1, Last: 1}}, {{First: 2, Last: 1<<32 - 1}}} {
			q.UIDs = uids
			for m, err := range a.Account.Messages(ctx, id, q) {
				if !yield(m, err) {
					return
				}
			}
			if meanwhile != nil {
				meanwhile()
				meanwhile = nil
			}
		}
	}
}

// TestTornTable: a table may hold a change and not an earlier one, which happened
// while it was read. A client that was shown the later one does not take itself to
// know the earlier one.
func TestTornTable(t *testing.T) {
	inner := testStore(t)
	st := &tornStore{Store: inner}
	var last store.OpResult
	for range 3 {
		last = deliver(t, inner, "alice", "INBOX", "x: y\r\n\r\n", 0)
	}
	flag := func(uid store.UID, flag store.Flags) {
		a, err := inner.Open(t.Context(), "alice")
		if err == nil {
			_, err = a.Apply(t.Context(), store.Change{Ops: []store.Op{store.SetFlags{Mailbox: last.Mailbox, UIDs: store.UIDs(uid), Flags: flag}}})
		}
		if err != nil {
			t.Error(err)
		}
	}
	c := newModelClientOn(t, "a", qresync, listenAndServe(t, testServer(t, testConfig(st))))
	c.selectBox("INBOX")
	c.run("UID FETCH 1:* (FLAGS)")
	flag(2, store.Flagged)
	st.meanwhile = func() {
		flag(1, store.Flagged)
		flag(3, store.Flagged)
	}
	c.run("NOOP")
	if c.known[2].flags == "" || c.known[0].flags != `\Recent` || !strings.Contains(c.known[2].flags, `\Flagged`) {
		t.Fatalf("the table is not torn: %v", c.known)
	}
	c.comeBack("INBOX")
	compareCache(t, c, inner)
}
