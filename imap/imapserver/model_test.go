package imapserver

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// TestTwoSessions runs random histories of two sessions and a delivery agent on
// one mailbox. After each NOOP a client knows exactly what the store holds, and
// at no time was it told anything that RFC 3501 §5.2, §5.5 and §7.4.1 forbid.
func TestTwoSessions(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 12
	}
	for seed := range rounds {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(uint64(seed), 1))
			st := testStore(t)
			dial := listenAndServe(t, testServer(t, testConfig(st)))
			for range rnd.IntN(8) {
				deliver(t, st, "alice", "INBOX", "x: y\r\n\r\n", store.Flags(rnd.IntN(32)))
			}
			clients := []*modelClient{newModelClient(t, "a", dial), newModelClient(t, "b", dial)}
			clients[0].run("CREATE other")
			for _, c := range clients {
				c.selectBox("INBOX")
			}
			for range 60 {
				if rnd.IntN(6) == 0 {
					deliver(t, st, "alice", "INBOX", "x: y\r\n\r\n", store.Flags(rnd.IntN(32)))
					continue
				}
				c := clients[rnd.IntN(2)]
				command := randomCommand(rnd, c)
				if r := c.run(command); strings.HasPrefix(r, "BAD") {
					t.Fatalf("%s: %s", command, r)
				}
				if command == "NOOP" {
					compareWithStore(t, c, st)
				}
			}
			for _, c := range clients {
				c.run("NOOP")
				compareWithStore(t, c, st)
			}
		})
	}
}

// randomCommand is one that c may send now.
func randomCommand(rnd *rand.Rand, c *modelClient) string {
	commands := []string{"NOOP", "EXPUNGE", "UID SEARCH ALL", "APPEND INBOX (\\Flagged) {7+}\r\na: b\r\n\r", "UID FETCH 1:* (FLAGS)"}
	if n := len(c.known); n > 0 {
		first, last := 1+rnd.IntN(n), 1+rnd.IntN(n)
		set := fmt.Sprintf("%d:%d", first, last)
		flag := []string{`\Seen`, `\Deleted`, `\Flagged`, "kw" + strconv.Itoa(rnd.IntN(3))}[rnd.IntN(4)]
		mode := []string{"", "+", "-"}[rnd.IntN(3)] + "FLAGS"
		commands = append(commands,
			"FETCH "+set+" (UID FLAGS)", "FETCH "+set+" (UID FLAGS INTERNALDATE)", "STORE "+set+" "+mode+" ("+flag+")",
			"STORE "+set+" +FLAGS (\\Deleted)", "SEARCH NOT DELETED",
			"UID STORE 1:* "+mode+" ("+flag+")", "COPY "+set+" other", "MOVE "+strconv.Itoa(first)+" other",
			"COPY "+strconv.Itoa(last)+" INBOX", "UID EXPUNGE 1:3")
	}
	return commands[rnd.IntN(len(commands))]
}

// compareWithStore fetches what the client has not seen and compares the whole.
func compareWithStore(t *testing.T, c *modelClient, st store.Store) {
	t.Helper()
	a, err := st.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByName(t.Context(), a, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for msg, err := range a.Messages(t.Context(), m.ID, store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("%d: %s", msg.UID, canonicalFlags(string(imap.AppendFlagNames(nil, msg.Flags))+" "+strings.Join(msg.Keywords, " "))))
	}
	before := append([]modelMessage(nil), c.known...)
	if len(c.known) > 0 {
		c.run("FETCH 1:* (UID FLAGS)")
	}
	var got []string
	for i, k := range c.known {
		if i < len(before) && before[i].flags != "" && canonicalFlags(before[i].flags) != canonicalFlags(k.flags) {
			t.Errorf("%s: flags of %d were not told: had %q, are %q", c.name, i+1, before[i].flags, k.flags)
		}
		got = append(got, k.uid+": "+canonicalFlags(k.flags))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("%s knows\n%s\nthe store has\n%s", c.name, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// canonicalFlags sorts flags and leaves \Recent out.
func canonicalFlags(s string) string {
	var list []string
	for _, f := range strings.Fields(s) {
		if f != imap.FlagRecent {
			list = append(list, f)
		}
	}
	sort.Strings(list)
	return strings.Join(list, " ")
}
