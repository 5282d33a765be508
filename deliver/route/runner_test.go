package route_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/route"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// A message to users of one domain on both sides: who is here has it at once, who
// is on the server that is down waits under that server's name, and is found by
// the look-up of the attempt that comes after the move.
func TestMigrationUnderRunner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		moved := map[string]bool{"ann@example.org": true}
		here, old := &scripted{}, &scripted{whole: "begin 421 4.3.0"}
		table := newTable(t, route.Config{
			Targets: map[string]route.Target{"old": {Receiver: old}}, Default: domains{},
			Lookup: func(_ context.Context, address string) (string, error) {
				if moved[address] {
					return "", nil
				}
				return "old", nil
			},
		})
		accounts := newAccounts("ann@example.org", "bob@example.org", "eve@example.org")
		router := &deliver.Router{Directory: table.Directory(accounts), IsLocal: accounts.IsLocal, Local: here, Remote: table, LocalShards: 1}
		q := &queue.Queue{Storage: &memqueue.Storage{}, Blobs: memblob.New(), Router: router}
		r := &queue.Runner{Queue: q, Router: router, Logger: slog.New(slog.DiscardHandler)}
		q.Kick = r.Kick
		env := &smtp.Envelope{Mail: &smtp.Mail{ID: "i", ReversePath: smtp.ReversePath(path("s@example.net"))}}
		for _, a := range []string{"ann", "bob", "eve"} {
			env.Recipients = append(env.Recipients, &smtp.Recipient{ForwardPath: path(a + "@example.org")})
		}
		if err := q.Enqueue(t.Context(), env, strings.NewReader("Subject: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		time.Sleep(time.Second)
		var left []string
		for j, err := range q.Storage.List(ctx, queue.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			for _, rcpt := range j.Recipients {
				left = append(left, j.Destination+" "+rcpt.ForwardPath.Local)
			}
		}
		if got := strings.Join(here.seen, " "); got != "ann" {
			t.Errorf("delivered here: %s", got)
		}
		if got := strings.Join(left, ", "); got != "route:old bob, route:old eve" {
			t.Errorf("left: %s", got)
		}
		cancel()
		<-done
		moved["bob@example.org"], old.whole = true, ""
		r2 := &queue.Runner{Queue: q, Router: router, Logger: slog.New(slog.DiscardHandler)}
		ctx, cancel = context.WithCancel(t.Context())
		done = make(chan struct{})
		go func() { defer close(done); r2.Run(ctx) }()
		time.Sleep(time.Hour)
		if got := strings.Join(here.seen, " ") + " / " + strings.Join(old.seen, " "); got != "ann bob / eve" {
			t.Errorf("in the end, here / old: %s", got)
		}
		cancel()
		<-done
	})
}
