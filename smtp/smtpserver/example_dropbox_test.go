package smtpserver_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	netsmtp "net/smtp"
	"os"
	"path/filepath"
	"strings"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// dropbox keeps each message in a file of a directory.
type dropbox struct{ dir string }

// receive returns nil only when the message would survive a power cut: the
// octets are synced, then the name, then the directory that holds the name.
func (d dropbox) receive(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
	f, err := os.CreateTemp(d.dir, "tmp-")
	if err != nil {
		return nil, err // leaves as 451: the sender tries again
	}
	defer os.Remove(f.Name()) // finds nothing once the file has its name
	defer f.Close()
	if _, err := io.Copy(f, b); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	if err := os.Rename(f.Name(), filepath.Join(d.dir, env.Mail.ID+".eml")); err != nil {
		return nil, err
	}
	return smtp.Accepted(len(env.Recipients)), syncDir(d.dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// onlyFor is a middleware that refuses recipients of other domains.
func onlyFor(domain string) smtp.Middleware {
	return func(next smtp.Receiver) smtp.Receiver { return gate{next, domain} }
}

type gate struct {
	smtp.Receiver
	domain string
}

func (g gate) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	tx, err := g.Receiver.Begin(ctx, m)
	if err != nil {
		return nil, err
	}
	return gateTransaction{tx, g.domain}, nil
}

type gateTransaction struct {
	smtp.Transaction
	domain string
}

func (t gateTransaction) Rcpt(ctx context.Context, rs []*smtp.Recipient) []error {
	errs := make([]error, len(rs))
	for i, r := range rs {
		p := r.ForwardPath
		if !p.IsPostmaster() && !strings.EqualFold(p.Domain, t.domain) {
			errs[i] = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "Relaying denied")
			continue
		}
		errs[i] = t.Transaction.Rcpt(ctx, rs[i:i+1])[0]
	}
	return errs
}

// A listener that keeps the mail of one domain in a directory.
func Example_dropbox() {
	dir, err := os.MkdirTemp("", "dropbox")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	receiver := smtp.Chain(smtp.EachRcpt(dropbox{dir}.receive), onlyFor("example.org"))
	srv := smtpserver.New(smtpserver.Config{Receiver: receiver, Hostname: "mail.example.org"})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background(), l) }()

	text := []byte("Subject: hello\r\n\r\nHello.\r\n")
	for _, to := range []string{"alice@example.org", "bob@example.com"} {
		err := netsmtp.SendMail(l.Addr().String(), nil, "you@example.net", []string{to}, text)
		fmt.Println(to, err)
	}
	if err := srv.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	<-served
	files, _ := filepath.Glob(filepath.Join(dir, "*.eml"))
	fmt.Println(len(files), "message kept")
	// Output:
	// alice@example.org <nil>
	// bob@example.com 550 "5.7.1 Relaying denied"
	// 1 message kept
}
