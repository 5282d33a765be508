package smtpserver

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/internal/saslwire"
	"github.com/mailstead/mailstead/smtp"
)

// authPeer is the connection as an Authenticator sees it.
func (s *session) authPeer() *authn.Peer {
	return &authn.Peer{
		Protocol: authn.SMTP, Addr: s.peer.Addr.Addr(), Conn: s.peer, Hostname: s.cfg.Hostname,
		TLS: s.peer.TLS, Certificate: s.certificate, Secure: s.peer.TLS != nil || s.cfg.AllowPlaintextAuth,
	}
}

// mechanisms are what AUTH takes now. It is hidden after success (RFC 4954 §4)
// and where the policy asks for TLS first.
func (s *session) mechanisms() []string {
	if s.cfg.Auth == nil || s.peer.Identity != "" || s.cfg.RequireTLS && s.peer.TLS == nil {
		return nil
	}
	return authn.Offered(s.cfg.Auth, s.authPeer())
}

// auth: AUTH SP mechanism [SP initial-response] CRLF (RFC 4954 §4).
func (s *session) auth(arg []byte) {
	name, response, hasResponse := bytes.Cut(arg, []byte{' '})
	switch {
	case s.cfg.Auth == nil:
		s.refuse(502, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "AUTH is not offered")
		return
	case s.tx != nil || s.peer.Identity != "":
		s.refuse(503, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "Bad sequence of commands")
		return
	case len(name) == 0:
		s.refuse(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Syntax: AUTH mechanism")
		return
	}
	var initial []byte
	if hasResponse {
		var err error
		if initial, err = saslwire.Initial(response); err != nil {
			s.badResponse(err)
			return
		}
	}
	s.authenticate(strings.ToUpper(string(name)), initial)
}

// badResponse answers a response that no mechanism gets to see.
func (s *session) badResponse(err error) {
	if errors.Is(err, saslwire.ErrCancelled) {
		s.refuse(501, smtp.EnhancedCode{Class: 5, Subject: 7}, "Authentication cancelled")
		return
	}
	s.refuse(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 2}, "Cannot decode the response")
}

// authenticate runs one exchange.
func (s *session) authenticate(mechanism string, response []byte) {
	x, err := s.callStart(mechanism)
	for err == nil {
		var challenge []byte
		var done bool
		if challenge, done, err = s.callNext(x, response); err != nil {
			break
		}
		if done {
			s.authenticated(mechanism, x.Account())
			return
		}
		s.out = append(saslwire.AppendChallenge(append(s.out, "334 "...), challenge), '\r', '\n')
		var ok bool
		if response, ok = s.readResponse(); !ok {
			return
		}
	}
	s.authFailed(mechanism, err)
}

func (s *session) callStart(mechanism string) (x *saslwire.Exchange, err error) {
	defer s.contain(&err)
	return saslwire.Begin(s.ctx, s.cfg.Auth, s.authPeer(), mechanism)
}

func (s *session) callNext(x *saslwire.Exchange, response []byte) (challenge []byte, done bool, err error) {
	defer s.contain(&err)
	return x.Next(response)
}

// readResponse reads the line that answers a 334; false: it was answered.
func (s *session) readResponse() ([]byte, bool) {
	for s.in.NextLine(0) == 0 {
		if len(s.in.Buffered()) > s.cfg.Limits.AuthLine {
			s.say(500, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 6}, "Authentication exchange line is too long")
			s.closing = true
			return nil, false
		}
		if err := s.fillCommand(false); err != nil {
			s.end(err)
			return nil, false
		}
	}
	n := s.in.NextLine(0)
	line := bytes.TrimSuffix(s.in.Buffered()[:n-1], []byte{'\r'})
	response, err := saslwire.Response(line)
	s.in.Skip(n)
	switch {
	case n > s.cfg.Limits.AuthLine:
		s.refuse(500, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 6}, "Authentication exchange line is too long")
		return nil, false
	case err != nil:
		s.badResponse(err)
		return nil, false
	}
	return response, true
}

// authenticated ends a successful exchange.
func (s *session) authenticated(mechanism, account string) {
	peer := s.peer.Clone()
	peer.Identity, peer.Mechanism = account, mechanism
	switch {
	case !s.extended: // after HELO
	case s.cfg.LMTP:
		peer.Protocol = withWord("LMTP", peer)
	default:
		peer.Protocol = withWord("ESMTP", peer)
	}
	s.peer = peer
	s.say(235, smtp.EnhancedCode{Class: 2, Subject: 7}, "Authentication successful")
}

// authFailed answers a failed exchange and counts it. Who failed is the
// Authenticator's to log; this line is for those that do not.
func (s *session) authFailed(mechanism string, err error) {
	s.cfg.Logger.LogAttrs(s.ctx, slog.LevelDebug, "smtp: authentication failed",
		slog.Any("peer", s.peer.Addr), slog.String("mechanism", mechanism), slog.Any("error", err))
	r := s.authReply(err)
	if errors.Is(err, authn.ErrMechanism) || errors.Is(err, authn.ErrTLSRequired) || errors.Is(err, authn.ErrMalformed) {
		s.refuseReply(r) // nobody was judged
		return
	}
	if s.authFailures++; s.authFailures >= s.cfg.Limits.AuthFailures {
		r = smtp.NewReply(421, smtp.EnhancedCode{Class: 4, Subject: 7}, s.cfg.Hostname+" Too many failed authentications")
	}
	s.refuseReply(r)
}

// authReply is the reply of RFC 4954 §4 and §6 for an error of an
// Authenticator. One that carries a Reply has chosen itself.
func (s *session) authReply(err error) smtp.Reply {
	_, chosen := errors.AsType[*smtp.Error](err)
	switch {
	case chosen:
	case errors.Is(err, authn.ErrRejected):
		return smtp.NewReply(535, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 8}, "Authentication credentials invalid")
	case errors.Is(err, authn.ErrTLSRequired):
		return smtp.NewReply(538, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 11}, "Encryption required for authentication")
	case errors.Is(err, authn.ErrMechanism):
		return smtp.NewReply(504, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Mechanism not offered")
	case errors.Is(err, authn.ErrMalformed):
		return smtp.NewReply(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 2}, "Malformed response")
	case errors.Is(err, authn.ErrTooMany):
		return smtp.NewReply(454, smtp.EnhancedCode{Class: 4, Subject: 7}, "Too many failed authentications, try again later")
	}
	return s.answer(err, smtp.NewReply(454, smtp.EnhancedCode{Class: 4, Subject: 7}, "Temporary authentication failure"))
}
