package itest

import (
	"math/rand/v2"
	"os"
	"strconv"
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
