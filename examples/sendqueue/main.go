// Command sendqueue sends the message on its standard input, and what it could
// not send when it ran before. It is the least that a program of yours needs to
// send mail by itself: by MX, from a durable queue, with retries for five days
// and reports of what failed.
//
//	sendqueue ann@example.org bob@example.net < message.eml
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"os/signal"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/dsn"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/sqlite"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: sendqueue FROM TO < message.eml")
	}
	from, err1 := smtp.ParseReversePath("<"+os.Args[1]+">", true)
	to, err2 := smtp.ParseForwardPath("<"+os.Args[2]+">", true)
	if err := errors.Join(err1, err2); err != nil {
		log.Fatal(err)
	}
	env := &smtp.Envelope{
		Mail:       &smtp.Mail{ID: smtp.NewID(), ReversePath: from},
		Recipients: []*smtp.Recipient{{ForwardPath: to}},
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := sendMail(ctx, "sendqueue-data", &deliver.MX{}, func(ctx context.Context, q *queue.Queue) error {
		return q.Enqueue(ctx, env, os.Stdin) // durable when it returns
	})
	if err != nil {
		log.Print(err)
	}
}

// sendMail sends what lies in the queue of a directory, until ctx ends. With is
// handed the queue, and may put messages into it.
func sendMail(ctx context.Context, dir string, out deliver.NextHops, with func(context.Context, *queue.Queue) error) error {
	hostname, err := os.Hostname()
	if err != nil {
		return err
	}
	engine, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		return err
	}
	defer engine.Close()
	storage, err := sqlqueue.New(ctx, engine.DB(), sqlqueue.Options{})
	if err != nil {
		return err
	}
	domains := &deliver.Accounts{} // none is ours: all mail leaves
	router := &deliver.Router{Directory: domains, IsLocal: domains.IsLocal, Remote: out}
	q := &queue.Queue{Storage: storage, Blobs: engine.Blobs(), Router: router}
	runner := &queue.Runner{
		Queue:    q,
		Router:   router,
		Reporter: &dsn.Reporter{Hostname: hostname, Blobs: engine.Blobs()},
	}
	q.Kick = runner.Kick
	if err := with(ctx, q); err != nil {
		return err
	}
	return runner.Run(ctx)
}
