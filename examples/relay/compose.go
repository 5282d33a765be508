package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/filelogin"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/dsn"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// compose wires the queue to the way out.
func (r *relay) compose() {
	nobody := &deliver.Accounts{} // no domain is ours
	router := &deliver.Router{Directory: nobody, IsLocal: nobody.IsLocal, Remote: r.nextHops()}
	schedule := queue.Schedule{Expire: r.o.expire}
	r.queue = &queue.Queue{Storage: r.storage, Blobs: r.engine.Blobs(), Router: router}
	r.runner = &queue.Runner{
		Queue: r.queue, Router: router, Schedule: schedule, Workers: 200, DrainTimeout: queueDrainTime, Logger: r.log,
		// Who may send by this host is known to it: everybody hears of everything.
		Reporter: &dsn.Reporter{Hostname: r.o.hostname, Blobs: r.engine.Blobs(), RetryUntil: schedule.Expiry, PerHour: -1},
	}
	r.queue.Kick = r.runner.Kick
}

// dialTime bounds one connection to another host.
const dialTime = 30 * time.Second

// nextHops is the way out: the smart host of -relay, or MX.
func (r *relay) nextHops() deliver.NextHops {
	if r.o.relay != "" {
		return &deliver.SmartHost{Addr: r.o.relay, Relay: r.smartHost()}
	}
	dialer := &smtpclient.Dialer{Hello: r.o.hostname, Net: &net.Dialer{Timeout: dialTime}}
	return &deliver.MX{Resolver: r.dns, Self: []string{r.o.hostname}, Relay: deliver.Relay{Dialer: dialer, Pool: r.pool}}
}

// smartHost is how the one of -relay is reached: with TLS that is verified,
// unless it is on this machine.
func (r *relay) smartHost() deliver.Relay {
	dialer := &smtpclient.Dialer{Hello: r.o.hostname, Net: &net.Dialer{Timeout: dialTime}}
	local := isLoopback(r.o.relay)
	switch _, port, _ := net.SplitHostPort(r.o.relay); {
	case port == "465":
		dialer.TLS = smtpclient.TLSImplicit
	case !local:
		dialer.TLS = smtpclient.TLSRequired
	default:
		dialer.TLSConfig = &tls.Config{InsecureSkipVerify: true}
	}
	out := deliver.Relay{Dialer: dialer, Pool: r.pool}
	if name, password, ok := strings.Cut(r.o.relayUser, ":"); ok {
		client := login.Client{
			Credentials: saslmech.Credentials{Username: name, Password: password},
			Policy:      saslmech.Policy{AllowPlaintext: local},
		}
		out.Login = func(ctx context.Context, c *smtpclient.Client) error {
			return client.Login(ctx, c.Capabilities().Mechanisms, c.TLS(), c.Auth)
		}
	}
	return out
}

// openUsers sets the passwords of -user. Those of earlier runs stay.
func (r *relay) openUsers(ctx context.Context) error {
	users := &filelogin.File{Path: filepath.Join(r.o.data, "passwd"), Logger: r.log}
	for _, u := range r.o.users {
		name, password, _ := strings.Cut(u, ":")
		if err := setPassword(ctx, users, name, login.NewPassword(password)); err != nil {
			return fmt.Errorf("-user %s: %w", name, err)
		}
	}
	if len(r.o.users) == 0 {
		return nil
	}
	r.users = &login.Service{Backend: users, Guard: &login.Throttle{}, Logger: r.log}
	return r.users.Validate()
}

// setPassword stores a password unless it is the one that is stored.
func setPassword(ctx context.Context, users *filelogin.File, name string, password login.Password) error {
	name, err := login.Canonical(name)
	if err != nil {
		return err
	}
	if rec, err := users.Lookup(ctx, name); err == nil {
		if ok, err := login.Verify(rec.Hash, password); err == nil && ok {
			return nil
		}
	}
	c, err := login.NewCredentials(password, login.Params{}, "SCRAM-SHA-256")
	if err != nil {
		return err
	}
	return users.SetCredentials(ctx, name, c)
}

// config takes mail from users and trusted hosts, to anybody.
func (r *relay) config(implicit bool) smtpserver.Config {
	cfg := smtpserver.Config{
		Hostname: r.o.hostname, TLSConfig: r.tlsConfig(), ImplicitTLS: implicit, Logger: r.log, Admit: r.admit,
		Extensions: smtpserver.DefaultExtensions | smtpserver.SMTPUTF8 | smtpserver.LIMITS | smtpserver.REQUIRETLS | smtpserver.DSN |
			smtpserver.DELIVERBY | smtpserver.BINARYMIME | smtpserver.FUTURERELEASE | smtpserver.MTPRIORITY,
		Newlines: smtpserver.NormaliseNewlines,
	}
	if r.users != nil {
		cfg.Auth, cfg.AllowPlaintextAuth = r.users.Authenticator(), r.o.plaintextAuth
	}
	cfg.Limits.Message, cfg.Limits.Connections = r.o.maxMessage, r.o.maxConnections
	chain := []smtp.Middleware{smtppolicy.RequireAuth(r.trusted)}
	if r.o.ownAddress {
		chain = append(chain, smtppolicy.SenderLogin(ownAddress))
	}
	chain = append(chain,
		smtppolicy.Received(r.o.hostname),
		smtppolicy.EditHeader(smtppolicy.Limits{}, smtppolicy.LoopLimit(0), smtppolicy.Submission(r.o.hostname)),
	)
	if len(r.o.keys) > 0 {
		signer := &auth.Signer{Keys: auth.KeysOf(r.o.keys), Unsigned: func(_ context.Context, m *smtp.Mail, err error) {
			r.log.Warn("message not signed", "id", m.ID, "error", err)
		}}
		chain = append(chain, signer.Middleware())
	}
	cfg.Receiver = smtp.Chain(r.queue, chain...)
	return cfg
}

// trusted reports a client that -trust names.
func (r *relay) trusted(m *smtp.Mail) bool {
	return m.Peer != nil && slices.ContainsFunc(r.o.trusted, func(p netip.Prefix) bool { return p.Contains(m.Peer.Addr.Addr().Unmap()) })
}

// ownAddress is -own-address: the name of a user is the address that he has.
func ownAddress(_ context.Context, account string, from smtp.ReversePath) (bool, error) {
	return deliver.CanonicalAddress(from.Path) == account, nil
}

// reserve is the free space in octets that new mail does not touch.
const reserve = 64 << 20

// admit refuses a message that the disk may not hold (RFC 5321 §4.2.2).
func (r *relay) admit(_ context.Context, size int64) error {
	if free, err := r.engine.Blobs().Free(); err == nil && free < uint64(size)+reserve {
		return smtp.Errorf(452, smtp.EnhancedCode{Class: 4, Subject: 3, Detail: 1}, "Insufficient system storage")
	}
	return nil // also where nobody knows how much is free
}
