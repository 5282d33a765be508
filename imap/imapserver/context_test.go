package imapserver

import (
	"context"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
)

// sortStore lets something happen between a search and the sorting of what it
// found.
type sortStore struct {
	store.Store
	meanwhile func()                // once; nil = nothing
	wait      func(context.Context) // nil = nothing
}

type sortAccount struct {
	store.Account
	of *sortStore
}

func (s *sortStore) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return sortAccount{a, s}, err
}

func (a sortAccount) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	if f := a.of.wait; f != nil && q.Fields&store.FieldDates != 0 {
		f(ctx)
	}
	if f := a.of.meanwhile; f != nil && q.Fields&store.FieldDates != 0 {
		a.of.meanwhile = nil
		f()
	}
	return a.Account.Messages(ctx, id, q)
}

func expungeUID(t *testing.T, st store.Store, uid store.UID) {
	t.Helper()
	a, err := st.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{store.Expunge{Mailbox: m.ID, UIDs: store.UIDs(uid)}}}); err != nil {
		t.Fatal(err)
	}
}

// TestSortedContextInStep: what vanishes while a result is sorted is not in it,
// and the positions that a client hears of are those in what it knows (RFC 5267
// §4.3).
func TestSortedContextInStep(t *testing.T) {
	inner := testStore(t)
	st := &sortStore{Store: inner}
	for _, subject := range []string{"delta", "alpha", "charlie", "bravo"} {
		deliver(t, inner, "alice", "INBOX", "Subject: "+subject+"\r\n\r\n", 0)
	}
	c := dialClient(t, testServer(t, testConfig(st)))
	c.do("LOGIN alice secret")
	c.do("SELECT INBOX")
	st.meanwhile = func() { expungeUID(t, inner, 2) }
	if out := c.do("UID SORT RETURN (UPDATE ALL COUNT) (SUBJECT) UTF-8 ALL"); !strings.Contains(out, "UID COUNT 3 ALL 4,3,1\n") && !strings.Contains(out, "UID ALL 4,3,1 COUNT 3\n") {
		t.Errorf("SORT: %s", out)
	}
	if out := c.do("NOOP"); strings.Contains(out, "ESEARCH") || !strings.Contains(out, "* 2 EXPUNGE") {
		t.Errorf("what was never told: %s", out)
	}
	deliver(t, inner, "alice", "INBOX", "Subject: bronze\r\n\r\n", 0)
	st.meanwhile = func() { expungeUID(t, inner, 4) }
	if out := c.do("NOOP"); !strings.Contains(out, "UID REMOVEFROM (1 4)\n* ESEARCH (TAG \"t3\") UID ADDTO (1 5)\n") {
		t.Errorf("a message joins while another goes: %s", out)
	}
	if out := c.do("NOOP"); strings.Contains(out, "ESEARCH") || !strings.Contains(out, "* 3 EXPUNGE") {
		t.Errorf("what was told already: %s", out)
	}
	deliver(t, inner, "alice", "INBOX", "Subject: aardvark\r\n\r\n", 0)
	st.meanwhile = func() { expungeUID(t, inner, 6) }
	if out := c.do("NOOP"); strings.Contains(out, "ESEARCH") {
		t.Errorf("what joined is gone: %s", out)
	}
}

// TestContextLost: updating a context ends with its connection.
func TestContextLost(t *testing.T) {
	slowSearch(t, func(_ *Server, st *slowStore, p *pipeSession) {
		p.run(t, "c SEARCH RETURN (UPDATE) UID 21:* BODY needle")
		for range 20 {
			deliver(t, st, "alice", "INBOX", "a: b\r\n\r\nneedle\r\n", 0)
		}
		before := st.opened.Load()
		go io.Copy(io.Discard, p.r)
		io.WriteString(p, "d NOOP\r\n")
		time.Sleep(4 * time.Second) // the second message is being opened
		p.Close()
		time.Sleep(2 * time.Minute)
		if n := st.opened.Load() - before; n > 3 {
			t.Errorf("%d messages were opened", n)
		}
	})
}
