package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// greet prints how to use the server.
func (s *server) greet(w io.Writer) {
	fmt.Fprintf(w, "Mailstead is running for %s; data in %s.\n\n", strings.Join(s.o.domains, ", "), s.o.data)
	addr := make(map[string]string) // of the open listeners
	for _, p := range s.parts {
		if p.name == controlName {
			continue // for mailctl
		}
		addr[p.name] = p.l.Addr().String()
		fmt.Fprintf(w, "  %-12s %s\n", p.name, addr[p.name])
	}
	s.greetAccounts(w)
	name := "NAME@" + s.o.domains[0]
	if len(s.accounts) > 0 {
		name = s.accounts[0].name
	}
	if a := addr["smtp"]; a != "" {
		fmt.Fprintf(w, "\nSend:  swaks --server %s --from you@example.com --to %s\n", a, name)
	}
	if a := addr["imap"]; a != "" {
		fmt.Fprintf(w, "Read:  curl -k --ssl-reqd -u '%s:PASSWORD' 'imap://%s/INBOX;MAILINDEX=1'\n", name, a)
	}
	if a := addr["http"]; a != "" {
		fmt.Fprintf(w, "Web:   http://%s/healthz\n", a)
	}
	fmt.Fprintln(w)
}

// greetAccounts prints passwords only of the accounts made by the first run.
func (s *server) greetAccounts(w io.Writer) {
	switch {
	case s.firstRun:
		fmt.Fprintf(w, "\nAccounts (passwords are in %s):\n", filepath.Join(s.o.data, firstRunFile))
		for _, a := range s.accounts {
			fmt.Fprintf(w, "  %s  %s\n", a.name, a.password)
		}
	case len(s.accounts) == 0:
		fmt.Fprint(w, "\nNo account is made, since a listener is open to the network: use -user.\n")
	}
}
