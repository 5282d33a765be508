package deliver_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/bounce"
	"github.com/mailstead/mailstead/deliver/dsn"
	"github.com/mailstead/mailstead/deliver/srs"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// outside is the rest of the world: it refuses mail to remote.example, and hands
// what it takes to a channel.
type outside struct{ took chan sentOn }

func (outside) Key(p smtp.ForwardPath) string { return p.Domain }

func (o outside) Receiver(key string) (smtp.Receiver, string) {
	return smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
		text, err := io.ReadAll(b)
		if err != nil {
			return nil, err
		}
		o.took <- sentOn{mail: *env.Mail, rcpts: []smtp.Recipient{*env.Recipients[0]}, text: string(b.Trace()) + string(text)}
		if key == "remote.example" {
			return nil, smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "User unknown")
		}
		return smtp.Accepted(len(env.Recipients)), nil
	}), key
}

// A message that is sent on and refused there comes back to who wrote it: by the
// rewritten path, through the queue, with the address that he knows.
func TestForwardedBounceComesBack(t *testing.T) {
	s, accounts := newStore(t)
	scheme := &srs.Scheme{Domain: "fwd.example", Secrets: []string{"first-secret"}}
	accounts.Domains = append(accounts.Domains, "fwd.example")
	dir := deliver.SRSDirectory(accounts, scheme)
	world := outside{make(chan sentOn, 9)}
	blobs := memblob.New()
	router := &deliver.Router{Directory: dir, IsLocal: accounts.IsLocal, Remote: world}
	q := &queue.Queue{Storage: &memqueue.Storage{}, Blobs: blobs, Router: router}
	router.Local = &deliver.Forward{
		Out: q, Local: &deliver.LocalDelivery{Store: s, Directory: dir}, SRS: scheme,
		To: func(_ context.Context, r *smtp.Recipient) (deliver.Forwarding, error) {
			return deliver.Forwarding{To: []smtp.ForwardPath{address("new@remote.example")}}, nil
		},
	}
	run := &queue.Runner{Queue: q, Router: router, Reporter: &dsn.Reporter{Hostname: "mx.fwd.example", Blobs: blobs}}
	q.Kick = run.Kick
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run.Run(ctx) }()
	defer func() {
		stop()
		<-done
	}()
	m := &smtp.Mail{ID: "id", ReversePath: smtp.ReversePath(address("writer@example.com"))}
	text := "Message-ID: <m@example.com>\r\n\r\nhello\r\n"
	if err := smtp.Hand(t.Context(), q, m, []*smtp.Recipient{{ForwardPath: address("alice@example.org")}}, smtp.NewBody(strings.NewReader(text), -1)); err != nil {
		t.Fatal(err)
	}
	out := <-world.took
	if got := out.mail.ReversePath.String(); !strings.HasPrefix(got, "SRS0=") || out.rcpts[0].ForwardPath.String() != "new@remote.example" || out.text != "Delivered-To: alice@example.org\r\n"+text {
		t.Fatalf("sent on: %+v", out)
	}
	back := <-world.took
	if !back.mail.ReversePath.IsNull() || back.rcpts[0].ForwardPath.String() != "writer@example.com" {
		t.Fatalf("came back: %+v", back)
	}
	rep, err := (&bounce.Parser{}).Parse(bytes.NewReader([]byte(back.text)), int64(len(back.text)), bounce.Envelope{})
	if err != nil || len(rep.Recipients) != 1 {
		t.Fatalf("%+v %v", rep, err)
	}
	if r := rep.Recipients[0]; r.Sent.String() != "alice@example.org" || r.Final != "new@remote.example" || r.Class != bounce.Hard || rep.MessageID != "m@example.com" {
		t.Errorf("%+v", r)
	}
}
