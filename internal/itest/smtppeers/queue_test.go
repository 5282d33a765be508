package smtppeers

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/dsn"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// outbound is our queue with its runner, which sends everything to one server.
type outbound struct {
	q *queue.Queue

	mu  sync.Mutex
	end map[string]string // recipient → how it ended
}

// newOutbound runs until the end of the test.
func newOutbound(t *testing.T, d smtpclient.Dialer, addr string) *outbound {
	t.Helper()
	d.Hello = "localhost"
	pool := &smtpclient.Pool{}
	nobody := &deliver.Accounts{}
	router := &deliver.Router{
		Directory: nobody, IsLocal: nobody.IsLocal,
		Remote: &deliver.SmartHost{Addr: addr, Relay: deliver.Relay{Dialer: &d, Pool: pool}},
	}
	blobs := memblob.New()
	o := &outbound{q: &queue.Queue{Storage: &memqueue.Storage{}, Blobs: blobs, Router: router}, end: make(map[string]string)}
	r := &queue.Runner{
		Queue: o.q, Router: router, Reporter: &dsn.Reporter{Hostname: "localhost", Blobs: blobs},
		Logger: slog.New(slog.DiscardHandler), Event: o.event,
	}
	o.q.Kick = r.Kick
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		pool.Close()
	})
	return o
}

func (o *outbound) event(e queue.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e.Recipient != nil && !e.Job.ReversePath.IsNull() {
		o.end[e.Recipient.ForwardPath.String()] = strings.TrimSpace(e.Kind.String() + " " + e.Result.Reply.Enhanced.String())
	}
}

// send puts a message, and waits until its recipients have ended.
func (o *outbound) send(t *testing.T, text string, to ...string) map[string]string {
	t.Helper()
	env := envelope(t, "from@example.org", to...)
	if err := smtp.Hand(t.Context(), o.q, env.Mail, env.Recipients, smtp.NewBody(strings.NewReader(text), int64(len(text)))); err != nil {
		t.Fatal(err)
	}
	end := make(map[string]string)
	eventually(t, 30*time.Second, "recipients have not ended", func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, r := range to {
			if o.end[r] != "" {
				end[r] = o.end[r]
			}
		}
		return len(end) == len(to)
	})
	return end
}

// queued sends through our queue to a foreign server that relays to our own:
// the message comes back for those it took, and a report for the one that it
// refused.
func queued(t *testing.T, d smtpclient.Dialer, addr string, s *sink) {
	t.Helper()
	s.mu.Lock()
	before := len(s.got)
	s.mu.Unlock()
	text := message("queued", 500)
	end := newOutbound(t, d, addr).send(t, text, "one@example.net", "refused@example.net", "two@example.net")
	if !strings.HasPrefix(end["refused@example.net"], "failed") || !strings.HasPrefix(end["one@example.net"], "delivered") ||
		!strings.HasPrefix(end["two@example.net"], "delivered") {
		t.Errorf("%v", end)
	}
	var to []string
	report := false
	eventually(t, 30*time.Second, "the message and its report do not come through", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		to, report = nil, false
		for _, m := range s.got[before:] {
			if m.mail.ReversePath.IsNull() {
				report = report || strings.Contains(m.data, "Final-Recipient: rfc822; refused@example.net\r\nAction: failed") && m.rcpts[0].ForwardPath.Local == "from"
				continue
			}
			if strings.HasSuffix(m.data, text) {
				for _, r := range m.rcpts {
					to = append(to, r.ForwardPath.Local)
				}
			}
		}
		return len(to) >= 2 && report
	})
	if slices.Sort(to); !slices.Equal(to, []string{"one", "two"}) {
		t.Errorf("came through for %q", to)
	}
}
