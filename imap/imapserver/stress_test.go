package imapserver

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
)

// TestStress has ten clients of all kinds at work at once on one mailbox, through
// two servers, and a delivery agent. No client meets a protocol-state error (see
// modelClient), and at each checkpoint all know what the store holds.
func TestStress(t *testing.T) {
	checkpoints, commands := 12, 60
	if testing.Short() {
		checkpoints, commands = 3, 25
	}
	st := testStore(t)
	var dials []func() *modelClient
	kinds := []feature{qresync, qresync | rev2, qresync | uidOnly, condstore, 0}
	for n := range 2 {
		dial := listenAndServe(t, testServer(t, testConfig(st)))
		for i, kind := range kinds {
			name := fmt.Sprintf("%c", 'a'+n*len(kinds)+i)
			dials = append(dials, func() *modelClient { return newModelClientOn(t, name, kind, dial) })
		}
	}
	var clients []*modelClient
	for _, dial := range dials {
		c := dial()
		c.run("CREATE other")
		c.selectBox("INBOX")
		clients = append(clients, c)
	}
	for point := range checkpoints {
		var wg sync.WaitGroup
		for i, c := range clients {
			wg.Go(func() { work(t, c, rand.New(rand.NewPCG(uint64(point), uint64(i))), commands) })
		}
		wg.Go(func() {
			for n := range commands {
				deliver(t, st, "alice", "INBOX", "x: y\r\n\r\n", store.Flags(n%32))
			}
		})
		wg.Wait()
		if t.Failed() {
			return
		}
		for i, c := range clients {
			if c.has(qresync) && (i+point)%2 == 0 {
				c.comeBack("INBOX")
				compareCache(t, c, st)
			}
			c.run("NOOP")
			compareWithStore(t, c, st)
		}
	}
}

// work runs commands, and loses the connection now and then.
func work(t *testing.T, c *modelClient, rnd *rand.Rand, commands int) {
	for range commands {
		if c.has(qresync) && rnd.IntN(15) == 0 {
			if rnd.IntN(2) == 0 {
				c.drop(randomCommand(rnd, c), rnd.IntN(4))
			}
			c.comeBack("INBOX")
			continue
		}
		command := randomCommand(rnd, c)
		if r := c.run(command); strings.HasPrefix(r, "BAD") {
			t.Errorf("%s: %s: %s", c.name, command, r)
			return
		}
	}
}

// TestTwoServers: a client that waits on one server hears within a second what
// happens through another one that shares nothing but the store, in the open
// mailbox and in others.
func TestTwoServers(t *testing.T) {
	st := testStore(t)
	here := newModelClient(t, "a", listenAndServe(t, testServer(t, testConfig(st))))
	there := newModelClient(t, "b", listenAndServe(t, testServer(t, testConfig(st))))
	here.run("CREATE other")
	here.selectBox("INBOX")
	here.run("NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange)) (PERSONAL (MessageNew MessageExpunge MailboxName))")
	there.selectBox("INBOX")
	for _, tt := range []struct{ command, want string }{
		{"APPEND INBOX {7+}\r\na: b\r\n\r", "* 1 EXISTS"},
		{"STORE 1 +FLAGS.SILENT (\\Flagged \\Deleted)", "* 1 FETCH (UID 1 FLAGS (\\Flagged \\Deleted"},
		{"COPY 1 other", "* STATUS other (MESSAGES 1 "},
		{"CREATE third", "* LIST (\\HasNoChildren) \"/\" third"},
		{"EXPUNGE", "* 1 EXPUNGE"},
	} {
		if r := there.run(tt.command); !strings.HasPrefix(r, "OK") {
			t.Fatalf("%s: %s", tt.command, r)
		}
		done := time.Now()
		if err := here.nc.SetReadDeadline(done.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		for l := here.line(); !strings.HasPrefix(l, tt.want); l = here.line() {
		}
		if d := time.Since(done); d > time.Second {
			t.Errorf("%s: heard of after %v", tt.command, d)
		}
	}
}
