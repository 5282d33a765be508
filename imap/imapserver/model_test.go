package imapserver

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// TestTwoSessions runs random histories of two sessions and a delivery agent on
// one mailbox, through two servers that share nothing but the store. After each
// NOOP a client knows exactly what the store holds; when one with QRESYNC comes
// back, what it kept equals the store; and at no time was it told anything that
// RFC 3501 §5.2, §5.5 and §7.4.1, RFC 7162, RFC 9051 and RFC 9586 forbid.
func TestTwoSessions(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 24
	}
	kinds := []feature{0, condstore, qresync, qresync | uidOnly, condstore | rev2, qresync | rev2}
	for seed := range rounds {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(uint64(seed), 1))
			st := testStore(t)
			for range rnd.IntN(8) {
				deliver(t, st, "alice", "INBOX", "x: y\r\n\r\n", store.Flags(rnd.IntN(32)))
			}
			var clients []*modelClient
			for _, name := range []string{"a", "b"} {
				dial := listenAndServe(t, testServer(t, testConfig(st)))
				clients = append(clients, newModelClientOn(t, name, kinds[rnd.IntN(len(kinds))], dial))
			}
			clients[0].run("CREATE other")
			for _, c := range clients {
				c.selectBox("INBOX")
			}
			for range 60 {
				step(t, rnd, st, clients[rnd.IntN(2)])
			}
			for _, c := range clients {
				c.run("NOOP")
				compareWithStore(t, c, st)
			}
		})
	}
}

// step is one step of a history.
func step(t *testing.T, rnd *rand.Rand, st store.Store, c *modelClient) {
	switch n := rnd.IntN(12); {
	case n < 2:
		deliver(t, st, "alice", "INBOX", "x: y\r\n\r\n", store.Flags(rnd.IntN(32)))
		return
	case n == 2 && c.has(qresync):
		if rnd.IntN(2) == 0 {
			c.drop(randomCommand(rnd, c), rnd.IntN(4))
		}
		c.comeBack("INBOX")
		compareCache(t, c, st)
		return
	}
	command := randomCommand(rnd, c)
	run := c.run
	if conditional.MatchString(command) {
		run = func(command string) string { return runConditional(t, c, st, command) }
	}
	if r := run(command); strings.HasPrefix(r, "BAD") {
		t.Fatalf("%s: %s", command, r)
	}
	if command == "NOOP" {
		compareWithStore(t, c, st)
	}
}

// randomCommand is one that c may send now.
func randomCommand(rnd *rand.Rand, c *modelClient) string {
	commands := []string{"NOOP", "EXPUNGE", "UID SEARCH ALL", "APPEND INBOX (\\Flagged) {7+}\r\na: b\r\n\r", "UID FETCH 1:* (FLAGS)"}
	flag := []string{`\Seen`, `\Deleted`, `\Flagged`, "kw" + strconv.Itoa(rnd.IntN(3))}[rnd.IntN(4)]
	mode := []string{"", "+", "-"}[rnd.IntN(3)] + "FLAGS" + []string{"", ".SILENT"}[rnd.IntN(2)]
	n := len(c.known)
	if n > 0 {
		first := 1 + rnd.IntN(n)
		commands = append(commands,
			"UID STORE 1:* "+mode+" ("+flag+")", fmt.Sprintf("UID STORE %d:* %s (%s)", first, mode, flag),
			"UID STORE *:3 +FLAGS (\\Deleted)", "UID EXPUNGE 1:3", fmt.Sprintf("UID MOVE %d other", first))
	}
	if n > 0 && !c.has(uidOnly) {
		first, last := 1+rnd.IntN(n), 1+rnd.IntN(n)
		set := fmt.Sprintf("%d:%d", first, last)
		commands = append(commands,
			"FETCH "+set+" (UID FLAGS)", "FETCH "+set+" (UID FLAGS INTERNALDATE)", "STORE "+set+" "+mode+" ("+flag+")",
			"STORE "+set+" +FLAGS (\\Deleted)", "SEARCH NOT DELETED", "COPY "+set+" other", "MOVE "+strconv.Itoa(first)+" other",
			"COPY "+strconv.Itoa(last)+" INBOX")
	}
	if c.has(condstore | qresync) {
		since := c.highest - min(c.highest, uint64(rnd.IntN(5)))
		commands = append(commands, "UID FETCH 1:* (FLAGS MODSEQ)", fmt.Sprintf("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)", since))
		if c.has(qresync) {
			commands = append(commands, fmt.Sprintf("UID FETCH 1:999 (FLAGS) (CHANGEDSINCE %d VANISHED)", since))
		}
		if n > 0 {
			commands = append(commands, fmt.Sprintf("UID STORE 1:* (UNCHANGEDSINCE %d) %s (%s)", since, mode, flag))
		}
	}
	return commands[rnd.IntN(len(commands))]
}

// inbox is what the store holds: flags by UID.
func inbox(t *testing.T, st store.Store) map[string]string {
	t.Helper()
	a, err := st.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByName(t.Context(), a, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for msg, err := range a.Messages(t.Context(), m.ID, store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		flags := string(imap.AppendFlagNames(nil, msg.Flags)) + " " + strings.Join(msg.Keywords, " ")
		all[strconv.Itoa(int(msg.UID))] = canonicalFlags(flags)
	}
	return all
}

// compareWithStore fetches what the client has not seen and compares the whole.
func compareWithStore(t *testing.T, c *modelClient, st store.Store) {
	t.Helper()
	before := append([]modelMessage(nil), c.known...)
	byUID := make(map[string]string)
	for _, k := range before {
		byUID[k.uid] = k.flags
	}
	switch {
	case c.has(uidOnly):
		c.run("UID FETCH 1:* (FLAGS)")
	case len(c.known) > 0:
		c.run("FETCH 1:* (UID FLAGS)")
	}
	want := inbox(t, st)
	c.sort()
	for i, k := range c.known {
		had := byUID[k.uid]
		if had == "" && !c.has(uidOnly) && i < len(before) {
			had = before[i].flags
		}
		if had != "" && canonicalFlags(had) != canonicalFlags(k.flags) {
			t.Errorf("%s: flags of UID %s were not told: had %q, are %q", c.name, k.uid, had, k.flags)
		}
		if i > 0 && number(c.known[i-1].uid) >= number(k.uid) {
			t.Errorf("%s: UID %s stands behind UID %s", c.name, k.uid, c.known[i-1].uid)
		}
		if flags, ok := want[k.uid]; !ok || flags != canonicalFlags(k.flags) {
			t.Errorf("%s: UID %s has %q, the store has %q, %v", c.name, k.uid, k.flags, flags, ok)
		}
	}
	if len(c.known) != len(want) {
		t.Fatalf("%s knows %v\nthe store has %v", c.name, c.known, want)
	}
}

// compareCache compares what a client kept, once it came back, with the store.
func compareCache(t *testing.T, c *modelClient, st store.Store) {
	t.Helper()
	want := inbox(t, st)
	for _, uid := range slices.Sorted(maps.Keys(c.cache)) {
		if flags, ok := want[uid]; !ok || flags != canonicalFlags(c.cache[uid]) {
			t.Errorf("%s kept UID %s with %q, the store has %q, %v", c.name, uid, c.cache[uid], flags, ok)
		}
	}
	if len(c.known) != len(want) {
		t.Fatalf("%s counts %d messages, the store has %v", c.name, len(c.known), want)
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
