package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/deliver/fetch/imapsource"
	"github.com/mailstead/mailstead/deliver/fetch/pop3source"
	"github.com/mailstead/mailstead/examples/connector/internal/settings"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/pop3/pop3client"
)

// dialTime bounds a connection to a server.
const dialTime = 30 * time.Second

// mailbox is how a source is reached, whatever it speaks.
type mailbox struct {
	src   *settings.Source
	addr  string
	net   *net.Dialer
	tls   *tls.Config
	login login.Client
}

// opener makes the function that opens sessions of a source.
func (g *generation) opener(src *settings.Source) (func(context.Context) (fetch.Session, error), error) {
	config, err := tlsConfig(tlsNeeds{
		host: src.Host, name: src.TLSName, ca: src.TLSCA, cert: src.TLSCert, key: src.TLSKey, min: src.TLSMin,
		fingerprints: src.TLSFingerprint, insecure: src.TLSInsecure,
	})
	if err != nil {
		return nil, err
	}
	m := &mailbox{
		src: src, addr: net.JoinHostPort(src.Host, strconv.Itoa(src.Port)), net: &net.Dialer{Timeout: dialTime}, tls: config,
	}
	if m.login, err = g.login(src); err != nil {
		return nil, err
	}
	if src.IsIMAP() {
		return m.imap(g.log).Open, nil
	}
	return m.pop3().Open, nil
}

func (m *mailbox) pop3() *pop3source.Source {
	d := &pop3client.Dialer{Net: m.net, TLSConfig: m.tls, Login: m.login.Login, UTF8: true}
	switch m.src.TLS {
	case "implicit":
		d.TLS = pop3client.TLSImplicit
	case "starttls":
		d.TLS = pop3client.TLSRequired
	default:
		d.TLS = pop3client.TLSNever
	}
	if m.src.APOP {
		d.APOP = &pop3client.Password{Username: m.src.User, Password: m.login.Credentials.Password}
	}
	return &pop3source.Source{Addr: m.addr, Dialer: d, NoIDs: m.src.NoIDs}
}

func (m *mailbox) imap(log *slog.Logger) *imapsource.Source {
	d := &imapclient.Dialer{Net: m.net, TLSConfig: m.tls, Auth: m.login, ID: map[string]string{"name": "Mailstead connector"}}
	switch m.src.TLS {
	case "implicit":
		d.TLS = imapclient.TLSImplicit
	case "starttls":
		d.TLS = imapclient.TLSRequired
	default:
		d.TLS = imapclient.TLSNever
	}
	keep := m.src.Keep()
	keep.Elsewhere = false
	return &imapsource.Source{
		Addr: m.addr, Dialer: d, Mailboxes: m.src.Folders, Except: m.src.Except, MoveTo: m.src.MoveTo,
		ReadOnly: keep == fetch.Keep{Always: true},
		OnRefused: func(mailbox string, err error) {
			log.Warn("a folder cannot be opened", "source", m.src.Name, "folder", mailbox, "error", err)
		},
	}
}

// login is who logs in at a source. Without TLS passwords travel in the clear,
// as the configuration has said, but not where APOP can be had in place of that.
func (g *generation) login(src *settings.Source) (login.Client, error) {
	c := login.Client{
		Credentials: saslmech.Credentials{Username: src.User, Host: src.Host, Port: src.Port},
		Policy:      saslmech.Policy{AllowPlaintext: src.TLS == "none" && !src.APOP},
	}
	if src.OAuth != "" {
		tokens, err := g.tokenSource(src)
		c.Tokens = tokens
		return c, err
	}
	password, err := src.Password.Reveal(src.PasswordEnv, os.Getenv)
	if err != nil {
		return c, fmt.Errorf("password: %w", err)
	}
	c.Credentials.Password = password
	return c, nil
}

// tokenSource is the source of an [oauth.NAME]. All that use it share it: two
// would spend each other's refresh tokens.
func (g *generation) tokenSource(src *settings.Source) (login.TokenSource, error) {
	o, key := g.s.OAuth[src.OAuth], src.OAuth
	if o.Provider == "google-service" { // a token speaks for one mailbox
		key += " " + src.User
	}
	if tokens := g.tokens[key]; tokens != nil {
		return tokens, nil
	}
	tokens, err := tokenSource(o, src.User)
	if err != nil {
		return nil, fmt.Errorf("oauth.%s: %w", src.OAuth, err)
	}
	g.tokens[key] = tokens
	return tokens, nil
}
