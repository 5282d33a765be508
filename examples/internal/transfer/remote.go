package transfer

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
	"strconv"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/deliver/migrate/imapaccount"
	"github.com/mailstead/mailstead/deliver/migrate/pop3account"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/pop3/pop3client"
)

// imap opens an account of an IMAP server.
func (env *Env) imap(ctx context.Context, p *Place, side *answer.MigratePlace) (*opened, error) {
	cfg, who, err := p.secure(side)
	if err != nil {
		return nil, err
	}
	d := &imapclient.Dialer{TLS: imapclient.TLSRequired, TLSConfig: cfg, Auth: who, Compress: true, ID: map[string]string{"name": "mailctl"}}
	switch {
	case p.Kind == IMAPS:
		d.TLS = imapclient.TLSImplicit
	case p.NoTLS:
		d.TLS = imapclient.TLSNever
	}
	a, err := imapaccount.New(ctx, imapaccount.Options{
		Name: p.serverName(),
		Dial: func(ctx context.Context) (*imapclient.Client, error) { return d.Dial(ctx, "tcp", p.Addr) },
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.serverName(), err)
	}
	return &opened{Source: a}, nil
}

// pop3 opens the maildrop of a POP3 server.
func (env *Env) pop3(p *Place, side *answer.MigratePlace) (*opened, error) {
	cfg, who, err := p.secure(side)
	if err != nil {
		return nil, err
	}
	d := &pop3client.Dialer{TLS: pop3client.TLSRequired, TLSConfig: cfg, Login: who.Login, UTF8: true}
	switch {
	case p.Kind == POP3S:
		d.TLS = pop3client.TLSImplicit
	case p.NoTLS:
		d.TLS = pop3client.TLSNever
	}
	return &opened{Source: pop3account.New(pop3account.Options{
		Name: p.serverName(),
		Dial: func(ctx context.Context) (*pop3client.Client, error) { return d.Dial(ctx, "tcp", p.Addr) },
	})}, nil
}

// serverName is the account for ever: IMAP is IMAP, with TLS from the beginning or
// not. A port that is neither's is another server.
func (p *Place) serverName() string {
	kind, host := IMAP, p.Host
	if p.Kind == POP3 || p.Kind == POP3S {
		kind = POP3
	}
	if port := p.URL.Port(); port != "" && port != ports[p.Kind] {
		host = p.Addr
	}
	return fmt.Sprintf("%s://%s@%s/", kind, p.User, host)
}

// secure says whose certificates are good enough, and with what to log in.
func (p *Place) secure(side *answer.MigratePlace) (*tls.Config, login.Client, error) {
	password := cmp.Or(side.Password, p.Password)
	if password == "" && side.Token == "" {
		return nil, login.Client{}, &UseError{p.serverName() + ": there is no password and no token"}
	}
	cfg := &tls.Config{InsecureSkipVerify: side.Insecure}
	if side.CA != "" {
		pem, err := os.ReadFile(side.CA)
		if err != nil {
			return nil, login.Client{}, err
		}
		if cfg.RootCAs = x509.NewCertPool(); !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, login.Client{}, &UseError{"there is no certificate in " + side.CA}
		}
	}
	port, _ := strconv.Atoi(p.URL.Port())
	return cfg, login.Client{
		Credentials: saslmech.Credentials{Username: p.User, Password: password, Token: side.Token, Host: p.Host, Port: port},
		Policy:      saslmech.Policy{AllowPlaintext: p.NoTLS},
	}, nil
}

// loopback reports a host that no packet leaves this one for.
func (p *Place) loopback() bool {
	ip, err := netip.ParseAddr(p.Host)
	return p.Host == "localhost" || err == nil && ip.IsLoopback()
}
