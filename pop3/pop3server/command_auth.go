package pop3server

import (
	"errors"
	"strings"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/internal/saslwire"
	"github.com/mailstead/mailstead/pop3"
	"github.com/mailstead/mailstead/store"
)

// authPeer is the connection as an Authenticator sees it.
func (s *session) authPeer() *authn.Peer {
	cfg := &s.conn.srv.cfg
	return &authn.Peer{
		Protocol: authn.POP3, Addr: s.conn.addr, Hostname: cfg.Hostname,
		TLS: s.tls, Certificate: s.shown, Secure: s.tls != nil || cfg.AllowPlaintextAuth,
	}
}

// judge is who judges logins on this connection; nil = it needs TLS first.
func (s *session) judge() authn.Authenticator {
	cfg := &s.conn.srv.cfg
	if cfg.RequireTLS && s.tls == nil {
		return nil
	}
	return cfg.Auth
}

// user: USER name (RFC 1939 §7). It says nothing of whether the name exists.
func (s *session) user(args []string) error {
	switch peer := s.authPeer(); {
	case authn.TakesPasswords(s.judge(), peer):
	case !peer.Secure || s.judge() == nil:
		return s.bad("STLS is required first")
	default:
		return s.bad("USER is not offered")
	}
	s.username = args[0]
	s.conn.ok("Send PASS")
	return nil
}

// pass: PASS string (RFC 1939 §7).
func (s *session) pass(args []string) error {
	if s.username == "" {
		return s.bad("USER comes first")
	}
	name := s.username
	s.username = ""
	account, err := s.conn.srv.cfg.Auth.Password(s.conn.ctx, s.authPeer(), name, args[0])
	if err == nil && account == "" {
		err = saslwire.ErrNoAccount
	}
	if err != nil {
		return s.rejected(err)
	}
	return s.openMaildrop(store.AccountID(account))
}

// auth: AUTH mechanism [initial-response] (RFC 5034 §4). Without an argument
// it lists the mechanisms, as clients from before CAPA expect.
func (s *session) auth(args []string) error {
	s.username = ""
	if len(args) == 0 {
		s.listMechanisms()
		return nil
	}
	var initial []byte
	if len(args) == 2 {
		var err error
		if initial, err = saslwire.Initial([]byte(args[1])); err != nil {
			return s.bad("Bad base64")
		}
	}
	if s.judge() == nil {
		return s.rejected(authn.ErrTLSRequired)
	}
	c := s.conn
	x, err := saslwire.Begin(c.ctx, c.srv.cfg.Auth, s.authPeer(), strings.ToUpper(args[0]))
	if err == nil {
		err = s.exchange(x, initial)
	}
	var gone *lostError
	switch {
	case err == nil:
		return s.openMaildrop(store.AccountID(x.Account()))
	case errors.As(err, &gone):
		return gone.err
	case errors.Is(err, saslwire.ErrCancelled):
		return s.bad("Authentication cancelled")
	case errors.Is(err, saslwire.ErrBase64):
		return s.bad("Bad base64")
	case errors.Is(err, errLineTooLong):
		return s.bad("Line too long")
	}
	return s.rejected(err)
}

func (s *session) listMechanisms() {
	c := s.conn
	c.ok("Mechanisms follow")
	for _, m := range authn.Offered(s.judge(), s.authPeer()) {
		c.bw.WriteString(m + "\r\n")
	}
	c.bw.WriteString(".\r\n")
}

// lostError is the end of the connection in the middle of an exchange.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }

// exchange runs challenges and responses until the mechanism is done.
func (s *session) exchange(x *saslwire.Exchange, response []byte) error {
	c := s.conn
	for {
		challenge, done, err := x.Next(response)
		if done || err != nil {
			return err
		}
		c.bw.Write(append(saslwire.AppendChallenge([]byte("+ "), challenge), "\r\n"...))
		if err := c.bw.Flush(); err != nil {
			return &lostError{err}
		}
		line, err := c.readLine(true)
		switch {
		case errors.Is(err, errLineTooLong):
			return err
		case err != nil:
			return &lostError{err}
		}
		if response, err = saslwire.Response(line); err != nil {
			return err
		}
	}
}

// rejected answers a login that failed, and counts it. Who failed is the
// Authenticator's to log.
func (s *session) rejected(err error) error {
	c := s.conn
	c.srv.cfg.Logger.Debug("pop3: login failed", "peer", c.addr, "error", err)
	switch {
	case errors.Is(err, authn.ErrRejected):
		c.fail(pop3.CodeAuth, "Authentication failed")
		if s.failures++; c.srv.cfg.Limits.MaxAuthFailures > 0 && s.failures >= c.srv.cfg.Limits.MaxAuthFailures {
			return errEnd
		}
	case errors.Is(err, authn.ErrTooMany):
		c.fail(pop3.CodeSysTemp, "Too many failed logins, try again later")
		return errEnd
	case errors.Is(err, authn.ErrTLSRequired):
		c.fail(pop3.CodeAuth, "STLS is required first")
	case errors.Is(err, authn.ErrMechanism):
		return s.bad("Mechanism not offered")
	case errors.Is(err, authn.ErrMalformed):
		return s.bad("Malformed response")
	default:
		c.failure("login", err)
	}
	return nil
}
