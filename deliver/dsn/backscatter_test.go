package dsn_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/dsn"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// Who did not write is not told that his message failed.
func TestForged(t *testing.T) {
	for _, test := range []struct {
		name, results string
		identity      string
		forged        bool
	}{
		{"not judged", "", "", false},
		{"SPF passes", "spf=pass smtp.mailfrom=example.net; dmarc=fail header.from=other.example", "", false},
		{"SPF fails", "spf=fail smtp.mailfrom=example.net", "", true},
		{"SPF fails for HELO", "spf=fail smtp.helo=mx.example.net", "", false},
		{"SPF in doubt", "spf=softfail smtp.mailfrom=example.net", "", false},
		{"DKIM passes", "spf=fail smtp.mailfrom=example.net; dkim=pass header.d=Example.Net", "", false},
		{"DKIM of somebody else", "spf=fail smtp.mailfrom=example.net; dkim=pass header.d=spammer.example", "", true},
		{"DMARC of somebody else", "spf=fail smtp.mailfrom=example.net; dmarc=pass header.from=spammer.example", "", true},
		{"DMARC fails", "spf=none smtp.mailfrom=example.net; dmarc=fail header.from=example.net", "", true},
		{"submitted", "spf=fail smtp.mailfrom=example.net", "sender", false},
		{"unreadable", "spf=fail (", "", false},
	} {
		blobs := memblob.New()
		j := newJob(t, blobs, "A: 1\r\n\r\n", "a@example.com")
		j.Identity = test.identity
		if test.results != "" {
			j.Prefix = []byte("Authentication-Results: mx.example.org;\r\n\t" + strings.ReplaceAll(test.results, "; ", ";\r\n\t") + "\r\nReceived: by us\r\n")
		}
		var why dsn.Reason
		r := &dsn.Reporter{Hostname: "mx.example.org", Blobs: blobs, Suppressed: func(_ *queue.Job, r dsn.Reason) { why = r }}
		reps, err := r.Report(t.Context(), j, []queue.Result{{State: queue.Failed}})
		if err != nil || (len(reps) == 0) != test.forged || (why == dsn.Forged) != test.forged {
			t.Errorf("%s: %d reports, %v, %v", test.name, len(reps), why, err)
		}
	}
}

// Spam that fails is reported; that it is late, or arrived, is not.
func TestMarkedAsSpam(t *testing.T) {
	blobs := memblob.New()
	j := newJob(t, blobs, "A: 1\r\nX-Quarantine: no field of ours\r\n\r\n", "a@example.com", "b@example.com")
	results := []queue.Result{{Delay: true}, {State: queue.Failed}}
	for _, prefix := range []string{"", "X-Quarantine: spam\r\n"} {
		j.Prefix = []byte(prefix)
		g := groups(t, parse(t, report(t, blobs, j, results...)[0].Body).contents[1])
		if want := 3 - len(prefix)/20; len(g) != want {
			t.Errorf("%q: %d groups, want %d", prefix, len(g), want)
		}
	}
	if reps := report(t, blobs, j, results[0], results[0]); len(reps) != 0 {
		t.Error("a report that spam is late")
	}
}

func TestPerHour(t *testing.T) {
	blobs := memblob.New()
	j := newJob(t, blobs, "A: 1\r\n\r\n", "a@example.com")
	at := now
	counts := map[dsn.Reason]int{}
	r := &dsn.Reporter{Hostname: "mx.example.org", Blobs: blobs, PerHour: 3, Now: func() time.Time { return at }, Suppressed: func(_ *queue.Job, r dsn.Reason) { counts[r]++ }}
	send := func(n int) (sent int) {
		for range n {
			reps, err := r.Report(t.Context(), j, []queue.Result{{State: queue.Failed}})
			if err != nil {
				t.Fatal(err)
			}
			sent += len(reps)
		}
		return sent
	}
	if n := send(5); n != 3 || counts[dsn.Often] != 2 {
		t.Errorf("%d of 5, %v", n, counts)
	}
	at = at.Add(time.Hour)
	if n := send(2); n != 2 {
		t.Errorf("%d of 2 in the next hour", n)
	}
	j.Identity = "sender"
	if n := send(9); n != 9 {
		t.Errorf("%d of 9 of a user", n)
	}
	j.Identity, j.Prefix = "", []byte("Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=example.net\r\n")
	if n := send(9); n != 9 {
		t.Errorf("%d of 9 of a sender that is known", n)
	}
	j.Prefix = nil
	for _, addr := range []string{"", "127.0.0.1", "::1"} {
		j.Peer.Addr = addr
		if n := send(9); n != 9 {
			t.Errorf("%d of 9 that began here (%q)", n, addr)
		}
	}
	j.Peer.Addr, r.PerHour = "192.0.2.9", -1
	if n := send(9); n != 9 {
		t.Errorf("%d of 9 without a limit", n)
	}
}

// A message without SMTPUTF8 gets a report without it, whatever address an alias
// has put in the place of its recipient.
func TestInternationalInASCII(t *testing.T) {
	blobs := memblob.New()
	j := newJob(t, blobs, "A: 1\r\n\r\n", "jörg+x@example.com")
	j.Recipients[0].Params.Original.Type, j.Recipients[0].Params.Original.Address = "utf-8", "é@example.org"
	reps := report(t, blobs, j, queue.Result{State: queue.Failed})
	raw, err := io.ReadAll(reps[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range raw {
		if c >= 0x80 {
			t.Fatalf("8 bits in %q", raw)
		}
	}
	p := parse(t, strings.NewReader(string(raw)))
	g := groups(t, p.contents[1])[1]
	if reps[0].UTF8 || p.types[1] != "message/delivery-status" || g.Get("Final-Recipient") != `utf-8; j\x{F6}rg\x{2B}x@example.com` || g.Get("Original-Recipient") != `utf-8; \x{E9}@example.org` {
		t.Errorf("UTF8=%v %q %q", reps[0].UTF8, p.types, g)
	}
}

// All recipients of an attempt stand in one DSN.
func TestOneReport(t *testing.T) {
	blobs := memblob.New()
	var rcpts []string
	var results []queue.Result
	for i := range queue.MaxRecipients {
		rcpts = append(rcpts, fmt.Sprintf("u%d@example.com", i))
		results = append(results, queue.Result{State: queue.Failed})
	}
	reps := report(t, blobs, newJob(t, blobs, "A: 1\r\n\r\n", rcpts...), results...)
	if len(reps) != 1 || len(groups(t, parse(t, reps[0].Body).contents[1])) != queue.MaxRecipients+1 {
		t.Errorf("%d reports", len(reps))
	}
}
