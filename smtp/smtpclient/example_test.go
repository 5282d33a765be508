package smtpclient_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// A message through a submission service, and what became of each recipient.
func ExampleClient_Send() {
	ctx := context.Background()
	d := &smtpclient.Dialer{
		Hello: "app.example.org",
		TLS:   smtpclient.TLSRequired,
		Auth: func(mechanisms []string, state *tls.ConnectionState) (sasl.Client, error) {
			return sasl.NewPlainClient("", "app", "secret"), nil
		},
	}
	c, err := d.Dial(ctx, "tcp", "submission.example.org:587")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	from, _ := smtp.ParseReversePath("<app@example.org>", false)
	to, _ := smtp.ParseForwardPath("<ann@example.net>", false)
	text := "From: <app@example.org>\r\nTo: <ann@example.net>\r\nSubject: Hello\r\n\r\nHello, Ann.\r\n"
	env := &smtp.Envelope{
		Mail:       &smtp.Mail{ID: smtp.NewID(), ReversePath: from},
		Recipients: []*smtp.Recipient{{ForwardPath: to}},
	}
	res, err := c.Send(ctx, env, smtp.NewBody(strings.NewReader(text), int64(len(text))))
	if err != nil {
		log.Print(err) // the outcomes stand in res all the same
	}
	for _, r := range res.Recipients {
		fmt.Println(r.Outcome, r.Reply, r.QueueID)
	}
}

// Messages that share connections.
func ExamplePool() {
	ctx := context.Background()
	d := &smtpclient.Dialer{Hello: "app.example.org"}
	pool := &smtpclient.Pool{}
	defer pool.Close()

	key := smtpclient.Key{Addr: "mx.example.net:25", TLS: d.TLS}
	c, err := pool.Get(ctx, key, func(ctx context.Context) (*smtpclient.Client, error) {
		return d.Dial(ctx, "tcp", key.Addr)
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Put(key, c)
	// c.Send(...)
}
