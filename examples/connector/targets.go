package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/files"
	"github.com/mailstead/mailstead/deliver/pipe"
	"github.com/mailstead/mailstead/examples/connector/internal/settings"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// target makes the Receiver of a [targets.NAME].
func (g *generation) target(ctx context.Context, t *settings.Target) (smtp.Receiver, error) {
	switch t.Type {
	case "store":
		return g.storeTarget(ctx, t)
	case "maildir", "mbox":
		path, err := files.Template(t.Path, "")
		return &files.Target{Path: path, Hostname: g.s.Hostname}, err
	case "program":
		return g.programTarget(t)
	}
	relay, err := g.relay(t)
	if err != nil {
		return nil, err
	}
	var r smtp.Receiver
	switch t.Type {
	case "lmtp":
		r = &deliver.LMTP{Addr: t.Address, Relay: *relay}
	case "queue":
		r, err = g.queueTarget(ctx, t, relay)
	default:
		relay.Hosts = func(context.Context) ([]string, error) { return []string{t.Address}, nil }
		r = relay
	}
	if err != nil || t.ReversePath == "" {
		return r, err
	}
	return withReversePath(r, t.ReversePath)
}

// reversePath is a Receiver whose mail has another reverse-path.
type reversePath struct {
	next smtp.Receiver
	path smtp.ReversePath
}

func withReversePath(next smtp.Receiver, text string) (smtp.Receiver, error) {
	if text != "<>" {
		text = "<" + text + ">"
	}
	p, err := smtp.ParseReversePath(text, true)
	return &reversePath{next, p}, err
}

// Begin implements smtp.Receiver.
func (r *reversePath) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	changed := *m
	changed.ReversePath = r.path
	return r.next.Begin(ctx, &changed)
}

func (g *generation) programTarget(t *settings.Target) (smtp.Receiver, error) {
	p := &pipe.Target{Command: t.Command, Fields: pipe.ReturnPath | pipe.DeliveredTo, Hostname: g.s.Hostname, Logger: g.log}
	if t.RunAs != "" {
		var err error
		if p.UID, p.GID, err = settings.ParseIDs(t.RunAs); err != nil {
			return nil, err
		}
	}
	return p, p.Check()
}

// relay is how another server is reached.
func (g *generation) relay(t *settings.Target) (*deliver.Relay, error) {
	d := &smtpclient.Dialer{Hello: g.s.Hostname, TLS: smtpclient.TLSIfOffered, LMTP: t.Type == "lmtp"}
	switch t.TLS {
	case "none":
		d.TLS = smtpclient.TLSNever
	case "starttls":
		d.TLS = smtpclient.TLSRequired
	case "implicit":
		d.TLS = smtpclient.TLSImplicit
	}
	host, _, _ := net.SplitHostPort(t.Address)
	var err error
	d.TLSConfig, err = tlsConfig(tlsNeeds{host: host, name: t.TLSName, ca: t.TLSCA, insecure: t.TLSInsecure || d.TLS == smtpclient.TLSIfOffered && t.User == ""})
	if err != nil {
		return nil, err
	}
	relay := &deliver.Relay{Dialer: d, Pool: g.pool, PlaintextRetry: d.TLS == smtpclient.TLSIfOffered && t.User == ""}
	if t.User == "" {
		return relay, nil
	}
	password, err := t.Password.Reveal(t.PasswordEnv, os.Getenv)
	if err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	relay.Login = passwordLogin(t.User, password, isLoopback(t.Address) && t.TLS == "none")
	return relay, nil
}

// passwordLogin logs in by the best mechanism that a server offers; plain allows
// a password without TLS.
func passwordLogin(user, password string, plain bool) func(context.Context, *smtpclient.Client) error {
	account := login.Client{
		Credentials: saslmech.Credentials{Username: user, Password: password},
		Policy:      saslmech.Policy{AllowPlaintext: plain},
	}
	return func(ctx context.Context, c *smtpclient.Client) error {
		return account.Login(ctx, c.Capabilities().Mechanisms, c.TLS(), c.Auth)
	}
}

// tlsNeeds says whom a certificate has to be of.
type tlsNeeds struct {
	host, name, ca, cert, key, min string
	fingerprints                   []string
	insecure                       bool
}

// tlsConfig makes the configuration of a client.
func tlsConfig(n tlsNeeds) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: n.host, InsecureSkipVerify: n.insecure}
	if n.name != "" {
		c.ServerName = n.name
	}
	if n.min == "1.3" {
		c.MinVersion = tls.VersionTLS13
	}
	if n.ca != "" {
		pem, err := os.ReadFile(n.ca)
		if err != nil {
			return nil, err
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls-ca: %s has no certificate in it", n.ca)
		}
	}
	if n.cert != "" {
		pair, err := tls.LoadX509KeyPair(n.cert, n.key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if len(n.fingerprints) == 0 {
		return c, nil
	}
	return c, pinCertificate(c, n.fingerprints)
}

// errFingerprint: it is not the certificate that was expected.
var errFingerprint = errors.New("the server's certificate is none of tls-fingerprint")

// sortedNames are the keys of a map.
func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
