package smtpserver

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/smtp"
)

// auth: AUTH SP mechanism [SP initial-response] CRLF (RFC 4954 §4).
func (s *session) auth(arg []byte) {
	name, response, hasResponse := bytes.Cut(arg, []byte{' '})
	mechanism := strings.ToUpper(string(name))
	switch {
	case s.cfg.Auth == nil:
		s.refuse(502, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "AUTH is not offered")
		return
	case s.tx != nil || s.peer.Identity != "":
		s.refuse(503, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "Bad sequence of commands")
		return
	case !s.authProtected():
		s.refuse(538, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 11}, "Encryption required for authentication")
		return
	case len(name) == 0:
		s.refuse(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Syntax: AUTH mechanism")
		return
	case !slices.Contains(s.cfg.Auth.Mechanisms(s.peer), mechanism):
		s.refuse(504, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Mechanism not offered")
		return
	}
	var initial []byte
	if hasResponse {
		var ok bool
		if initial, ok = decodeInitial(response); !ok {
			s.badBase64()
			return
		}
	}
	s.authenticate(mechanism, initial)
}

// decodeInitial: "=" is an empty response; nil is none (RFC 4954 §4).
func decodeInitial(b []byte) ([]byte, bool) {
	if len(b) == 1 && b[0] == '=' {
		return []byte{}, true
	}
	return decodeBase64(b)
}

func decodeBase64(b []byte) ([]byte, bool) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	n, err := base64.StdEncoding.Strict().Decode(out, b)
	return out[:n], err == nil && !bytes.ContainsAny(b, "\r\n")
}

func (s *session) badBase64() {
	s.refuse(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 2}, "Cannot decode the response")
}

// authenticate runs one exchange.
func (s *session) authenticate(mechanism string, response []byte) {
	account := ""
	server, err := s.callStart(mechanism, &account)
	for err == nil {
		var challenge []byte
		var done bool
		if challenge, done, err = s.callNext(server, response); err != nil {
			break
		}
		if done {
			s.authenticated(mechanism, account)
			return
		}
		line := make([]byte, base64.StdEncoding.EncodedLen(len(challenge)))
		base64.StdEncoding.Encode(line, challenge)
		s.out = append(append(append(s.out, "334 "...), line...), '\r', '\n')
		var ok bool
		if response, ok = s.readResponse(); !ok {
			return
		}
	}
	s.authFailed(mechanism, err)
}

func (s *session) callStart(mechanism string, account *string) (server sasl.Server, err error) {
	defer s.contain(&err)
	return s.cfg.Auth.Start(s.ctx, s.peer, mechanism, func(a string) { *account = a })
}

func (s *session) callNext(server sasl.Server, response []byte) (challenge []byte, done bool, err error) {
	defer s.contain(&err)
	return server.Next(response)
}

// readResponse reads the line that answers a 334; false: it was answered.
func (s *session) readResponse() ([]byte, bool) {
	for s.in.nextLine(0) == 0 {
		if len(s.in.buffered()) > s.cfg.Limits.AuthLine {
			s.say(500, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 6}, "Authentication exchange line is too long")
			s.closing = true
			return nil, false
		}
		if err := s.fillCommand(false); err != nil {
			s.end(err)
			return nil, false
		}
	}
	n := s.in.nextLine(0)
	line := bytes.TrimSuffix(s.in.buffered()[:n-1], []byte{'\r'})
	s.in.skip(n)
	switch response, ok := decodeBase64(line); {
	case n > s.cfg.Limits.AuthLine:
		s.refuse(500, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 6}, "Authentication exchange line is too long")
		return nil, false
	case string(line) == "*":
		s.refuse(501, smtp.EnhancedCode{Class: 5, Subject: 7}, "Authentication cancelled")
		return nil, false
	case !ok:
		s.badBase64()
		return nil, false
	default:
		return response, true
	}
}

// authenticated ends a successful exchange.
func (s *session) authenticated(mechanism, account string) {
	if account == "" {
		s.authFailed(mechanism, errors.New("smtpserver: mechanism ended without an account"))
		return
	}
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

// authFailed answers a failed exchange and counts it.
func (s *session) authFailed(mechanism string, err error) {
	var r smtp.Reply
	if errors.Is(err, ErrBadCredentials) {
		r = smtp.NewReply(535, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 8}, "Authentication credentials invalid")
		s.cfg.Logger.LogAttrs(s.ctx, slog.LevelInfo, "smtp: authentication failed",
			slog.Any("peer", s.peer.Addr), slog.String("mechanism", mechanism))
	} else {
		r = s.answer(err, smtp.NewReply(454, smtp.EnhancedCode{Class: 4, Subject: 7}, "Temporary authentication failure"))
	}
	if s.authFailures++; s.authFailures >= s.cfg.Limits.AuthFailures {
		r = smtp.NewReply(421, smtp.EnhancedCode{Class: 4, Subject: 7}, s.cfg.Hostname+" Too many failed authentications")
	}
	s.refuseReply(r)
}

// PlainAuth offers the mechanism PLAIN (RFC 4616) over a function that checks
// a password. identity is the authorization identity, "" = that of username.
// check returns the account, or ErrBadCredentials, or a *smtp.Error; any other
// error leaves as a temporary failure.
func PlainAuth(check func(ctx context.Context, p *smtp.Peer, identity, username, password string) (account string, err error)) Authenticator {
	return plainAuth(check)
}

type plainAuth func(ctx context.Context, p *smtp.Peer, identity, username, password string) (string, error)

// Mechanisms implements Authenticator.
func (plainAuth) Mechanisms(*smtp.Peer) []string { return []string{sasl.Plain} }

// Start implements Authenticator.
func (f plainAuth) Start(ctx context.Context, p *smtp.Peer, _ string, done func(string)) (sasl.Server, error) {
	asked := false
	server := sasl.NewPlainServer(func(identity, username, password string) error {
		asked = true
		account, err := f(ctx, p, identity, username, password)
		if err == nil {
			done(account)
		}
		return err
	})
	return plainServer{server, &asked}, nil
}

// plainServer tells a malformed response apart from an error of check.
type plainServer struct {
	sasl.Server
	asked *bool
}

func (p plainServer) Next(response []byte) ([]byte, bool, error) {
	challenge, done, err := p.Server.Next(response)
	if err != nil && !*p.asked {
		err = &smtp.Error{Err: err, Reply: smtp.NewReply(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 2}, "Malformed response")}
	}
	return challenge, done, err
}
