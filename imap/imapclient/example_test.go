package imapclient_test

import (
	"context"
	"fmt"
	"io"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imaptest"
	"github.com/mailstead/mailstead/store"
)

// All messages of a mailbox, one after the other.
func Example() {
	srv := &imaptest.Server{Account: imaptest.NewAccount()}
	defer srv.Close()
	srv.Account.Append(imap.Inbox, "Subject: Hello\r\n\r\nText.\r\n")

	ctx := context.Background()
	d := &imapclient.Dialer{
		Net: srv, TLS: imapclient.TLSNever, // a server in memory
		Auth: login.Client{
			Credentials: saslmech.Credentials{Username: imaptest.User, Password: imaptest.Password},
			Policy:      saslmech.Policy{AllowPlaintext: true},
		},
	}
	c, err := d.Dial(ctx, "tcp", "imap.example.org:143")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	if _, err := c.Select(ctx, imap.Inbox, imapclient.SelectOptions{ReadOnly: true}); err != nil {
		fmt.Println(err)
		return
	}
	o := imap.FetchOptions{Items: imap.FetchSize, Sections: []imap.Section{{Peek: true}}}
	for m, err := range c.Fetch(ctx, store.AllUIDs(), o) {
		if err != nil {
			fmt.Println(err)
			return
		}
		body, err := m.Body()
		if err != nil {
			fmt.Println(err)
			return
		}
		text, err := io.ReadAll(body)
		fmt.Printf("%d: %d octets: %q %v\n", m.UID, m.Size, text, err)
	}
	// Output: 1: 25 octets: "Subject: Hello\r\n\r\nText.\r\n" <nil>
}
