// Command collector fetches the mail of one user, by POP3 and by IMAP, into a
// store on disk. The password is in MAIL_PASSWORD:
//
//	collector DIRECTORY pop.example.org:995 imap.example.org:993 USER
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"os/signal"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/deliver/fetch/imapsource"
	"github.com/mailstead/mailstead/deliver/fetch/pop3source"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: collector DIRECTORY POP3-ADDRESS IMAP-ADDRESS USER")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	user := login.Client{Credentials: saslmech.Credentials{Username: os.Args[4], Password: os.Getenv("MAIL_PASSWORD")}}
	pop := pop3source.Source{Addr: os.Args[2], Dialer: &pop3client.Dialer{TLS: pop3client.TLSImplicit, Login: user.Login}}
	imap := imapsource.Source{Addr: os.Args[3], Dialer: &imapclient.Dialer{Auth: user}}
	if err := collect(ctx, os.Args[1], pop, imap); err != nil {
		log.Fatal(err)
	}
}

const ann store.AccountID = "ann@home.example"

// collect fetches until ctx ends.
func collect(ctx context.Context, dir string, pop pop3source.Source, imap imapsource.Source) error {
	engine, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		return err
	}
	defer engine.Close()
	st := engine.Store()
	if err := st.Create(ctx, ann, store.AccountInfo{ID: ann}); err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	account, err := st.Open(ctx, ann)
	if err != nil {
		return err
	}
	to := fetch.To(smtp.ForwardPath{Path: smtp.Path{Local: "ann", Domain: "home.example"}})
	target := &deliver.LocalDelivery{Store: st, Hostname: "home.example", Directory: &deliver.Accounts{
		Domains: []string{"home.example"},
		Exists:  func(_ context.Context, id store.AccountID) (bool, error) { return id == ann, nil },
	}}
	c := &fetch.Collector{
		Hostname: "home.example", Blobs: st.Blobs(), State: &fetch.EntryState{Account: account},
		Quarantine: &fetch.Mailbox{Store: st, Account: ann},
		Sources: []*fetch.Source{
			{Name: "pop", Open: pop.Open, Recipients: to, Target: target},
			{Name: "imap", Open: imap.Open, Recipients: to, Target: target, Idle: true},
		},
	}
	return c.Run(ctx)
}
