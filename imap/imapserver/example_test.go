package imapserver_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/emersion/go-sasl"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// A server whose users are those of a login.Service.
func ExampleNew() {
	users := &login.Memory{}
	svc := &login.Service{Backend: users}
	attempt := func(p imapserver.Peer) login.Attempt {
		return login.Attempt{Protocol: login.IMAP, Peer: p.Addr, TLS: p.TLS != nil}
	}
	srv, err := imapserver.New(imapserver.Config{
		Store: memstore.New(nil),
		Auth: imapserver.Auth{
			Login: func(ctx context.Context, p imapserver.Peer, user, password string) (store.AccountID, error) {
				a := attempt(p)
				a.Username, a.Password, a.Mechanism = user, login.NewPassword(password), "LOGIN"
				id, err := svc.Authenticate(ctx, a)
				return store.AccountID(id.Account), err
			},
			Mechanisms: func(p imapserver.Peer) []string { return svc.Mechanisms(p.TLS != nil) },
			Start: func(ctx context.Context, p imapserver.Peer, mechanism string, done func(store.AccountID)) (sasl.Server, error) {
				return svc.Server(ctx, mechanism, attempt(p), func(id login.Identity) { done(store.AccountID(id.Account)) })
			},
			Classify: classify,
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	// Output:
}

// classify says in the server's words how a login failed.
func classify(err error) error {
	for from, to := range map[error]error{
		login.ErrRejected:    imapserver.ErrRejected,
		login.ErrTooMany:     imapserver.ErrTooManyTries,
		login.ErrTLSRequired: imapserver.ErrPrivacyRequired,
		login.ErrMalformed:   imapserver.ErrMalformed,
	} {
		if errors.Is(err, from) {
			return to
		}
	}
	return err
}
