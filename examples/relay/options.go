package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/examples/internal/program"
)

// options is what the command line and the environment say.
type options struct {
	data, hostname                string
	submission, submissions, http string
	users, trust, dkim            program.List
	tlsCert, tlsKey               string
	relay, relayUser, resolver    string
	expire                        time.Duration
	maxConnections                int
	maxMessage                    int64
	plaintextAuth, ownAddress     bool

	trusted []netip.Prefix
	keys    []dkim.Key
}

func parse(args []string, getenv func(string) string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("relay", flag.ContinueOnError)
	fs.StringVar(&o.data, "data", "./relay-data", "`directory` of the queue, the users and the certificate; created when missing")
	fs.StringVar(&o.hostname, "hostname", "localhost", "`name` of this host in greetings, trace fields and reports")
	fs.StringVar(&o.submission, "submission", "127.0.0.1:2587", "`host:port` or off: takes mail, with STARTTLS and AUTH")
	fs.StringVar(&o.submissions, "submissions", "off", "`host:port` or off: the same with TLS from the first octet")
	fs.StringVar(&o.http, "http", "127.0.0.1:8025", "`host:port` or off: /healthz, /debug/vars and, on loopback, /debug/pprof")
	fs.Var(&o.users, "user", "`NAME:PASSWORD` of somebody who may send; repeatable")
	fs.Var(&o.trust, "trust", "`prefix` of clients who may send without AUTH, such as 10.0.0.0/8; repeatable (default, without -user: loopback)")
	fs.BoolVar(&o.ownAddress, "own-address", false, "users write only as the address that is their name")
	fs.StringVar(&o.relay, "relay", "", "smart host `HOST:PORT` (default: the MX hosts of each domain)")
	fs.StringVar(&o.relayUser, "relay-user", "", "`NAME:PASSWORD` for the smart host")
	fs.StringVar(&o.resolver, "resolver", "", "DNS resolver `HOST:PORT` (default: the system's)")
	fs.Var(&o.dkim, "dkim", "sign with `DOMAIN:SELECTOR:KEYFILE`; repeatable")
	fs.StringVar(&o.tlsCert, "tls-cert", "", "PEM `file` with the certificate chain, reloaded on change (default: self-signed, in the data directory)")
	fs.StringVar(&o.tlsKey, "tls-key", "", "PEM `file` with the private key")
	fs.DurationVar(&o.expire, "expire", 5*24*time.Hour, "age at which a message is given up, and its sender told")
	fs.IntVar(&o.maxConnections, "max-connections", 1000, "greatest `number` of connections of each listener")
	fs.Int64Var(&o.maxMessage, "max-message", 35_000_000, "greatest message in octets")
	fs.BoolVar(&o.plaintextAuth, "plaintext-auth", false, "allow passwords without TLS (for test tools)")
	if err := program.Parse(fs, args, getenv); err != nil {
		return nil, err
	}
	return o, o.check()
}

// check refuses what cannot work, before anything is opened.
func (o *options) check() error {
	switch {
	case (o.tlsCert == "") != (o.tlsKey == ""):
		return errors.New("-tls-cert and -tls-key need each other")
	case o.relayUser != "" && o.relay == "":
		return errors.New("-relay-user needs -relay")
	case o.relayUser != "" && !strings.Contains(o.relayUser, ":"):
		return errors.New("-relay-user is not NAME:PASSWORD")
	case o.expire <= 0:
		return errors.New("-expire has to be positive")
	}
	if o.relay != "" {
		if host, port, err := net.SplitHostPort(o.relay); err != nil || host == "" || port == "" {
			return fmt.Errorf("-relay: %q is not HOST:PORT", o.relay)
		}
	}
	for _, u := range o.users {
		if name, password, _ := strings.Cut(u, ":"); name == "" || password == "" {
			return errors.New("-user: NAME:PASSWORD is needed")
		}
	}
	for _, v := range o.dkim {
		key, err := program.DKIMKey(v)
		if err != nil {
			return fmt.Errorf("-dkim: %w", err)
		}
		o.keys = append(o.keys, key)
	}
	if err := o.checkListeners(); err != nil {
		return err
	}
	return o.checkTrust()
}

// checkListeners refuses what is no address. Some listener takes mail.
func (o *options) checkListeners() error {
	for name, addr := range map[string]string{"submission": o.submission, "submissions": o.submissions, "http": o.http} {
		if _, _, err := net.SplitHostPort(addr); err != nil && addr != "off" {
			return fmt.Errorf("-%s: %q is neither host:port nor off", name, addr)
		}
	}
	if o.submission == "off" && o.submissions == "off" {
		return errors.New("-submission and -submissions are both off: nobody can send")
	}
	return nil
}

// checkTrust reads the prefixes. Without users and prefixes whoever reaches
// loopback may send, but only where nobody else reaches a listener.
func (o *options) checkTrust() error {
	if len(o.users) == 0 && len(o.trust) == 0 {
		if !o.onLoopback() {
			return errors.New("who may send? -user or -trust is needed where a listener is not on loopback")
		}
		o.trust = program.List{"127.0.0.0/8", "::1/128"}
	}
	for _, v := range o.trust {
		p, err := netip.ParsePrefix(v)
		if err != nil {
			return fmt.Errorf("-trust: %q is not a prefix, such as 10.0.0.0/8", v)
		}
		o.trusted = append(o.trusted, p)
	}
	return nil
}

func (o *options) onLoopback() bool {
	for _, addr := range []string{o.submission, o.submissions} {
		if addr != "off" && !isLoopback(addr) {
			return false
		}
	}
	return true
}

// isLoopback reports whether only this machine reaches "host:port".
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
