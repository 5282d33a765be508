package imapserver

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
)

// A connection that is lost within a command that adds messages, wherever that
// is, changes nothing unless the whole command was there.
func TestAppendCutOff(t *testing.T) {
	for _, tt := range []struct {
		command string
		before  int64 // messages that are there
		after   int64 // what the whole command makes of them
	}{
		{"a APPEND INBOX (\\Seen) {12+}\r\nx: y\r\n\r\nbody \"01-Jan-2026 00:00:00 +0000\" {2+}\r\nab\r\n", 1, 3},
		{"a APPEND INBOX UTF8 (~{5+}\r\nx: y\n)\r\n", 1, 2},
		{"a APPEND INBOX CATENATE (TEXT {3+}\r\nabc URL /INBOX/;UID=1 TEXT {2+}\r\nab) {2+}\r\nab\r\n", 1, 3},
		{"a REPLACE 1 INBOX (\\Seen) CATENATE (URL \";UID=1\" TEXT {3+}\r\nabc)\r\n", 1, 1},
		{"a UID REPLACE 1 INBOX ~{3+}\r\na\x00b\r\n", 1, 1},
	} {
		for n := range len(tt.command) + 1 {
			st := testStore(t)
			deliver(t, st, "alice", "INBOX", seedMessage, 0)
			conn := &memoryConn{in: strings.NewReader("z LOGIN alice secret\r\nz ENABLE UTF8=ACCEPT\r\nz SELECT INBOX\r\n" + tt.command[:n])}
			if err := testServer(t, testConfig(st)).ServeConn(conn); err != nil {
				t.Fatal(err)
			}
			uids := mailboxUIDs(t, st, "alice", "INBOX")
			whole := n == len(tt.command)
			if want := tt.before; !whole && (uids.Len() != want || !uids.Contains(1)) {
				t.Errorf("%d octets of %q: messages %v", n, tt.command, uids)
			}
			if whole && (uids.Len() != tt.after || uids.Max() == 1) {
				t.Errorf("%q: messages %v", tt.command, uids)
			}
			if strings.Contains(conn.out.String(), "a OK") != whole {
				t.Errorf("%d octets of %q: %q", n, tt.command, conn.out.String())
			}
		}
	}
}

// mailboxUIDs lists the messages of a mailbox.
func mailboxUIDs(t *testing.T, st store.Store, id store.AccountID, mailbox string) store.UIDSet {
	t.Helper()
	a, err := st.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByName(t.Context(), a, mailbox)
	if err != nil {
		t.Fatal(err)
	}
	var uids store.UIDSet
	for m, err := range a.Messages(t.Context(), m.ID, store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		uids.Add(m.UID)
	}
	return uids
}

// failingStore refuses every Change of the kind that fails says.
type failingStore struct {
	store.Store
	fails func(store.Change) error
}

type failingAccount struct {
	store.Account
	fails func(store.Change) error
}

func (s failingStore) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return failingAccount{a, s.fails}, err
}

func (a failingAccount) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	if err := a.fails(c); err != nil {
		return store.Result{}, err
	}
	return a.Account.Apply(ctx, c)
}

// What the store did not take is never acknowledged (I1), and its words stay
// here (I5).
func TestNothingAcknowledgedEarly(t *testing.T) {
	st := testStore(t)
	deliver(t, st, "alice", "INBOX", seedMessage, store.Deleted)
	failing := errors.New("disk sda1 is on fire")
	broken := failingStore{st, func(c store.Change) error {
		if _, ok := c.Ops[0].(store.ClaimRecent); ok {
			return nil
		}
		return failing
	}}
	srv := testServer(t, testConfig(broken))
	commands := []string{
		"APPEND INBOX {3+}\r\nabc", "APPEND INBOX CATENATE (URL /INBOX/;UID=1)", "REPLACE 1 INBOX {3+}\r\nabc", "COPY 1 INBOX", "MOVE 1 INBOX", "STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "UID EXPUNGE 1", "FETCH 1 BODY[]",
		"CREATE x", "DELETE INBOX", "RENAME INBOX x", "SUBSCRIBE INBOX", "CLOSE",
	}
	in := "z LOGIN alice secret\r\nz SELECT INBOX\r\n"
	for _, c := range commands {
		in += "a " + c + "\r\n"
	}
	conn := &memoryConn{in: strings.NewReader(in)}
	if err := srv.ServeConn(conn); err != nil {
		t.Fatal(err)
	}
	out := conn.out.String()
	if n := strings.Count(out, "a NO [SERVERBUG] Internal error, log id "); n != len(commands) {
		t.Errorf("%d of %d commands failed: %s", n, len(commands), out)
	}
	if strings.Contains(out, "a OK") || strings.Contains(out, "fire") || strings.Contains(out, "EXPUNGE\r\n") {
		t.Errorf("output: %s", out)
	}
	failing = store.ErrTemporary
	conn = &memoryConn{in: strings.NewReader("z LOGIN alice secret\r\na CREATE x\r\n")}
	if err := srv.ServeConn(conn); err != nil {
		t.Fatal(err)
	}
	if out := conn.out.String(); !strings.Contains(out, "a NO [UNAVAILABLE] Internal error") {
		t.Errorf("output: %s", out)
	}
}
