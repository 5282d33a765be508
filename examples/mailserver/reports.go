package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dmarc/report"
	"github.com/mailstead/mailstead/auth/dmarc/report/sqlreport"
	"github.com/mailstead/mailstead/auth/tlsrpt"
	"github.com/mailstead/mailstead/auth/tlsrpt/sqltlsrpt"
)

// reports are those that other domains get of this host each day: on the
// messages that said to be theirs (DMARC), and on TLS with their hosts.
type reports struct {
	dmarc    *report.Collector
	tls      *tlsrpt.Collector
	stored   report.Storage
	sessions tlsrpt.Storage

	sendDMARC *report.Sender
	sendTLS   *tlsrpt.Sender
}

// reportsFrom is the mailbox that reports come from, and the keys that sign them;
// no keys = none are to be sent. A report without a signature, or from a host that
// nobody knows, is worth nothing.
func (s *server) reportsFrom(ctx context.Context) (from string, keys []dkim.Key, err error) {
	from = cmp.Or(s.outbound.Reports.From, "postmaster@"+s.o.domains[0])
	domain := domainOf(from)
	if keys, err = s.keysFor(ctx, domain); err != nil {
		return "", nil, err
	}
	switch enabled := s.outbound.Reports.Enabled; {
	case enabled == nil && (!isPublic(s.o.hostname) || !isPublic(domain)), enabled != nil && !*enabled:
		return from, nil, nil
	case enabled != nil && len(keys) == 0:
		return "", nil, fmt.Errorf("%s: reports: no key of -dkim signs for %s", outboundFileName, domain)
	}
	return from, keys, nil
}

func domainOf(mailbox string) string {
	return strings.ToLower(mailbox[strings.LastIndexByte(mailbox, '@')+1:])
}

// openReports makes the senders, where reports are to be sent.
func (s *server) openReports(ctx context.Context) error {
	from, keys, err := s.reportsFrom(ctx)
	if err != nil || len(keys) == 0 {
		return err
	}
	stored, err := sqlreport.New(ctx, s.engine.db, sqlreport.Options{})
	if err != nil {
		return err
	}
	organization := cmp.Or(s.outbound.Reports.Organization, s.o.hostname)
	signer := &dkim.Signer{Keys: keys, Fields: append(dkim.DefaultFields(), "TLS-Report-Domain", "TLS-Report-Submitter")}
	sessions, err := sqltlsrpt.New(ctx, s.engine.db, sqltlsrpt.Options{})
	if err != nil {
		return err
	}
	r := &reports{
		dmarc: &report.Collector{Logger: s.log}, stored: stored, sessions: sessions,
		tls: &tlsrpt.Collector{Organization: organization, Contact: from, Submitter: domainOf(from)},
	}
	r.sendDMARC = &report.Sender{
		Checker: &dmarc.Checker{Resolver: s.dns}, Storage: stored, Receiver: s.queue, Signer: signer,
		Organization: organization, Email: from, Submitter: s.o.hostname, Logger: s.log,
	}
	r.sendTLS = &tlsrpt.Sender{Collector: r.tls, Storage: sessions, Resolver: s.dns, Receiver: s.queue, Signer: signer, From: from, Logger: s.log}
	if err := r.sendDMARC.Validate(); err != nil {
		return err
	}
	if err := r.sendTLS.Validate(); err != nil {
		return err
	}
	s.reports = r
	return nil
}

// sendReports sends what is due each day, until ctx ends.
func (s *server) sendReports(ctx context.Context) {
	r := s.reports
	if r == nil {
		return
	}
	s.wg.Go(func() { r.dmarc.Run(ctx, r.stored, 0) })
	s.wg.Go(func() { r.tls.Run(ctx, r.sessions, 0, s.log) })
	s.wg.Go(func() { r.sendDMARC.Run(ctx) })
	s.wg.Go(func() { r.sendTLS.Run(ctx) })
}

// keysFor are the keys of -dkim that sign for a domain.
func (s *server) keysFor(ctx context.Context, domain string) ([]dkim.Key, error) {
	return auth.KeysOf(s.o.keys)(ctx, domain)
}

// isPublic reports whether a name can be one that others know: neither one of
// those that stand for nobody (special-use domain names) nor a
// single label.
func isPublic(name string) bool {
	name = strings.ToLower(name)
	labels := strings.Split(name, ".")
	top := labels[len(labels)-1]
	second := strings.Join(labels[max(0, len(labels)-2):], ".")
	return len(labels) > 1 &&
		!slices.Contains([]string{"test", "example", "invalid", "localhost", "local", "localdomain", "internal", "lan", "home", "corp", "alt"}, top) &&
		!slices.Contains([]string{"example.com", "example.net", "example.org", "home.arpa"}, second)
}
