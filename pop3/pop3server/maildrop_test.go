package pop3server_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
)

// A message that another client expunged gives -ERR, and QUIT still deletes
// the others.
func TestExpungedMeanwhile(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n", "B: 2\r\n\r\n", "C: 3\r\n\r\n")
	_, addr := serve(t, s, nil)
	c := dial(t, addr)
	c.play(greetAndLogin)
	a, inbox := open(t, s)
	if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{store.Expunge{Mailbox: inbox, UIDs: store.UIDs(1)}}}); err != nil {
		t.Fatal(err)
	}
	c.play(`
		C: RETR 1
		S: -ERR Message was deleted by another client
		C: TOP 1 0
		S: -ERR Message was deleted by another client
		C: DELE 1
		S: +OK ...
		C: DELE 2
		S: +OK ...
		C: QUIT
		S: +OK ...
		S: EOF`)
	if got := uids(t, s); got != "3" {
		t.Errorf("left %s, want 3", got)
	}
}

// In one flight, too, what was expunged before it gives -ERR, and the others
// come as they are.
func TestExpungedInAFlight(t *testing.T) {
	var bodies []string
	var flight, want strings.Builder
	for i := range 100 {
		bodies = append(bodies, fmt.Sprintf("N: %d\r\n\r\n", i+1))
		fmt.Fprintf(&flight, "RETR %d\r\n", i+1)
		if i%3 == 1 {
			want.WriteString("S: -ERR Message was deleted by another client\n")
			continue
		}
		fmt.Fprintf(&want, "S: +OK %d octets\nS: N: %d\nS: \nS: .\n", len(bodies[i]), i+1)
	}
	s := maildrop(t, bodies...)
	_, addr := serve(t, s, nil)
	c := dial(t, addr)
	c.play(greetAndLogin)
	a, inbox := open(t, s)
	var gone store.UIDSet
	for i := store.UID(2); i <= 100; i += 3 {
		gone.Add(i)
	}
	if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{store.Expunge{Mailbox: inbox, UIDs: gone}}}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, flight.String())
	c.play(want.String())
}

// QUIT says so when a hold keeps a marked message, and deletes the others.
func TestHeldMessagesStay(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n", "B: 2\r\n\r\n")
	_, addr := serve(t, s, nil)
	a, inbox := open(t, s)
	if err := store.PutHold(t.Context(), a, store.Hold{Name: "case 7", Mailbox: inbox, UIDs: store.UIDs(1)}); err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr)
	c.play(greetAndLogin)
	c.play(`
		C: DELE 1
		S: +OK ...
		C: DELE 2
		S: +OK ...
		C: QUIT
		S: -ERR Some deleted messages were not removed
		S: EOF`)
	if m, err := store.MailboxByID(t.Context(), a, inbox); err != nil || m.Messages != 1 {
		t.Errorf("%d messages are left, %v", m.Messages, err)
	}
}

func TestUniqueIDsAreStable(t *testing.T) {
	s := maildrop(t, "same\r\n", "same\r\n")
	_, addr := serve(t, s, nil)
	ids := func() (out [2]string) {
		c := dial(t, addr)
		c.play(greetAndLogin + "C: UIDL\nS: +OK ...")
		for i := range out {
			out[i], _ = c.br.ReadString('\n')
		}
		c.play("S: .\nC: QUIT\nS: +OK ...\nS: EOF")
		return out
	}
	first := ids()
	if first[0][2:] == first[1][2:] || first != ids() {
		t.Errorf("unique-ids %q", first)
	}
}

// renewed is a store whose UIDs lose their meaning.
type renewed struct {
	store.Store
	by *atomic.Uint32 // added to UIDVALIDITY
}

func (r renewed) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := r.Store.Open(ctx, id)
	return renewedAccount{a, r.by}, err
}

type renewedAccount struct {
	store.Account
	by *atomic.Uint32
}

func (a renewedAccount) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	boxes, at, err := a.Account.Mailboxes(ctx, since)
	for i := range boxes {
		boxes[i].UIDValidity += store.UIDValidity(a.by.Load())
	}
	return boxes, at, err
}

// P3: where UIDs lose their meaning, a number never gives another text, and
// QUIT deletes nothing that the client did not see.
func TestUIDValidityChanges(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n", "B: 2\r\n\r\n")
	by := new(atomic.Uint32)
	_, addr := serve(t, s, func(c *pop3server.Config) { c.Store = renewed{s, by} })
	c := dial(t, addr)
	c.play(greetAndLogin + "C: RETR 1\nS: +OK ...\nS: A: 1\nS: \nS: .")
	by.Store(1)
	add(t, s, "C: 3\r\n\r\n") // a change, so that somebody looks
	c.play(`
		C: RETR 1
		S: -ERR Message was deleted by another client
		C: STAT
		S: +OK 2 16
		C: DELE 1
		S: +OK ...
		C: QUIT
		S: +OK ...
		S: EOF`)
	if got := uids(t, s); got != "1:3" {
		t.Errorf("left %s, want 1:3", got)
	}
}
