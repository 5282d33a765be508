package migrate_test

import (
	"context"
	"net"
	"testing"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/pop3account"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
)

func servePOP3(t testing.TB, s store.Store) (addr string) {
	t.Helper()
	srv, err := pop3server.New(pop3server.Config{
		Store: s, AllowPlaintextAuth: true,
		Auth: authn.PasswordFunc(func(_ context.Context, _ *authn.Peer, name, _ string) (string, error) { return name, nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l) // ends with Close
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return l.Addr().String()
}

func TestPOP3(t *testing.T) {
	_, _, s := newAccount(t, storeaccount.Options{})
	for n := range 80 {
		put(t, s, store.Inbox, text(n, 100+n*50), 0)
	}
	addr := servePOP3(t, s)
	from := pop3account.New(pop3account.Options{Name: "pop3://x/", Dial: func(ctx context.Context) (*pop3client.Client, error) {
		c, err := (&pop3client.Dialer{TLS: pop3client.TLSNever}).Dial(ctx, "tcp", addr)
		if err == nil {
			err = c.UserPass(ctx, user, "x")
		}
		return c, err
	}})
	into, _, _ := newAccount(t, storeaccount.Options{})
	o := migrate.Options{Verify: migrate.VerifyBodies, BatchMessages: 17}
	if r := mustRun(t, from, into, o); r.Copied != 80 || r.Verified != 80 {
		t.Errorf("%+v", r.Totals)
	}
	if r := mustRun(t, from, into, o); r.Copied != 0 || r.Present != 80 {
		t.Errorf("second pass: %+v", r.Totals)
	}
	if list := dump(t, into)[store.Inbox]; len(list) != 80 {
		t.Errorf("%d messages", len(list))
	}
}
