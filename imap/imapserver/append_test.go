package imapserver

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
)

// A connection that is lost within APPEND, wherever that is, adds nothing
// unless the whole command was there.
func TestAppendCutOff(t *testing.T) {
	const command = "a APPEND INBOX (\\Seen) {12+}\r\nx: y\r\n\r\nbody \"01-Jan-2026 00:00:00 +0000\" {2+}\r\nab\r\n"
	for n := range len(command) + 1 {
		st := testStore(t)
		srv := testServer(t, testConfig(st))
		conn := &memoryConn{in: strings.NewReader("z LOGIN alice secret\r\n" + command[:n])}
		if err := srv.ServeConn(conn); err != nil {
			t.Fatal(err)
		}
		a, err := st.Open(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		u, err := a.Usage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := int64(0)
		if n == len(command) {
			want = 2
		}
		if u.Messages != want || strings.Contains(conn.out.String(), "a OK") != (want > 0) {
			t.Errorf("%d octets: %d messages, %q", n, u.Messages, conn.out.String())
		}
	}
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
		"APPEND INBOX {3+}\r\nabc", "COPY 1 INBOX", "MOVE 1 INBOX", "STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "UID EXPUNGE 1", "FETCH 1 BODY[]",
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
