package imapserver

import (
	"errors"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/internal/saslwire"
	"github.com/mailstead/mailstead/store"
)

// authenticate runs AUTHENTICATE (RFC 3501 §6.2.2) with an initial response
// where the client sends one (RFC 4959).
func (s *session) authenticate(cmd *command) error {
	mechanism, initial, err := s.readAuthenticate()
	if err != nil {
		return err
	}
	if s.auth() == nil {
		return s.rejected(cmd, authn.ErrTLSRequired)
	}
	x, err := saslwire.Begin(s.ctx, s.srv.cfg.Auth, s.authPeer(), mechanism)
	if err == nil {
		err = s.exchange(x, initial)
	}
	if err == nil {
		return s.authenticatedAs(cmd, store.AccountID(x.Account()))
	}
	if _, answered := errors.AsType[*reply](err); answered || s.conn.failed() != nil {
		return err
	}
	return s.rejected(cmd, err)
}

// readAuthenticate takes SP auth-type [SP initial-resp] CRLF. initial is nil
// where there is none, and empty for "=".
func (s *session) readAuthenticate() (mechanism string, initial []byte, err error) {
	if err = s.dec.SP(); err != nil {
		return "", nil, err
	}
	if mechanism, err = s.dec.Word(); err != nil {
		return "", nil, err
	}
	if !s.dec.AtEnd() {
		if err = s.dec.SP(); err != nil {
			return "", nil, err
		}
		if initial, err = imapwire.Take(s.dec, imapwire.ConsumeBase64); err != nil {
			return "", nil, err
		}
	}
	return mechanism, initial, s.dec.End()
}

// exchange runs challenges and responses until the mechanism is done.
func (s *session) exchange(x *saslwire.Exchange, response []byte) error {
	limits := s.srv.cfg.Limits
	if limits.MaxLineBeforeLogin >= 0 {
		s.dec.SetMaxLine(max(limits.MaxLineBeforeLogin, saslwire.MaxLine))
		defer s.dec.SetMaxLine(limits.MaxLineBeforeLogin)
	}
	for {
		challenge, done, err := x.Next(response)
		if done || err != nil {
			return err
		}
		line := append(s.enc.AvailableBuffer(), "+ "...)
		line = saslwire.AppendChallenge(line, challenge)
		_, _ = s.enc.Write(append(line, "\r\n"...))
		if response, err = s.readResponse(); err != nil {
			return err
		}
	}
}

// readResponse takes one line of base64; "*" cancels the exchange.
func (s *session) readResponse() ([]byte, error) {
	line, err := s.dec.ReadLine()
	if err != nil {
		return nil, err
	}
	response, err := saslwire.Response(line)
	switch {
	case errors.Is(err, saslwire.ErrCancelled):
		return nil, bad("Authentication cancelled")
	case err != nil:
		return nil, bad("Bad base64")
	}
	return response, nil
}
