package smtpserver_test

import (
	"context"
	"fmt"
	"io"
	"net"
	netsmtp "net/smtp"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// A server with only a function: limits and time-outs are on.
func Example() {
	receiver := smtp.ReceiveFunc(func(_ context.Context, env *smtp.Envelope, r io.Reader) error {
		text, err := io.ReadAll(r)
		if err != nil {
			return err // nobody has the message; the peer tries again
		}
		fmt.Printf("from %s to %s: %q\n", env.Mail.ReversePath, env.Recipients[0].ForwardPath, text)
		return nil
	})
	srv := smtpserver.New(smtpserver.Config{Receiver: receiver})
	defer srv.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(context.Background(), l)

	err = netsmtp.SendMail(l.Addr().String(), nil, "alice@example.org", []string{"bob@example.net"}, []byte("Hello\r\n"))
	fmt.Println(err)
	// Output:
	// from alice@example.org to bob@example.net: "Hello\r\n"
	// <nil>
}
