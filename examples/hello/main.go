// Command hello is an SMTP listener that hands every message to a function.
package main

import (
	"context"
	"io"
	"log"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

func main() {
	receive := func(_ context.Context, env *smtp.Envelope, r io.Reader) error {
		n, err := io.Copy(io.Discard, r)
		log.Printf("%d octets from <%s> for %d recipients", n, env.Mail.ReversePath, len(env.Recipients))
		return err // nil says: this mail is safe with us
	}
	srv := smtpserver.New(smtpserver.Config{Receiver: smtp.ReceiveFunc(receive)})
	log.Fatal(srv.ListenAndServe(context.Background(), "127.0.0.1:2525"))
}
