package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/deliver/fetch/imapsource"
	"github.com/mailstead/mailstead/deliver/fetch/pop3source"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imaptest"
	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/pop3/pop3test"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
)

func TestCollect(t *testing.T) {
	const text = "Subject: a\r\n\r\nHello.\r\n"
	popServer := pop3test.NewServer(t, pop3test.Options{Messages: pop3test.Texts(text, text)})
	imapServer := &imaptest.Server{Account: imaptest.NewAccount()}
	imapServer.Account.Append(imap.Inbox, text)
	user := login.Client{
		Credentials: saslmech.Credentials{Username: imaptest.User, Password: imaptest.Password},
		Policy:      saslmech.Policy{AllowPlaintext: true},
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error)
	go func() {
		done <- collect(ctx, dir,
			pop3source.Source{Addr: popServer.Listen(t), Dialer: &pop3client.Dialer{Login: user.Login}},
			imapsource.Source{Addr: imapServer.Start(t), Dialer: &imapclient.Dialer{TLS: imapclient.TLSNever, Auth: user}})
	}()
	for ctx.Err() == nil && (len(popServer.Messages()) > 0 || len(imapServer.Account.Flags(imap.Inbox)) > 0) {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	engine, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	account, err := engine.Store().Open(t.Context(), ann)
	if err != nil {
		t.Fatal(err)
	}
	box, err := store.MailboxByName(t.Context(), account, store.Inbox)
	if err != nil || box.Messages != 3 {
		t.Errorf("%+v, %v", box, err)
	}
}

// A collector takes no more than 30 lines.
func TestSize(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "\nfunc collect(")
	body, _, _ = strings.Cut(body, "\n}\n")
	if n := strings.Count(body, "\n"); n > 30 {
		t.Errorf("%d lines", n)
	}
}
