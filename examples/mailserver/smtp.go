package main

import (
	"context"
	"crypto/tls"
	"net"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/dsn"
	"github.com/mailstead/mailstead/deliver/tlspolicy"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// maxMessage is the greatest message of SMTP and IMAP APPEND alike, in octets.
const maxMessage = 35_000_000

// storeExtensions is what local delivery supports. What required TLS on its way
// here has arrived (RFC 8689 §4.4).
const storeExtensions = smtpserver.DefaultExtensions | smtpserver.SMTPUTF8 | smtpserver.LIMITS | smtpserver.REQUIRETLS

// queueExtensions is what the queue supports: it reports as DSN asks for, and
// keeps to the times of DELIVERBY.
const queueExtensions = storeExtensions | smtpserver.DSN | smtpserver.DELIVERBY

// maxPriority is the most urgent that a user may make a message (RFC 6710).
const maxPriority = 4

// extensions adds what depends on how bodies are kept.
func (s *server) extensions(ext smtpserver.Extensions) smtpserver.Extensions {
	if !s.engine.lines {
		ext |= smtpserver.BINARYMIME
	}
	return ext
}

// compose wires queue, router and local delivery. The queue keeps its bodies
// where the store has its own, so a delivered message is written once.
func (s *server) compose() error {
	s.outgoing = &smtpclient.Pool{}
	s.pools = append(s.pools, s.outgoing)
	remote, known, err := s.routes(s.nextHops())
	if err != nil {
		return err
	}
	s.known = known
	s.local = &deliver.LocalDelivery{Store: s.engine.store, Directory: s.known, Sort: s.sort, Hostname: s.o.hostname}
	router := &deliver.Router{
		Directory: s.known, IsLocal: s.directory.IsLocal,
		Local: s.local, Remote: remote,
	}
	s.queue = &queue.Queue{Storage: s.engine.queue, Blobs: s.engine.blobs, Router: router}
	s.runner = &queue.Runner{
		Queue: s.queue, Logger: s.log, DrainTimeout: queueDrainTime,
		Reporter: &dsn.Reporter{Hostname: s.o.hostname, Blobs: s.engine.blobs, RetryUntil: queue.Schedule{}.Expiry, Signer: s.dsnSigner(), Suppressed: s.logSuppressed},
		Workers:  200, Ordered: isLocal, LeaseTTL: s.engine.lease,
	}
	s.runner.Router = s.extras(router)
	s.queue.Kick = s.runner.Kick
	return nil
}

// logSuppressed tells the operator of a report that nobody gets.
func (s *server) logSuppressed(j *queue.Job, why dsn.Reason) {
	s.log.Warn("queue: no delivery status notification", "job", j.ID, "message", j.Message, "sender", j.ReversePath.String(), "why", why.String())
}

// isLocal reports a destination in the own store: a mailbox shows messages in
// the order in which they were accepted.
func isLocal(destination string) bool {
	return strings.HasPrefix(destination, deliver.NextHopLocal+"/")
}

// nextHops is the way to foreign hosts: the smart host of -relay, or MX.
func (s *server) nextHops() deliver.NextHops {
	dialer := &smtpclient.Dialer{Hello: s.o.hostname, Net: &net.Dialer{Timeout: dialTime}}
	if s.o.relay == "" {
		relay := deliver.Relay{Dialer: dialer, Pool: s.outgoing}
		return tlspolicy.NextHops{NextHops: &deliver.MX{Resolver: s.dns, TLS: s.policies, Self: []string{s.o.hostname}, Relay: relay}}
	}
	dialer.Net = s.hostDialer()
	// Opportunistic TLS: a certificate that nobody vouches for is still better
	// than none (RFC 7435).
	dialer.TLSConfig = &tls.Config{InsecureSkipVerify: true}
	relay := deliver.Relay{Dialer: dialer, Pool: s.outgoing}
	if name, password, ok := strings.Cut(s.o.relayUser, ":"); ok {
		client := login.Client{
			Credentials: saslmech.Credentials{Username: name, Password: password},
			Policy:      saslmech.Policy{AllowPlaintext: isLoopback(s.o.relay)},
		}
		relay.Login = func(ctx context.Context, c *smtpclient.Client) error {
			return client.Login(ctx, c.Capabilities().Mechanisms, c.TLS(), c.Auth)
		}
		if !isLoopback(s.o.relay) {
			dialer.TLS, dialer.TLSConfig = smtpclient.TLSRequired, nil
		}
	}
	host, port, _ := net.SplitHostPort(s.o.relay)
	if port == "465" {
		dialer.TLS = smtpclient.TLSImplicit
	}
	s.relayTLS(dialer, host)
	return &deliver.SmartHost{Addr: s.o.relay, Relay: relay}
}

// smtpConfig is what all SMTP listeners have in common.
func (s *server) smtpConfig() smtpserver.Config {
	cfg := smtpserver.Config{
		Hostname: s.o.hostname, Extensions: s.extensions(queueExtensions), TLSConfig: s.cert.config(false),
		Logger: s.log, Admit: s.admit,
	}
	cfg.Limits.Message = maxMessage
	cfg.Limits.Connections = s.o.maxConnections
	return cfg
}

// mxConfig takes mail for local recipients only.
func (s *server) mxConfig() smtpserver.Config {
	cfg := s.smtpConfig()
	cfg.StrictPipelining = true
	cfg.Extensions |= smtpserver.PRDR
	cfg.Receiver = smtp.Chain(s.mxReceiver(),
		deliver.Gate(s.known, nil),
		smtppolicy.Received(s.o.hostname),
		s.inspect(),
		smtppolicy.EditHeader(smtppolicy.Limits{}, smtppolicy.LoopLimit(0), smtppolicy.StripForged(s.o.hostname)),
	)
	return cfg
}

// submissionConfig takes mail from authenticated users to anybody.
func (s *server) submissionConfig(implicit bool) smtpserver.Config {
	cfg := s.smtpConfig()
	cfg.TLSConfig, cfg.ImplicitTLS = s.loginTLS(false), implicit
	cfg.Extensions |= smtpserver.FUTURERELEASE | smtpserver.MTPRIORITY // for submission only (RFC 4865, RFC 6710 §4.1)
	cfg.Priority = priority
	cfg.Auth, cfg.RequireAuth = s.login.Authenticator(), true
	cfg.RequireTLS = !s.o.plaintextAuth
	cfg.AllowPlaintextAuth = s.o.plaintextAuth
	cfg.Newlines = smtpserver.NormaliseNewlines
	cfg.Receiver = smtp.Chain(s.intake,
		s.budgets.Limit(),
		smtppolicy.SenderLogin(deliver.MaySendUnowned(s.directory)),
		deliver.Gate(s.known, func(m *smtp.Mail) bool { return m.Peer != nil && m.Peer.Identity != "" }),
		smtppolicy.Received(s.o.hostname),
		smtppolicy.EditHeader(smtppolicy.Limits{}, smtppolicy.LoopLimit(0)),
		s.fixes().Middleware(),
		s.sign(),
	)
	return cfg
}

// priority is what a user gets of the priority that it asks for.
func priority(_ context.Context, _ *smtp.Peer, level int) (int, error) {
	return min(level, maxPriority), nil
}

// lmtpConfig delivers at once, with one answer for each recipient. Its clients
// are our own front ends: what they put into the header stays.
func (s *server) lmtpConfig() smtpserver.Config {
	cfg := s.smtpConfig()
	cfg.LMTP, cfg.Extensions = true, s.extensions(storeExtensions)
	cfg.Receiver = smtp.Chain(s.mxReceiver(), // the queue has what routes send elsewhere
		deliver.Gate(s.known, nil),
		smtppolicy.Received(s.o.hostname),
		smtppolicy.EditHeader(smtppolicy.Limits{}, smtppolicy.LoopLimit(0)),
	)
	return cfg
}

// reserve is the free space in octets that incoming mail does not touch.
const reserve = 64 << 20

// admit refuses a message that the disk may not hold (RFC 5321 §4.2.2, 452).
func (s *server) admit(_ context.Context, size int64) error {
	if s.engine.free == nil {
		return nil
	}
	free, err := s.engine.free()
	if err == nil && free < uint64(size)+reserve {
		return smtp.Errorf(452, smtp.EnhancedCode{Class: 4, Subject: 3, Detail: 1}, "Insufficient system storage")
	}
	return nil // also where nobody knows how much is free
}
