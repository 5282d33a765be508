package imapserver

import (
	"errors"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/saslwire"
	"github.com/mailstead/mailstead/store"
)

// login runs LOGIN (RFC 3501 §6.2.3).
func (s *session) login(cmd *command) error {
	if err := s.dec.SP(); err != nil {
		return err
	}
	user, err := s.dec.AString()
	if err != nil {
		return err
	}
	if err := s.dec.SP(); err != nil {
		return err
	}
	password, err := s.dec.AString()
	if err != nil {
		return err
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	switch peer := s.authPeer(); {
	case s.auth() == nil:
		return s.rejected(cmd, authn.ErrTLSRequired)
	case authn.TakesPasswords(s.srv.cfg.Auth, peer):
		id, err := s.srv.cfg.Auth.Password(s.ctx, peer, user, password)
		if err == nil && id == "" {
			err = saslwire.ErrNoAccount
		}
		if err != nil {
			return s.rejected(cmd, err)
		}
		return s.authenticatedAs(cmd, store.AccountID(id))
	case !peer.Secure:
		return s.rejected(cmd, authn.ErrTLSRequired)
	}
	return no(imap.CodeCannot, "LOGIN is disabled")
}

// authenticatedAs opens the account of a client that has proved who it is.
func (s *session) authenticatedAs(cmd *command, id store.AccountID) error {
	a, err := s.srv.views.Open(s.ctx, id)
	if err != nil {
		return err
	}
	entries, err := s.srv.keepsEntries(s.ctx, a.Store())
	if err != nil {
		a.Release()
		return err
	}
	if !s.srv.users.enter(id, s.srv.cfg.sessionsPerUser(s.conn.peer.Addr)) {
		a.Release()
		return no(imap.CodeLimit, "Too many sessions of this user, end one first")
	}
	s.id, s.account, s.counted, s.state = id, a, true, authenticated
	if s.entries = entries; entries && s.srv.cfg.Sharing != nil {
		s.sharing = &sharing{cfg: s.srv.cfg.Sharing, books: &s.srv.books, own: s.srv.books.open(id)}
	}
	s.bad = 0
	s.conn.loggedIn()
	s.dec.SetMaxLine(s.srv.cfg.Limits.MaxLine)
	if f := s.srv.cfg.Trace.LoggedIn; f != nil {
		f(s.conn.peer, id)
	}
	cmd.okCode, cmd.okText = string(imap.CodeCapability)+" "+s.capabilities(), "Logged in"
	return nil
}

// rejected answers a login that failed, and counts it. Who failed is the
// Authenticator's to log.
func (s *session) rejected(cmd *command, err error) error {
	s.conn.log.Debug("imap: login failed", "error", err)
	switch {
	case errors.Is(err, authn.ErrRejected):
		s.authFailures++
		if limit := s.srv.cfg.Limits.MaxAuthFailures; limit >= 0 && s.authFailures >= limit {
			s.bye("Too many failed logins")
		}
		return no(imap.CodeAuthenticationFailed, "Wrong user name or password")
	case errors.Is(err, authn.ErrTooMany):
		return no(imap.CodeUnavailable, "Too many failed logins, try again later")
	case errors.Is(err, authn.ErrTLSRequired):
		return no(imap.CodePrivacyRequired, "Use TLS first")
	case errors.Is(err, authn.ErrMechanism):
		return no(imap.CodeCannot, "Mechanism not supported")
	case errors.Is(err, authn.ErrMalformed):
		return bad("Malformed response")
	}
	r := s.report(cmd, err)
	r.code = string(imap.CodeUnavailable)
	return r
}
