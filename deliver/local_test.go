package deliver_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/dsn"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// What stands in front of a delivered message, and in which order.
func TestLocalPrefix(t *testing.T) {
	for _, test := range []struct {
		plain bool
		want  string
	}{
		{false, "Return-Path: <sender@remote.example>\r\nDelivered-To: Alice+tag@example.org\r\nReceived: by us\r\n"},
		{true, "Return-Path: <sender@remote.example>\r\nReceived: by us\r\n"},
	} {
		s, dir := newStore(t)
		l := &deliver.LocalDelivery{Store: s, Directory: dir, NoDeliveredTo: test.plain}
		b := smtp.NewBody(strings.NewReader(content), -1)
		b.Prepend([]byte("Received: by us\r\n"))
		if _, err := deliverTo(t, l, "", b, "Alice+tag@example.org"); err != nil {
			t.Fatal(err)
		}
		if got, _ := inbox(t, s, "alice@example.org"); len(got) != 1 || got[0] != test.want+content {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// Mail that comes back to one recipient is refused for that one; what another
// host has delivered, and is fetched from it, is not.
func TestLocalLoop(t *testing.T) {
	const ours = "Received: from x by mx.example.org with ESMTP id 1; d\r\n"
	const theirs = "Received: from x by old.example.org with ESMTP id 1; d\r\n"
	for _, test := range []struct{ head, host, want string }{
		{ours + "Delivered-To: ALICE@example.org\r\n" + ours, "mx.example.org", "5.4.6 "},
		{ours + "Delivered-To: alice@example.org\r\n" + ours, "", " "},
		{ours + "Delivered-To: alice@example.org\r\n" + theirs, "mx.example.org", " "},
		{ours + "Delivered-To: x@y@z\r\n" + ours, "mx.example.org", " "},
		{ours, "mx.example.org", " "},
		{strings.Repeat("X-Padding: x\r\n", 500) + "Delivered-To: alice@example.org\r\n" + ours, "MX.example.org", "5.4.6 "},
	} {
		s, dir := newStore(t)
		l := &deliver.LocalDelivery{Store: s, Directory: dir, Hostname: test.host}
		b := smtp.NewBody(strings.NewReader(test.head+content), -1)
		b.Prepend([]byte(ours))
		statuses, err := deliverTo(t, l, "", b, "alice@example.org", "bob@example.org")
		if err != nil {
			t.Fatal(err)
		}
		a, other := smtp.ReplyOf(statuses[0].Err), smtp.ReplyOf(statuses[1].Err)
		if got := a.Enhanced.String() + " " + other.Enhanced.String(); got != test.want {
			t.Errorf("%.60q at %q: %q, want %q", test.head, test.host, got, test.want)
		}
	}
}

func TestQuotaGrace(t *testing.T) {
	for _, test := range []struct {
		name            string
		grace, messages int64
		before          int // octets that are there
		want            string
	}{
		{"none", 0, 0, 900, "452"},
		{"enough", 500, 0, 900, "0 452"}, // the next message finds it over
		{"not enough", 50, 0, 900, "452"},
		{"over already", 5000, 0, 1000, "452"},
		{"too many messages", 5000, 1, 900, "452"},
		{"room", 0, 0, 0, "0 0"},
	} {
		s, dir := newStore(t)
		bob, err := s.Open(t.Context(), "bob@example.org")
		if err != nil {
			t.Fatal(err)
		}
		l := &deliver.LocalDelivery{Store: s, Directory: dir, QuotaGrace: test.grace, NoDeliveredTo: true}
		head := len("Return-Path: <sender@remote.example>\r\n")
		if test.before > 0 {
			deliverTo(t, l, "", smtp.NewBody(strings.NewReader(strings.Repeat("x", test.before-head-2)+"\r\n"), -1), "bob@example.org")
		}
		if _, err := bob.Apply(t.Context(), store.Change{Ops: []store.Op{store.PutAccount{Limits: &store.Limits{Bytes: 1000, Messages: test.messages}}}}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for range len(strings.Fields(test.want)) {
			statuses, err := deliverTo(t, l, "", smtp.NewBody(strings.NewReader(strings.Repeat("y", 198)+"\r\n"), -1), "bob@example.org")
			if err != nil {
				t.Fatal(err)
			}
			reply := smtp.ReplyOf(statuses[0].Err)
			got = append(got, fmt.Sprint(reply.Code))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, want %s", test.name, got, test.want)
		}
	}
}

// An account that was moved to another host between its routing and its delivery
// is deferred, not refused.
func TestLocalMoved(t *testing.T) {
	s, _ := newStore(t)
	l := &deliver.LocalDelivery{Store: s, Directory: people{"alice@example.org": "via other"}}
	tx, _ := l.Begin(t.Context(), &smtp.Mail{ID: "i"})
	if err := tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: address("alice@example.org")}})[0]; smtp.ReplyOf(err).Code != 451 {
		t.Errorf("%v", err)
	}
}

// One account of 50 hangs: the others of the same message have it at once, and
// the next message waits for it no longer than its time limit, in the one
// destination that they share with it.
func TestOneAccountHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		dir, to := people{}, []*smtp.Recipient{}
		for i := range 50 {
			name := fmt.Sprintf("u%d@example.org", i)
			dir[name] = "local"
			to = append(to, &smtp.Recipient{ForwardPath: address(name)})
			if err := s.Create(t.Context(), store.AccountID(name), store.AccountInfo{ID: store.AccountID(name)}); err != nil {
				t.Fatal(err)
			}
		}
		l := &deliver.LocalDelivery{Store: s, Directory: dir, Sort: func(ctx context.Context, m *deliver.LocalMessage) ([]deliver.Placement, error) {
			if m.Account == "u7@example.org" {
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}
			return []deliver.Placement{{}}, nil
		}}
		router := &deliver.Router{Directory: dir, IsLocal: func(string) bool { return true }, Local: l, Remote: nextHops{}, LocalShards: 8}
		q := &queue.Queue{Storage: &memqueue.Storage{}, Blobs: s.Blobs(), Router: router}
		r := &queue.Runner{
			Queue: q, Router: router, Logger: slog.New(slog.DiscardHandler), Reporter: &dsn.Reporter{Hostname: "h", Blobs: s.Blobs()},
			Ordered: func(string) bool { return true },
		}
		q.Kick = r.Kick
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		send := func(id string) {
			env := &smtp.Envelope{Mail: &smtp.Mail{ID: id, ReversePath: smtp.ReversePath(address("s@remote.example"))}, Recipients: to}
			if err := q.Enqueue(ctx, env, io.LimitReader(strings.NewReader(content), 1e6)); err != nil {
				t.Fatal(err)
			}
		}
		have := func(n int) (accounts int) {
			for i := range 50 {
				if got, _ := inbox(t, s, store.AccountID(fmt.Sprintf("u%d@example.org", i))); len(got) == n {
					accounts++
				}
			}
			return accounts
		}
		send("1")
		time.Sleep(time.Second)
		if n := have(1); n != 49 {
			t.Errorf("%d accounts have the first message, want 49", n)
		}
		send("2")
		time.Sleep(time.Second)
		if n := have(2); n < 40 {
			t.Errorf("%d accounts have the second message; 7 of 8 destinations are free", n)
		}
		time.Sleep(time.Minute)
		if n := have(2); n != 49 {
			t.Errorf("%d accounts have the second message, want 49", n)
		}
		cancel()
		<-done
		s.Close()
	})
}
