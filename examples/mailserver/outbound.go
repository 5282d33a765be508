package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/mtasts"
	"github.com/mailstead/mailstead/auth/mtasts/sqlsts"
	"github.com/mailstead/mailstead/deliver/dsn"
	"github.com/mailstead/mailstead/deliver/tlspolicy"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// openOutbound reads how mail goes out, and wires the queue.
func (s *server) openOutbound(ctx context.Context) (err error) {
	if s.outbound, err = readOutboundFile(s.o.data); err != nil {
		return err
	}
	if err = s.openPolicies(ctx); err != nil {
		return err
	}
	if err = s.policies.Validate(); err != nil {
		return fmt.Errorf("%s: %w", outboundFileName, err)
	}
	if err = s.checkRelayTLS(); err != nil {
		return err
	}
	if err = s.compose(); err != nil {
		return err
	}
	if err = s.openReports(ctx); err != nil {
		return err
	}
	if s.reports != nil {
		s.policies.Collector = s.reports.tls
	}
	return nil
}

// openPolicies makes the policies for TLS to MX hosts.
func (s *server) openPolicies(ctx context.Context) error {
	f := &s.outbound.TLS
	s.policies = &tlspolicy.Policies{Static: f.table, InsecureMX: f.InsecureMX}
	if isOn(f.DANE) {
		s.policies.DANE = s.dns
	}
	if isOn(f.MTASTS) {
		store, err := sqlsts.New(ctx, s.engine.db)
		if err != nil {
			return err
		}
		s.policies.STS = &mtasts.Cache{Resolver: s.dns, Store: store, Fetcher: s.fetcher(), Logger: s.log}
	}
	return nil
}

// fetcher fetches MTA-STS policies from hosts that the server of -resolver knows,
// where there is one.
func (s *server) fetcher() *mtasts.Fetcher {
	if s.o.resolver == "" {
		return &mtasts.Fetcher{}
	}
	dialer := &dnsx.Dialer{Resolver: s.dns, Net: &net.Dialer{Timeout: dialTime}}
	return &mtasts.Fetcher{Client: &http.Client{Transport: &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		DisableKeepAlives:      true, // one request a day
		MaxResponseHeaderBytes: 64 << 10,
	}}}
}

// refreshEvery is how often MTA-STS policies that are old are fetched again.
const refreshEvery = time.Hour

// refreshPolicies keeps MTA-STS policies alive until ctx ends. What fails is
// logged by the cache.
func (s *server) refreshPolicies(ctx context.Context) {
	if s.policies.STS == nil {
		return
	}
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_, _ = s.policies.STS.RefreshDue(ctx)
		}
	}
}

// checkRelayTLS refuses to show the password of -relay-user to whoever answers.
func (s *server) checkRelayTLS() error {
	static := s.outbound.TLS.relay
	if static == nil || s.o.relayUser == "" || isLoopback(s.o.relay) {
		return nil
	}
	if checksCertificate(static.Level) {
		return nil
	}
	return fmt.Errorf("%s: tls.relay: -relay-user needs verify, secure or fingerprint, or anybody could ask for the password", outboundFileName)
}

// relayTLS makes the dialer of the smart host do what outbound.toml says of it.
func (s *server) relayTLS(d *smtpclient.Dialer, host string) {
	if static := s.outbound.TLS.relay; static != nil {
		applyTLS(d, static, host)
	}
}

// applyTLS makes a dialer do what the operator says of a host.
func applyTLS(d *smtpclient.Dialer, static *tlspolicy.Static, host string) {
	rule := static.Rule(host, nil)
	d.TLSConfig = rule.Config
	switch {
	case d.TLS == smtpclient.TLSImplicit:
	case static.Level == tlspolicy.None:
		d.TLS = smtpclient.TLSNever
	case rule.Required:
		d.TLS = smtpclient.TLSRequired
	default:
		d.TLS = smtpclient.TLSIfOffered
	}
}

// dsnSigner signs the DSNs of the queue, where there is a key for the host's
// domain.
func (s *server) dsnSigner() dsn.Signer {
	keys, err := s.keysFor(context.Background(), s.o.hostname)
	if err != nil || len(keys) == 0 {
		return nil
	}
	return signerOf(keys)
}
