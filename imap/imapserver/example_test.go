package imapserver_test

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// A server whose users are those of a login.Service.
func ExampleNew() {
	svc := &login.Service{Backend: &login.Memory{}}
	srv, err := imapserver.New(imapserver.Config{Store: memstore.New(nil), Auth: svc.Authenticator()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	// Output:
}

// Users share mailboxes; those of info@example.org can be opened to everybody.
func ExampleConfig_sharing() {
	svc := &login.Service{Backend: &login.Memory{}}
	cfg := imapserver.Config{
		Store: memstore.New(nil),
		Auth:  svc.Authenticator(),
		Sharing: &imapserver.Sharing{
			Accounts: []store.AccountID{"info@example.org"},
			Account: func(_ context.Context, identifier string) (store.AccountID, error) {
				name, err := login.Canonical(identifier)
				if err != nil {
					return "", store.ErrNoAccount
				}
				return store.AccountID(name), nil
			},
		},
	}
	fmt.Println(cfg.Validate())
	// Output: <nil>
}
