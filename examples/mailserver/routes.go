package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/route"
	"github.com/mailstead/mailstead/deliver/tlspolicy"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// targetFile is a host that takes mail for itself: exactly one of SMTP and LMTP
// is set.
type targetFile struct {
	SMTP         string    `toml:"smtp"` // host:port
	LMTP         string    `toml:"lmtp"` // host:port, or the path of a socket
	TLS          *tlsEntry `toml:"tls"`  // default: verify with a user, else opportunistic
	User         string    `toml:"user"`
	PasswordFile string    `toml:"password-file"` // a relative name is in the data directory
	static       *tlspolicy.Static
	password     string
}

// routeFile is a row of route.Config.
type routeFile struct {
	Recipient string `toml:"recipient"`
	Sender    string `toml:"sender"`
	To        string `toml:"to"`
}

// compile reads the password and checks the rest. No error shows it.
func (t *targetFile) compile(dir string) error {
	if (t.SMTP == "") == (t.LMTP == "") {
		return errors.New("smtp or lmtp says where it is")
	}
	if addr := t.SMTP + t.LMTP; t.SMTP != "" || !strings.HasPrefix(addr, "/") {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("%q is not host:port", addr)
		}
	}
	entry := t.TLS
	switch {
	case entry != nil:
	case t.User != "":
		entry = &tlsEntry{Level: tlspolicy.Verify.String()}
	default:
		entry = &tlsEntry{}
	}
	var err error
	if t.static, err = entry.static(); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	if t.static.Level == tlspolicy.DANEOnly {
		return errors.New("tls: dane-only goes with MX hosts only")
	}
	if t.User == "" {
		return nil
	}
	if !checksCertificate(t.static.Level) {
		return errors.New("tls: a password needs verify, secure or fingerprint, or anybody could ask for it")
	}
	path := t.PasswordFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("password-file: %w", err)
	}
	t.password = strings.TrimRight(string(text), "\r\n")
	return nil
}

// checksCertificate reports a level that tells the host from whoever answers.
func checksCertificate(l tlspolicy.Level) bool {
	return l == tlspolicy.Verify || l == tlspolicy.Secure || l == tlspolicy.Fingerprint
}

// compileRoutes checks targets; the rows are checked with the table.
func (f *outboundFile) compileRoutes(dir string) error {
	for name, t := range f.Targets {
		if err := t.compile(dir); err != nil {
			return fmt.Errorf("targets.%s: %w", name, err)
		}
	}
	return nil
}

// routes are the next hops of the table of outbound.toml in front of hops, and
// the directory as it sees it.
func (s *server) routes(hops deliver.NextHops) (deliver.NextHops, deliver.Directory, error) {
	f := s.outbound
	if len(f.Routes) == 0 && len(f.Targets) == 0 {
		return hops, s.directory, nil
	}
	c := route.Config{Targets: map[string]route.Target{}, Default: hops, Self: []string{s.o.hostname}}
	for name, t := range f.Targets {
		c.Targets[name] = s.target(t)
	}
	for _, r := range f.Routes {
		c.Rows = append(c.Rows, route.Row{Recipient: r.Recipient, Sender: r.Sender, To: r.To})
	}
	for _, name := range [...]string{"smtp", "submission", "submissions", "lmtp"} {
		if addr := *s.o.listen[name]; addr != "off" {
			c.Self = append(c.Self, addr)
		}
	}
	table, err := route.New(c)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: routes: %w", outboundFileName, err)
	}
	return table, table.Directory(s.directory), nil
}

// target is the way to a host of the table. Each has connections of its own:
// those of a pool are alike in TLS and login.
func (s *server) target(t *targetFile) route.Target {
	dialer := &smtpclient.Dialer{Hello: s.o.hostname, Net: s.hostDialer(), TLSConfig: &tls.Config{InsecureSkipVerify: true}}
	addr := t.SMTP + t.LMTP
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host = s.o.hostname // the socket of a program on this host
	}
	if t.SMTP != "" && port == "465" {
		dialer.TLS = smtpclient.TLSImplicit
	}
	applyTLS(dialer, t.static, host)
	pool := &smtpclient.Pool{}
	s.pools = append(s.pools, pool)
	relay := deliver.Relay{Dialer: dialer, Pool: pool}
	if t.User != "" {
		client := login.Client{Credentials: saslmech.Credentials{Username: t.User, Password: t.password}}
		relay.Login = func(ctx context.Context, c *smtpclient.Client) error {
			return client.Login(ctx, c.Capabilities().Mechanisms, c.TLS(), c.Auth)
		}
	}
	if t.LMTP != "" {
		return route.Target{Hops: &deliver.LMTP{Addr: addr, Relay: relay}, Name: deliver.NextHopLocal, Addrs: []string{addr}}
	}
	return route.Target{Hops: &deliver.SmartHost{Addr: addr, Relay: relay}}
}
