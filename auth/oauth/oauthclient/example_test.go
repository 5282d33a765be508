package oauthclient_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth/oauthclient"
)

// A mailbox at Microsoft 365 whose owner has logged in once.
func ExampleRefresh() {
	r := oauthclient.Microsoft365("example.org")
	r.ClientID = "66666666-7777-8888-9999-000000000000"
	source := &oauthclient.Source{Grant: &oauthclient.Refresh{
		Registration: r,
		Store:        &oauthclient.FileStore{Path: "/var/lib/mailstead/relay.token"},
	}}
	_, err := source.Token(context.Background(), "")
	fmt.Println(err)
	// Output: oauth: no refresh token
}

// Every mailbox at Microsoft 365 that the administrator lets this program into.
func ExampleClientCredentials() {
	r := oauthclient.Microsoft365App("example.org")
	r.ClientID = "66666666-7777-8888-9999-000000000000"
	r.ClientSecret = login.NewPassword("secret of the application")
	source := &oauthclient.Source{Grant: &oauthclient.ClientCredentials{Registration: r}}
	_ = source // a login.TokenSource
}

// A mailbox of Google Workspace, by a service account with domain-wide
// delegation.
func ExampleGoogleServiceAccount() {
	key, err := os.ReadFile("service-account.json")
	if err != nil {
		return
	}
	grant, err := oauthclient.GoogleServiceAccount(key, "alice@example.org")
	if err != nil {
		log.Fatal(err)
	}
	source := &oauthclient.Source{Grant: grant}
	_ = source // a login.TokenSource
}

// The first refresh token, from a terminal.
func ExampleRegistration_StartDevice() {
	login := func(ctx context.Context, r oauthclient.Registration, store oauthclient.RefreshStore) error {
		d, err := r.StartDevice(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("Open %s and enter %s\n", d.VerificationURI, d.UserCode)
		tokens, err := d.Wait(ctx)
		if err != nil {
			return err
		}
		return store.Save(ctx, tokens.Refresh)
	}
	_ = login
}
