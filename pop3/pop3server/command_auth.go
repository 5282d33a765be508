package pop3server

import (
	"crypto/md5" //nolint:gosec // APOP's own
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/internal/saslwire"
	"github.com/mailstead/mailstead/pop3"
	"github.com/mailstead/mailstead/store"
)

// greet sends the greeting, with a timestamp where APOP is offered (RFC 1939
// §7).
func (s *session) greet() error {
	c := s.conn
	b := append(c.out.room(maxLine), "+OK "...)
	host := c.srv.cfg.Hostname
	if host != "" {
		b = append(append(b, host...), ' ')
	}
	b = append(b, textReady...)
	if s.digests() != nil {
		if host == "" {
			host = "localhost"
		}
		s.timestamp = "<" + rand.Text() + "." + strconv.FormatInt(time.Now().Unix(), 10) + "@" + host + ">"
		b = append(append(b, ' '), s.timestamp...)
	}
	s.answerLine(b)
	return nil
}

// digests is who judges APOP on this connection; nil = it is not offered.
func (s *session) digests() authn.APOPAuthenticator {
	a, ok := s.judge().(authn.APOPAuthenticator)
	if !ok || !a.OffersAPOP(s.authPeer()) {
		return nil
	}
	return a
}

// authPeer is the connection as an Authenticator sees it.
func (s *session) authPeer() *authn.Peer {
	c := s.conn
	cfg := &c.srv.cfg
	return &authn.Peer{
		Protocol: authn.POP3, ID: c.peer.ConnID, Addr: c.peer.Addr, Conn: c.peer, Hostname: cfg.Hostname,
		TLS: c.peer.TLS, Certificate: c.certificate, Secure: c.peer.TLS != nil || cfg.AllowPlaintextAuth,
	}
}

// judge is who judges logins on this connection; nil = it needs TLS first.
func (s *session) judge() authn.Authenticator {
	cfg := &s.conn.srv.cfg
	if cfg.RequireTLS && s.conn.peer.TLS == nil {
		return nil
	}
	return cfg.Auth
}

// user: USER name (RFC 1939 §7). It says nothing of whether the name exists.
func (s *session) user(args arguments) error {
	s.username = ""
	switch peer := s.authPeer(); {
	case authn.TakesPasswords(s.judge(), peer):
	case !peer.Secure || s.judge() == nil:
		return s.bad(textTLSFirst)
	default:
		return s.bad(textNoUser)
	}
	if !utf8.Valid(args[0]) { // RFC 6856 §2.2
		return s.bad(textNotUTF8)
	}
	s.username = string(args[0])
	s.conn.ok(textSendPass)
	return nil
}

// pass: PASS string (RFC 1939 §7).
func (s *session) pass(args arguments) error {
	name := s.username
	s.username = ""
	if name == "" {
		return s.bad(textUserFirst)
	}
	if !utf8.Valid(args[0]) {
		return s.bad(textNotUTF8)
	}
	account, err := s.conn.srv.cfg.Auth.Password(s.conn.ctx, s.authPeer(), name, string(args[0]))
	return s.judged(account, err)
}

// apop: APOP name digest (RFC 1939 §7).
func (s *session) apop(args arguments) error {
	s.username = ""
	a := s.digests()
	if a == nil || s.timestamp == "" {
		return s.bad(textNoAPOP)
	}
	login := authn.APOP{Username: string(args[0]), Timestamp: s.timestamp}
	if !utf8.Valid(args[0]) {
		return s.bad(textNotUTF8)
	}
	if n, err := hex.Decode(login.Digest[:], args[1][:min(len(args[1]), 2*md5.Size)]); err != nil || n != md5.Size || len(args[1]) != 2*md5.Size {
		return s.bad(textMalformed)
	}
	account, err := a.APOP(s.conn.ctx, s.authPeer(), login)
	return s.judged(account, err)
}

// judged is what comes of a login by command.
func (s *session) judged(account string, err error) error {
	if err == nil && account == "" {
		err = saslwire.ErrNoAccount
	}
	if err != nil {
		return s.rejected(err)
	}
	return s.enter(store.AccountID(account))
}

// enter opens the maildrop of a user who has proved who he is.
func (s *session) enter(id store.AccountID) error {
	c := s.conn
	policy, err := s.policyOf(id)
	if err != nil {
		c.failure("policy of the user", err)
		return nil
	}
	now, users, limit := time.Now(), c.srv.users, 0
	if wait := users.wait(id, now); wait > 0 {
		c.fail(pop3.CodeLoginDelay, textDelay, seconds(wait))
		return nil
	}
	if c.srv.cfg.SharedMaildrops {
		limit = c.srv.cfg.Limits.MaxSessionsPerUser
	}
	if !users.enter(id, limit) {
		c.fail(pop3.CodeInUse, textSessions)
		return nil
	}
	s.account, s.counted = id, true
	drop, err := openMaildrop(c.ctx, c.srv, id)
	if err != nil {
		s.leave()
		s.account = ""
		c.failure("open maildrop", err)
		return nil
	}
	users.loggedIn(id, now, policy.LoginDelay)
	s.policy, s.drop, s.state = policy, drop, transaction
	if f := c.srv.cfg.Trace.LoggedIn; f != nil {
		f(c.peer, id)
	}
	c.ok(textMaildrop, int64(drop.count), drop.octets)
	return nil
}

func (s *session) policyOf(id store.AccountID) (Policy, error) {
	cfg := &s.conn.srv.cfg
	if cfg.UserPolicy == nil {
		return cfg.Policy, nil
	}
	return cfg.UserPolicy(s.conn.ctx, id)
}

// auth: AUTH mechanism [initial-response] (RFC 5034 §4). Without an argument
// it lists the mechanisms, as clients from before CAPA expect.
func (s *session) auth(args arguments) error {
	s.username = ""
	if args[0] == nil {
		s.listMechanisms()
		return nil
	}
	var initial []byte
	if args[1] != nil {
		var err error
		if initial, err = saslwire.Initial(args[1]); err != nil {
			return s.bad(textBase64)
		}
	}
	if s.judge() == nil {
		return s.rejected(authn.ErrTLSRequired)
	}
	c := s.conn
	x, err := saslwire.Begin(c.ctx, c.srv.cfg.Auth, s.authPeer(), strings.ToUpper(string(args[0])))
	if err == nil {
		err = s.exchange(x, initial)
	}
	var gone *lostError
	switch {
	case err == nil:
		return s.enter(store.AccountID(x.Account()))
	case errors.As(err, &gone):
		return gone.err
	case errors.Is(err, saslwire.ErrCancelled):
		return s.bad(textCancelled)
	case errors.Is(err, saslwire.ErrBase64):
		return s.bad(textBase64)
	case errors.Is(err, errLineTooLong):
		return s.bad(textTooLong)
	}
	return s.rejected(err)
}

func (s *session) listMechanisms() {
	c := s.conn
	c.ok(textMechanisms)
	for _, m := range authn.Offered(s.judge(), s.authPeer()) {
		c.line(m)
	}
	c.line(".")
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
		b := saslwire.AppendChallenge(append(c.out.room(maxAuthLine), "+ "...), challenge)
		c.out.set(append(b, "\r\n"...))
		c.traceExchange(false)
		line, err := c.readLine(maxAuthLine)
		switch {
		case errors.Is(err, errLineTooLong):
			return err
		case err != nil:
			return &lostError{err}
		}
		c.traceExchange(true)
		if response, err = saslwire.Response(line); err != nil {
			return err
		}
	}
}

// rejected answers a login that failed, and counts it. Who failed is the
// Authenticator's to log.
func (s *session) rejected(err error) error {
	c := s.conn
	c.logs(slog.LevelDebug, "pop3: login failed", "error", err)
	switch {
	case errors.Is(err, authn.ErrRejected):
		c.fail(pop3.CodeAuth, textRejected)
		if s.failures++; c.srv.cfg.Limits.MaxAuthFailures > 0 && s.failures >= c.srv.cfg.Limits.MaxAuthFailures {
			return errEnd
		}
	case errors.Is(err, authn.ErrTooMany):
		c.fail(pop3.CodeSysTemp, textTooMany)
		return errEnd
	case errors.Is(err, authn.ErrTLSRequired):
		c.fail(pop3.CodeAuth, textTLSFirst)
	case errors.Is(err, authn.ErrMechanism):
		return s.bad(textMechanism)
	case errors.Is(err, authn.ErrMalformed):
		return s.bad(textMalformed)
	default:
		c.failure("login", err)
	}
	return nil
}
