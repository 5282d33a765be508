package imapserver

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// expungeFails fails Changes that do nothing but expunge.
func expungeFails(c store.Change) error {
	if slices.ContainsFunc(c.Ops, func(op store.Op) bool { _, ok := op.(store.Expunge); return !ok }) {
		return nil
	}
	return store.ErrTemporary
}

// bobIn is bob with a mailbox selected, on a store that makes changes but for
// those that only expunge.
func bobIn(t *testing.T, rights, mailbox string) *lines {
	t.Helper()
	st := testStore(t)
	shareBox(t, st, rights)
	deliver(t, st, "alice", "yard", "a: b\r\n\r\n", store.Flagged)
	cfg := testConfig(failingStore{st, expungeFails})
	cfg.Sharing = &Sharing{}
	c := dialClient(t, testServer(t, cfg))
	c.do("LOGIN bob secret")
	c.do("SELECT " + mailbox)
	return c
}

// TestMoveWithinOneChange: within an account a move is one change, also where the
// copies may not have all flags.
func TestMoveWithinOneChange(t *testing.T) {
	c := bobIn(t, "lri", `"Other Users/alice/yard"`)
	out := c.do(`MOVE 1 "Other Users/alice/box"`)
	if !strings.Contains(out, " 1 3] Moved\n* 1 EXPUNGE\n") || !strings.Contains(out, "OK MOVE completed") {
		t.Errorf("MOVE: %s", out)
	}
	c.do(`SELECT "Other Users/alice/box"`)
	if out := c.do("FETCH 3 FLAGS"); strings.Contains(out, `\Flagged`) {
		t.Errorf("the copy has a flag that bob may not set: %s", out)
	}
}

// TestToldOfCopies: the client hears of the new message also when the old one
// could not be taken away, so that it does not make it again.
func TestToldOfCopies(t *testing.T) {
	for command, want := range map[string]string{
		`MOVE 1 "Other Users/alice/box"`:                               "COPYUID ",
		"REPLACE 1 \"Other Users/alice/box\" {8+}\r\na: b\r\n\r\n\r\n": "APPENDUID ",
	} {
		c := bobIn(t, "lrswite", "INBOX")
		if out := c.do(command); !strings.Contains(out, "* OK ["+want) || !strings.Contains(out, " NO [UNAVAILABLE]") || strings.Contains(out, "EXPUNGE") {
			t.Errorf("%s: %s", command, out)
		}
	}
}

// TestTransferMemory: what a transfer holds is bounded, whatever it consists of.
func TestTransferMemory(t *testing.T) {
	st := testStore(t)
	deliver(t, st, "alice", "INBOX", seedMessage, 0)
	a, err := st.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	const size = 4 << 20
	s := &session{srv: testServer(t, testConfig(st)), ctx: t.Context()}
	transfer := &anew{session: s, dest: &place{Mailbox: &inbox, rights: imap.RightsAll}}
	for m, err := range a.Messages(t.Context(), inbox.ID, store.Query{Fields: store.FieldContent}) {
		if err != nil {
			t.Fatal(err)
		}
		m.Prefix = []byte("X: " + strings.Repeat("y", size) + "\r\n")
		n := 0
		for ; err == nil && n < 100; n++ {
			err = transfer.add(t.Context(), m)
		}
		if !errors.Is(err, store.ErrTooLarge) || n != maxTransferMemory/size {
			t.Errorf("after %d messages: %v", n, err)
		}
	}
}
