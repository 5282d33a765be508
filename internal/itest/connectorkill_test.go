package itest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestConnectorKill kills the connector again and again while it collects by POP3
// and IMAP. Into a store of its own nothing is lost and nothing is there twice; the
// server's mailboxes are empty at the end. Three kills and 200 messages by
// default; with MAILSTEAD_KILLS that many and 1,000 messages.
func TestConnectorKill(t *testing.T) {
	kills, n := 3, 100 // messages for each of two mailboxes
	if v := os.Getenv("MAILSTEAD_KILLS"); v != "" {
		var err error
		if kills, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
		n = 500
	}
	s := newServer(t)
	fillBoth(t, s, 0, n)
	c := newConnector(t, pop3Source(s, "")+imapSource(s, ""))
	for range kills {
		c.start()
		<-time.After(time.Duration(100+rand.IntN(400)) * time.Millisecond)
		c.kill()
	}
	t.Logf("after %d kills: %s", kills, c.run(0, "status"))
	c.run(0, "once")
	served := c.served()
	for _, user := range []string{alice, bob} {
		if lost, doubled := lostAndDoubled(tally(t, served, user), n); lost+doubled > 0 {
			t.Errorf("%s: %d lost, %d doubled of %d", user, lost, doubled, n)
		}
		if left := len(tally(t, s, user)); left > 0 {
			t.Errorf("%s: %d messages left on the server", user, left)
		}
	}
}

// TestConnectorLMTP is the same into another server by LMTP, which may get what
// was in flight at a kill twice.
func TestConnectorLMTP(t *testing.T) {
	s, target := newServer(t), newServer(t)
	const n, kills = 60, 3
	fillBoth(t, s, 0, n)
	c := newConnector(t, fmt.Sprintf("[targets.lmtp]\ntype = \"lmtp\"\naddress = %q\n", target.ports["lmtp"])+pop3Source(s, "")+imapSource(s, ""))
	for range kills {
		c.start()
		<-time.After(time.Duration(100+rand.IntN(300)) * time.Millisecond)
		c.kill()
	}
	c.run(0, "once")
	for _, user := range []string{alice, bob} {
		var lost, doubled int
		eventually(t, 30*time.Second, "messages of "+user+" are missing", func() bool {
			lost, doubled = lostAndDoubled(tally(t, target, user), n)
			return lost == 0
		})
		t.Logf("%s: %d in flight at %d kills came twice", user, doubled, kills)
		if doubled > kills {
			t.Errorf("%s: %d doubled at %d kills", user, doubled, kills)
		}
	}
}

// TestConnectorCuts cuts the connections of the program at random octets: nothing
// is lost, and nothing is twice in its store.
func TestConnectorCuts(t *testing.T) {
	s := newServer(t)
	const n, cuts = 60, 10
	fillBoth(t, s, 0, n)
	sources := ""
	var cutters []*cutter
	for name, source := range map[string]string{"pop3s": pop3Source(s, ""), "imap": imapSource(s, "")} {
		p := newCutter(t, s.ports[name], 7, cuts, 60_000)
		cutters = append(cutters, p)
		_, real := s.hostPort(name)
		_, port, err := net.SplitHostPort(p.addr)
		if err != nil {
			t.Fatal(err)
		}
		sources += strings.Replace(source, "port = "+real, "port = "+port, 1)
	}
	c := newConnector(t, sources)
	runs := 0
	for left := 1; left > 0 && runs < 5*cuts; runs++ {
		_ = c.command("once").Run() // it fails as often as it is cut
		left = 0
		for _, p := range cutters {
			left += p.cutsLeft()
		}
	}
	c.run(0, "once")
	served := c.served()
	for _, user := range []string{alice, bob} {
		if lost, doubled := lostAndDoubled(tally(t, served, user), n); lost+doubled > 0 {
			t.Errorf("%s: %d lost, %d doubled of %d after %d runs", user, lost, doubled, n, runs)
		}
		if left := len(tally(t, s, user)); left > 0 {
			t.Errorf("%s: %d messages left on the server", user, left)
		}
	}
	t.Logf("%d connections were to break, in %d runs", 2*cuts, runs)
}
