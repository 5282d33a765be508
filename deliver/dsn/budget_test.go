package dsn_test

import (
	"fmt"
	"testing"

	"github.com/mailstead/mailstead/deliver/dsn"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// A flood of forged senders, each new, has its bound, and silences nobody who
// comes from elsewhere.
func TestFlood(t *testing.T) {
	blobs := memblob.New()
	r := &dsn.Reporter{Hostname: "mx.example.org", Blobs: blobs, PerHour: 3}
	j := newJob(t, blobs, "A: 1\r\n\r\n", "a@example.com")
	ask := func(sender, domain, peer string) int {
		j.ReversePath = smtp.ReversePath{Path: smtp.Path{Local: sender, Domain: domain}}
		j.Peer.Addr = peer
		reps, err := r.Report(t.Context(), j, []queue.Result{{State: queue.Failed}})
		if err != nil {
			t.Fatal(err)
		}
		return len(reps)
	}
	sent := 0
	for i := range 2000 {
		sent += ask(fmt.Sprint("f", i), fmt.Sprintf("d%d.example", i), "192.0.2.7")
	}
	if sent != 30 {
		t.Errorf("%d reports for one network, want 30", sent)
	}
	sent = 0
	for i := range 2000 {
		sent += ask(fmt.Sprint("g", i), "one.example", fmt.Sprintf("10.%d.%d.1", i>>8, i&255))
	}
	if sent > 30 {
		t.Errorf("%d reports to one domain, want 30 at most", sent)
	}
	sent = 0
	for i := range 100_000 {
		sent += ask(fmt.Sprint("h", i), fmt.Sprintf("e%d.example", i), fmt.Sprintf("11.%d.%d.1", i%5, i%7))
	}
	if sent < 200 || sent > 600 {
		t.Errorf("%d reports in the flood, want about 300", sent)
	}
	got := 0
	for i := range 20 {
		got += ask("someone", fmt.Sprintf("honest%d.example", i), fmt.Sprintf("203.0.%d.9", i))
	}
	if got < 18 {
		t.Errorf("%d of 20 who come from elsewhere are told", got)
	}
	j.Identity = "user"
	for range 200 {
		if ask("user", "us.example", "192.0.2.7") != 1 {
			t.Fatal("a user is not told")
		}
	}
}
