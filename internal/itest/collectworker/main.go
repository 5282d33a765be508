// Collectworker is the program that the collecting tests kill: a collector of one
// account into a store on disk.
//
//	collectworker DIRECTORY pop3|imap ADDRESS USER   collects until there is nothing more
//	collectworker DIRECTORY                          says the X-Number of each message that is here
//
// The password is in MAIL_PASSWORD. There is no TLS.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/textproto"
	"os"
	"time"

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

const account store.AccountID = "ann@home.example"

func main() {
	if len(os.Args) != 2 && len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: collectworker DIRECTORY [pop3|imap ADDRESS USER]")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, from []string) (err error) {
	engine, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	st := engine.Store()
	if err := st.Create(ctx, account, store.AccountInfo{ID: account}); err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	acct, err := st.Open(ctx, account)
	if err != nil {
		return err
	}
	if len(from) == 0 {
		return list(ctx, acct)
	}
	return collect(ctx, st, acct, from)
}

func collect(ctx context.Context, st store.Store, acct store.Account, from []string) error {
	user := login.Client{
		Credentials: saslmech.Credentials{Username: from[2], Password: os.Getenv("MAIL_PASSWORD")},
		Policy:      saslmech.Policy{AllowPlaintext: true},
	}
	open := imapsource.Source{Addr: from[1], Dialer: &imapclient.Dialer{TLS: imapclient.TLSNever, Auth: user}}.Open
	if from[0] == "pop3" {
		open = pop3source.Source{Addr: from[1], Dialer: &pop3client.Dialer{TLS: pop3client.TLSNever, Login: user.Login}}.Open
	}
	c := &fetch.Collector{
		Hostname: "home.example", Blobs: st.Blobs(), State: &fetch.EntryState{Account: acct},
		Quarantine: &fetch.Mailbox{Store: st, Account: account}, Stall: 10 * time.Second, Logger: slog.New(slog.DiscardHandler),
		Sources: []*fetch.Source{{
			Name: "remote", Open: open, Recipients: fetch.To(smtp.ForwardPath{Path: smtp.Path{Local: "ann", Domain: "home.example"}}),
			Target: &deliver.LocalDelivery{Store: st, Hostname: "home.example", Directory: &deliver.Accounts{
				Domains: []string{"home.example"},
				Exists:  func(_ context.Context, id store.AccountID) (bool, error) { return id == account, nil },
			}},
		}},
	}
	return c.Once(ctx)
}

// list says what is here, in all mailboxes.
func list(ctx context.Context, acct store.Account) error {
	boxes, _, err := acct.Mailboxes(ctx, 0)
	if err != nil {
		return err
	}
	for _, box := range boxes {
		for m, err := range acct.Messages(ctx, box.ID, store.Query{UIDs: store.AllUIDs()}) {
			if err != nil {
				return err
			}
			c, err := acct.Content(ctx, box.ID, m.UID)
			if err != nil {
				return err
			}
			h, err := textproto.NewReader(bufio.NewReader(io.NewSectionReader(c, 0, c.Size()))).ReadMIMEHeader()
			c.Close()
			if err != nil {
				return err
			}
			fmt.Println(h.Get("X-Number"))
		}
	}
	return nil
}
