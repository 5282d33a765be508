package pop3client_test

import (
	"context"
	"io"
	"log"
	"os"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/pop3/pop3client"
)

// All messages of a maildrop, deleted when they are safe.
func Example() {
	ctx := context.Background()
	account := login.Client{Credentials: saslmech.Credentials{Username: "ann@example.org", Password: os.Getenv("PASSWORD")}}
	d := &pop3client.Dialer{TLS: pop3client.TLSImplicit, Login: account.Login}
	c, err := d.Dial(ctx, "tcp", "pop.example.org:995")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	drop, err := c.Maildrop(ctx)
	if err != nil {
		log.Fatal(err)
	}
	var numbers, safe []int
	for _, m := range drop.Messages {
		numbers = append(numbers, m.Number)
	}
	for body, err := range c.RetrEach(ctx, numbers) {
		if err == nil {
			err = keep(body)
		}
		if err != nil {
			log.Print(err) // stays on the server
			continue
		}
		safe = append(safe, body.Number)
	}
	for number, err := range c.DeleEach(ctx, safe) {
		if err != nil {
			log.Print(number, err)
		}
	}
	if err := c.Quit(ctx); err != nil { // errors.Is(err, pop3client.ErrUnknown): the next session shows it
		log.Fatal(err)
	}
}

// keep returns when the message is on stable storage.
func keep(body io.Reader) error {
	f, err := os.CreateTemp("mail", "*.eml")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, body); err != nil {
		return err
	}
	return f.Sync()
}

// USER and PASS, for a server without TLS on a network that is trusted.
func ExampleClient_UserPass() {
	ctx := context.Background()
	d := &pop3client.Dialer{TLS: pop3client.TLSNever}
	c, err := d.Dial(ctx, "tcp", "10.0.0.5:110")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.UserPass(ctx, "ann", os.Getenv("PASSWORD")); err != nil {
		log.Fatal(err)
	}
}
