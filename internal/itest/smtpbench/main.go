// Smtpbench is a server that throws mail away, for internal/itest/smtpbench.sh:
// made of this library, or of another one.
//
//	smtpbench -server mailstead|go-smtp -addr HOST:PORT
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	gosmtp "github.com/emersion/go-smtp"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// maxMessage is the limit of each server, in octets.
const maxMessage = 100 << 20

func main() {
	server := flag.String("server", "mailstead", "mailstead or go-smtp")
	addr := flag.String("addr", "127.0.0.1:2525", "listen address")
	flag.Parse()
	if err := run(*server, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "smtpbench:", err)
		os.Exit(1)
	}
}

func run(server, addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	switch server {
	case "mailstead":
		return serveMailstead(ctx, l)
	case "go-smtp":
		return serveGoSMTP(ctx, l)
	}
	l.Close()
	return fmt.Errorf("no server of name %q", server)
}

func serveMailstead(ctx context.Context, l net.Listener) error {
	srv := smtpserver.New(smtpserver.Config{
		Receiver: smtp.EachRcpt(discard), Hostname: "mx.example",
		Limits: smtpserver.Limits{Message: maxMessage, Connections: -1},
		Logger: slog.New(slog.DiscardHandler),
	})
	err := srv.Serve(ctx, l)
	srv.Close()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func discard(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
	if _, err := b.WriteTo(io.Discard); err != nil {
		return nil, err
	}
	return smtp.Accepted(len(env.Recipients)), nil
}

func serveGoSMTP(ctx context.Context, l net.Listener) error {
	srv := gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return session{}, nil }))
	srv.Domain, srv.MaxMessageBytes, srv.MaxRecipients = "mx.example", maxMessage, 1000
	stopped := context.AfterFunc(ctx, func() { srv.Close() })
	defer stopped()
	err := srv.Serve(l)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

type session struct{}

func (session) Reset()                                 {}
func (session) Logout() error                          { return nil }
func (session) Mail(string, *gosmtp.MailOptions) error { return nil }
func (session) Rcpt(string, *gosmtp.RcptOptions) error { return nil }

func (session) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}
