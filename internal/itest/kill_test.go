package itest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestKillUnderLoad kills the running server while 8 clients send, starts it
// again and looks for every message that a 250 promised: each is there exactly
// once, with the bytes that were sent. What was in flight may be there or not,
// but whole and at most once. MAILSTEAD_KILLS says how often, 3 by default.
func TestKillUnderLoad(t *testing.T) {
	kills := 3
	if v := os.Getenv("MAILSTEAD_KILLS"); v != "" {
		var err error
		if kills, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	killUnderLoad(t, newServer(t), kills)
}

func killUnderLoad(t *testing.T, s *mailserver, kills int) {
	t.Helper()
	l := &killLoad{s: s, acked: map[int]string{}}
	for round := range kills {
		killRound(t, l)
		t.Logf("kill %d: %d messages acknowledged so far, none lost", round+1, l.count())
	}
}

// killRound kills the server once while messages come in, and looks for them.
func killRound(t *testing.T, l *killLoad) {
	t.Helper()
	before := l.count()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { l.sender(i) })
	}
	eventually(t, 30*time.Second, "the server does not acknowledge messages", func() bool { return l.count() >= before+50 })
	<-time.After(time.Duration(rand.IntN(500)) * time.Millisecond)
	l.s.kill()
	wg.Wait()
	for _, err := range l.takeRefusals() {
		t.Error(err)
	}
	l.s.start()
	l.verify(t)
}

// A killLoad is what the senders of TestKillUnderLoad share.
type killLoad struct {
	s    *mailserver
	next atomic.Int64

	mu       sync.Mutex
	acked    map[int]string // message to its recipient
	refusals []error        // replies that a healthy server does not give
}

func (l *killLoad) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

func (l *killLoad) takeRefusals() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.refusals
	l.refusals = nil
	return list
}

// recipient is who gets a message.
func recipient(id int) string {
	if id%2 == 0 {
		return alice
	}
	return bob
}

// sender sends messages over one connection until the server is gone.
func (l *killLoad) sender(i int) {
	sc, err := l.s.dialSMTP("smtp")
	if err != nil {
		l.refused(fmt.Errorf("connection %d: %w", i, err))
		return
	}
	defer sc.c.Close()
	if _, err := sc.cmd("250", "EHLO client.remote.example"); err != nil {
		l.refused(fmt.Errorf("connection %d: %w", i, err))
		return
	}
	for {
		id := int(l.next.Add(1))
		if err := sc.deliver("sender@remote.example", recipient(id), message(id), i%2 == 1); err != nil {
			return // killed: not acknowledged
		}
		l.mu.Lock()
		l.acked[id] = recipient(id)
		l.mu.Unlock()
	}
}

func (l *killLoad) refused(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusals = append(l.refusals, err)
}

// verify compares both mailboxes with what was acknowledged. Messages that
// were queued when the server died may need a moment.
func (l *killLoad) verify(t *testing.T) {
	t.Helper()
	for _, user := range []string{alice, bob} {
		ic := l.s.login(t, user, "INBOX")
		seen := map[int]int{}
		eventually(t, 30*time.Second, "acknowledged messages of "+user+" are missing", func() bool {
			clear(seen)
			for _, body := range ic.bodies() {
				id, ok := messageID([]byte(body))
				if !ok {
					t.Fatalf("a message that nobody sent: %.200q", body)
				}
				if _, err := front([]byte(body), message(id), "sender@remote.example"); err != nil {
					t.Fatalf("message %d: %v", id, err)
				}
				seen[id]++
			}
			return len(l.missing(user, seen)) == 0
		})
		for id, n := range seen {
			if n > 1 {
				t.Errorf("message %d is there %d times", id, n)
			}
		}
		ic.ok("LOGOUT")
	}
}

// missing lists acknowledged messages of a user that were not seen.
func (l *killLoad) missing(user string, seen map[int]int) (ids []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, to := range l.acked {
		if to == user && seen[id] == 0 {
			ids = append(ids, id)
		}
	}
	return ids
}
