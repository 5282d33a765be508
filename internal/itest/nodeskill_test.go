package itest

import (
	"encoding/base64"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// nodesLoad is a load on two nodes that relay to one smart host.
type nodesLoad struct {
	next atomic.Int64

	mu    sync.Mutex
	acked map[int]bool
}

func (l *nodesLoad) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// sender submits messages to a node until it is gone or there are enough.
func (l *nodesLoad) sender(s *mailserver, enough int64) {
	sc, err := s.dialSMTP("submissions")
	if err != nil {
		return
	}
	defer sc.c.Close()
	for _, line := range []string{"EHLO client.example", "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+alice+"\x00"+password))} {
		if _, err := sc.cmd("2", line); err != nil {
			return
		}
	}
	for id := l.next.Add(1); id <= enough; id = l.next.Add(1) {
		if err := sc.deliver(alice, "x@foreign.example", fromAlice(message(int(id))), false); err != nil {
			return // killed: not acknowledged
		}
		l.mu.Lock()
		l.acked[int(id)] = true
		l.mu.Unlock()
	}
}

// TestNodesFullKilledUnderLoad kills one of two nodes while both take mail and
// relay it. Every acknowledged message reaches the smart host; twice only what
// the killed node had under way, which is at most its window to one
// destination.
func TestNodesFullKilledUnderLoad(t *testing.T) {
	if os.Getenv("MAILSTEAD_FULL") == "" {
		t.Skip("waits for leases to end; MAILSTEAD_FULL=1 runs it")
	}
	const enough, window = 600, 20
	host := newSmartHost(t)
	host.slow = 20 * time.Millisecond // so that the queue is never empty
	a, b := cluster(t, "-relay", host.addr)
	l := &nodesLoad{acked: make(map[int]bool)}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() { l.sender([]*mailserver{a, b}[i%2], enough) })
	}
	eventually(t, time.Minute, "the nodes do not take mail", func() bool { return l.count() >= enough/3 })
	a.kill()
	killed, before := time.Now(), len(host.messages())
	wg.Wait()
	seen := make(map[int]int)
	eventually(t, 2*time.Minute, "acknowledged messages are lost", func() bool {
		clear(seen)
		for _, m := range host.messages() {
			if id, ok := messageID(m.data); ok {
				seen[id]++
			}
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		for id := range l.acked {
			if seen[id] == 0 {
				return false
			}
		}
		return true
	})
	twice := 0
	for id, n := range seen {
		if n > 2 {
			t.Errorf("message %d arrived %d times", id, n)
		}
		if n > 1 {
			twice++
		}
	}
	t.Logf("%d acknowledged, %d relayed at the kill; all there after %v, %d of them twice",
		l.count(), before, time.Since(killed).Round(time.Second), twice)
	if twice > window {
		t.Errorf("%d messages arrived twice, want at most the %d that were under way", twice, window)
	}
}
