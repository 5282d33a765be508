package main

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/examples/internal/program"
	"github.com/mailstead/mailstead/smtp"
)

// check fills in what depends on other flags, and refuses what cannot work.
func (o *options) check() error {
	if len(o.domains) == 0 {
		o.domains = program.List{"example.org"}
	}
	if o.hostname == "" {
		o.hostname = "mail." + o.domains[0]
	}
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return errors.New("-tls-cert and -tls-key need each other")
	}
	for _, check := range []func() error{o.checkNames, o.checkListeners, o.checkUsers, o.checkRelay, o.checkStore, o.checkDKIM, o.checkAuth, o.checkJournal, o.checkSent} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkNames: names that stand in replies and trace fields are domains
// (RFC 5321 §4.1.2).
func (o *options) checkNames() error {
	for _, d := range o.domains {
		if !isDomain(d) {
			return fmt.Errorf("-domain: %q is not a domain", d)
		}
	}
	if !isDomain(o.hostname) {
		return fmt.Errorf("-hostname: %q is not a host name", o.hostname)
	}
	return nil
}

func isDomain(s string) bool {
	p, err := smtp.ParseMailbox("postmaster@"+s, true)
	return err == nil && p.Domain == s
}

func (o *options) checkListeners() error {
	for _, l := range listeners {
		addr := *o.listen[l.name]
		if addr == "off" || addr == "" {
			*o.listen[l.name] = "off"
			continue
		}
		if _, port, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("-%s: %q is not host:port or off", l.name, addr)
		} else if _, err := net.LookupPort("tcp", port); err != nil {
			return fmt.Errorf("-%s: bad port in %q", l.name, addr)
		}
	}
	return nil
}

// checkUsers never shows what it refuses: it may be a password.
func (o *options) checkUsers() error {
	for _, u := range o.users {
		name, password, ok := strings.Cut(u, ":")
		if !ok || password == "" || !isAddress(name) {
			return errors.New("-user: want NAME:PASSWORD with NAME a whole address")
		}
	}
	for i, address := range o.shared {
		name, err := login.Canonical(address)
		if err != nil || !isAddress(name) {
			return fmt.Errorf("-shared: %q is not the whole address of an account", address)
		}
		o.shared[i] = name
	}
	return nil
}

// isAddress reports whether the name of an account is a whole address.
func isAddress(name string) bool {
	at := strings.LastIndexByte(name, '@')
	return at > 0 && at < len(name)-1
}

func (o *options) checkRelay() error {
	for _, f := range [...]struct{ name, addr string }{{"relay", o.relay}, {"resolver", o.resolver}} {
		if f.addr == "" {
			continue
		}
		host, port, err := net.SplitHostPort(f.addr)
		if err == nil {
			_, err = net.LookupPort("tcp", port)
		}
		if err != nil || host == "" || port == "" {
			return fmt.Errorf("-%s: %q is not HOST:PORT", f.name, f.addr)
		}
	}
	if o.relayUser != "" && (o.relay == "" || !strings.Contains(o.relayUser, ":")) {
		return errors.New("-relay-user: want NAME:PASSWORD, and -relay")
	}
	return nil
}

// loopback reports whether every open listener is on a loopback address.
func (o *options) loopback() bool {
	for _, addr := range o.listen {
		if *addr != "off" && !isLoopback(*addr) {
			return false
		}
	}
	return true
}

func isLoopback(addr string) bool {
	host, _, _ := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
