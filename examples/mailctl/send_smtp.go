package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// connection is how a server is spoken to.
type connection struct {
	User     string `help:"Log in as this user." placeholder:"NAME"`
	Password string `help:"The password; @FILE keeps it out of the list of processes." placeholder:"TEXT"`
	Token    string `help:"An OAuth access token instead of a password; @FILE likewise." placeholder:"TEXT"`
	TLS      string `name:"tls" help:"auto: as the scheme of the URL says; required: STARTTLS, and a certificate that can be verified; off." enum:"auto,required,off" default:"auto"`
	CA       string `name:"ca" help:"PEM file with the certificates that vouch for the server, instead of the system's." placeholder:"FILE"`
	Insecure bool   `help:"Do not verify the server's certificate."`
	Hello    string `help:"What this host calls itself; its name without." placeholder:"NAME"`
}

// protocols are the schemes of --server.
var protocols = map[string]struct {
	port   string
	tls    smtpclient.TLSMode
	verify bool // the certificate, also where --tls does not say so
	lmtp   bool
}{
	"smtp":        {"25", smtpclient.TLSIfOffered, false, false}, // RFC 7435
	"submission":  {"587", smtpclient.TLSRequired, true, false},
	"submissions": {"465", smtpclient.TLSImplicit, true, false},
	"smtps":       {"465", smtpclient.TLSImplicit, true, false},
	"lmtp":        {"24", smtpclient.TLSIfOffered, false, true},
}

// route is the way to a server.
type route struct {
	scheme, network, addr string
	dialer                *smtpclient.Dialer
	login                 *login.Client // nil = nobody logs in
}

func (r *route) String() string {
	if r.network == "unix" {
		return r.scheme + ":" + r.addr
	}
	return r.scheme + "://" + r.addr
}

// route reads a URL. No error shows what is in it: there may be a password.
func (c *connection) route(text string) (*route, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, &useError{"--server is no URL"}
	}
	p, ok := protocols[u.Scheme]
	if !ok {
		return nil, &useError{"--server begins with smtp:, submission:, submissions: or lmtp:"}
	}
	r := &route{scheme: u.Scheme, network: "tcp"}
	switch {
	case p.lmtp && u.Host == "" && u.Path != "":
		r.network, r.addr = "unix", u.Path
	case u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, &useError{"--server: want SCHEME://[USER@]HOST[:PORT]"}
	default:
		port := u.Port()
		if port == "" {
			port = p.port
		}
		r.addr = net.JoinHostPort(u.Hostname(), port)
	}
	r.dialer = &smtpclient.Dialer{Hello: c.hostname(), LMTP: p.lmtp, TLS: p.tls}
	user := c.User
	if u.User != nil && user == "" {
		user = u.User.Username()
		if word, ok := u.User.Password(); ok && c.Password == "" {
			c.Password = word
		}
	}
	if err := c.secure(r, p.verify || user != ""); err != nil {
		return nil, err
	}
	return r, c.logIn(r, user, u)
}

// secure sets what TLS has to be.
func (c *connection) secure(r *route, verify bool) (err error) {
	d := r.dialer
	switch {
	case c.TLS == "off" && d.TLS == smtpclient.TLSImplicit:
		return &useError{"--tls=off does not go with " + r.scheme + ":"}
	case c.TLS == "off":
		d.TLS = smtpclient.TLSNever
	case c.TLS == "required" || verify && r.network == "tcp" && !onThisHost(r.addr):
		verify = true
		if d.TLS == smtpclient.TLSIfOffered {
			d.TLS = smtpclient.TLSRequired
		}
	}
	d.TLSConfig, err = c.tlsConfig(verify || c.CA != "")
	return err
}

// tlsConfig says whose certificates are good enough.
func (c *connection) tlsConfig(verify bool) (*tls.Config, error) {
	cfg := &tls.Config{InsecureSkipVerify: c.Insecure || !verify}
	if c.CA == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, &useError{"--ca: " + err.Error()}
	}
	if cfg.RootCAs = x509.NewCertPool(); !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, &useError{"--ca: there is no certificate in " + c.CA}
	}
	return cfg, nil
}

func (c *connection) logIn(r *route, user string, u *url.URL) error {
	if user == "" {
		if c.Password != "" || c.Token != "" {
			return &useError{"a password or a token needs --user"}
		}
		return nil
	}
	if c.Password == "" && c.Token == "" {
		return &useError{"--user needs --password or --token"}
	}
	port, _ := strconv.Atoi(u.Port())
	r.login = &login.Client{
		Credentials: saslmech.Credentials{Username: user, Password: c.Password, Token: c.Token, Host: u.Hostname(), Port: port},
		Policy:      saslmech.Policy{AllowPlaintext: r.network == "unix" || onThisHost(r.addr)},
	}
	return nil
}

// onThisHost reports an address that no packet leaves this host for.
func onThisHost(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// dial connects and logs in.
func (r *route) dial(ctx context.Context) (*smtpclient.Client, error) {
	c, err := r.dialer.Dial(ctx, r.network, r.addr)
	if err != nil || r.login == nil {
		return c, err
	}
	if err := r.login.Login(ctx, c.Capabilities().Mechanisms, c.TLS(), c.Auth); err != nil {
		return nil, errors.Join(fmt.Errorf("login: %w", err), c.Close())
	}
	return c, nil
}

// sending is a Receiver that sends at once, and notes what became of each
// recipient.
type sending struct {
	way *route
	x   *sent
}

// Begin implements smtp.Receiver.
func (s *sending) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return &sendTransaction{sending: s, env: smtp.Envelope{Mail: m}}, nil
}

type sendTransaction struct {
	*sending
	env smtp.Envelope
}

// Rcpt implements smtp.Transaction.
func (t *sendTransaction) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	t.env.Recipients = append(t.env.Recipients, rs...)
	return make([]error, len(rs))
}

// Abort implements smtp.Transaction.
func (t *sendTransaction) Abort() {}

// Data sends the message, over as many connections as the server's limits need.
func (t *sendTransaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	spooled, err := smtp.Spool(b, smtp.SpoolOptions{})
	if err != nil {
		return nil, err
	}
	defer spooled.Close()
	todo := make([]int, len(t.env.Recipients)) // places of recipients
	for i := range todo {
		todo[i] = i
	}
	for len(todo) > 0 {
		rest := t.attempt(ctx, todo, spooled.Body())
		if len(rest) == len(todo) {
			break // no connection takes any of them
		}
		todo = rest
	}
	return smtp.Accepted(len(t.env.Recipients)), nil
}

// attempt sends to the recipients at these places, and returns those that need
// another connection.
func (t *sendTransaction) attempt(ctx context.Context, todo []int, b *smtp.Body) (rest []int) {
	c, err := t.way.dial(ctx)
	if err != nil {
		for _, i := range todo {
			t.x.Recipients[i].refused(err)
		}
		return nil
	}
	defer func() { _ = c.Quit(context.WithoutCancel(ctx)) }() // the outcome stands
	env := smtp.Envelope{Mail: t.env.Mail}
	for _, i := range todo {
		env.Recipients = append(env.Recipients, t.env.Recipients[i])
	}
	res, err := c.Send(ctx, &env, b)
	if t.x.QueueID == "" {
		t.x.QueueID = res.QueueID
	}
	for n, r := range res.Recipients {
		t.x.Recipients[todo[n]].outcome(&r, err)
		if errors.Is(r.Err, smtpclient.ErrMailLimit) || errors.Is(r.Err, smtpclient.ErrDomainLimit) {
			rest = append(rest, todo[n])
		}
	}
	return rest
}

func (d *delivery) outcome(r *smtpclient.RcptResult, broke error) {
	*d = delivery{Address: d.Address, Outcome: r.Outcome.String(), Command: r.Command}
	switch {
	case r.Err != nil:
		d.Error = r.Err.Error()
	case !r.Reply.IsZero():
		d.Reply = r.Reply.String()
	case broke != nil:
		d.Error = broke.Error()
	}
}

// refused notes why nobody was asked to take the message.
func (d *delivery) refused(err error) {
	*d = delivery{Address: d.Address, Outcome: smtpclient.Deferred.String(), Error: err.Error()}
	if smtp.IsPermanent(err) {
		d.Outcome = smtpclient.Failed.String()
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		d.Error += " (--ca FILE names who vouches for it, --insecure accepts it)"
	}
}

// hand gives the message to a receiver, and notes whom it refuses.
func hand(ctx context.Context, r smtp.Receiver, l *letter, x *sent) error {
	tx, err := r.Begin(ctx, l.mail)
	if err != nil {
		return err
	}
	defer tx.Abort()
	var taken []int
	for i := 0; i < len(l.rcpt); i += 100 {
		group := l.rcpt[i:min(i+100, len(l.rcpt))]
		for n, err := range tx.Rcpt(ctx, group) {
			if err != nil {
				x.Recipients[i+n].refused(err)
			} else {
				taken = append(taken, i+n)
			}
		}
	}
	if len(taken) == 0 {
		return nil
	}
	statuses, err := tx.Data(ctx, l.text.body())
	for n, i := range taken {
		d := &x.Recipients[i]
		switch {
		case err != nil:
			d.refused(err)
		case d.Outcome != "":
		case n < len(statuses) && statuses[n].Err != nil:
			d.refused(statuses[n].Err)
		default:
			d.Outcome = "queued"
		}
	}
	return nil
}
