package imapclient_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imaptest"
	"github.com/mailstead/mailstead/store"
)

// visitor is who logs in to imaptest's server.
func visitor() imapclient.Authenticator {
	return login.Client{
		Credentials: saslmech.Credentials{Username: imaptest.User, Password: imaptest.Password},
		Policy:      saslmech.Policy{AllowPlaintext: true},
	}
}

// visit uses the client as imaptest wants it.
func visit(ctx context.Context, conn net.Conn, tlsConfig *tls.Config) (map[imap.UID]string, error) {
	d := imapclient.Dialer{TLS: imapclient.TLSNever, Auth: visitor()}
	if tlsConfig != nil {
		d.TLS, d.TLSConfig = imapclient.TLSRequired, tlsConfig
	}
	c, err := d.NewClient(ctx, conn, imaptest.Host)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if _, err := c.List(ctx, imap.ListOptions{}); err != nil {
		return nil, err
	}
	if _, err := c.Select(ctx, imap.Inbox, imapclient.SelectOptions{}); err != nil {
		return nil, err
	}
	got := map[imap.UID]string{}
	o := imap.FetchOptions{Sections: []imap.Section{{Peek: true}}}
	for m, err := range c.Fetch(ctx, store.AllUIDs(), o) {
		if err != nil {
			return nil, err
		}
		body, err := m.Body()
		if err != nil {
			return nil, err
		}
		var text strings.Builder
		if n, err := io.Copy(&text, io.LimitReader(body, 1<<20)); err != nil {
			return nil, err
		} else if n == 1<<20 {
			return nil, errors.New("too large")
		}
		got[m.UID] = text.String()
	}
	return got, c.Logout(ctx)
}

func TestHostileServers(t *testing.T) { imaptest.TestClient(t, visit) }
