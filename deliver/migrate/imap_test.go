package migrate_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/imapaccount"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
)

// serveIMAP starts our server in front of a store.
func serveIMAP(t testing.TB, s store.Store) (addr string) {
	t.Helper()
	srv, err := imapserver.New(imapserver.Config{
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

func openIMAP(t testing.TB, addr string) *imapaccount.Account {
	t.Helper()
	d := &imapclient.Dialer{TLS: imapclient.TLSNever, Auth: login.Client{
		Credentials: saslmech.Credentials{Username: user, Password: "x"}, Policy: saslmech.Policy{AllowPlaintext: true},
	}}
	a, err := imapaccount.New(t.Context(), imapaccount.Options{
		Name: "imap://" + user + "@" + addr + "/",
		Dial: func(ctx context.Context) (*imapclient.Client, error) { return d.Dial(ctx, "tcp", addr) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func TestIMAP(t *testing.T) {
	src, _, s := newAccount(t, storeaccount.Options{})
	fill(t, s, 4, 60)
	from := openIMAP(t, serveIMAP(t, s))
	into, _, _ := newAccount(t, storeaccount.Options{})
	o := migrate.Options{Verify: migrate.VerifyBodies, BatchMessages: 17, Remove: true}
	if r := mustRun(t, from, into, o); r.Copied != 240 || r.Verified != 240 {
		t.Errorf("%+v", r.Totals)
	}
	same(t, dump(t, into), dump(t, src))
	if r := mustRun(t, from, into, o); r.Copied != 0 || !r.Boxes[0].Unchanged {
		t.Errorf("second pass: %+v", r.Totals)
	}

	server, _, ds := newAccount(t, storeaccount.Options{})
	to := openIMAP(t, serveIMAP(t, ds))
	o.State = &migrate.DirKeeper{Dir: "/state", FS: vfs.NewMem()}
	if r := mustRun(t, from, to, o); r.Copied != 240 || r.Verified != 240 {
		t.Errorf("%+v", r.Totals)
	}
	same(t, dump(t, server), dump(t, src))
	rng, serial := random(1), 10_000
	for range 40 {
		change(t, s, rng, &serial, true)
	}
	mustRun(t, from, to, o)
	same(t, dump(t, server), dump(t, src))
	if r := mustRun(t, from, to, o); r.Copied+r.Flagged+r.Removed != 0 {
		t.Errorf("a pass without changes: %+v", r.Totals)
	}
}

// A target that is not atomic loses and doubles nothing, whatever fails.
func TestIMAPFaults(t *testing.T) {
	for seed := range seeds(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := random(seed)
			src, _, s := newAccount(t, storeaccount.Options{})
			serial := 0
			for range 15 {
				change(t, s, rng, &serial, false)
			}
			server, _, ds := newAccount(t, storeaccount.Options{})
			addr := serveIMAP(t, ds)
			state := &migrate.DirKeeper{Dir: "/state", FS: vfs.NewMem()}
			survive(t, rng, src, func() migrate.Target { return openIMAP(t, addr) }, state)
			same(t, dump(t, server), dump(t, src))
		})
	}
}
