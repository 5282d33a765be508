package imapserver

import (
	"encoding/base64"
	"errors"
	"slices"

	"github.com/emersion/go-sasl"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// authenticate runs AUTHENTICATE (RFC 3501 §6.2.2) with an initial response
// where the client sends one (RFC 4959).
func (s *session) authenticate(cmd *command) error {
	mechanism, initial, err := s.readAuthenticate()
	if err != nil {
		return err
	}
	if !slices.Contains(s.mechanisms(), mechanism) {
		if showsPassword(mechanism) && !s.mayShowPassword() {
			return no(imap.CodePrivacyRequired, "Use TLS first")
		}
		return no(imap.CodeCannot, "Mechanism not supported")
	}
	var id store.AccountID
	server, err := s.srv.cfg.Auth.Start(s.ctx, s.conn.peer, mechanism, func(a store.AccountID) { id = a })
	if err != nil {
		return s.rejected(cmd, err)
	}
	if err := s.exchange(server, initial); err != nil {
		if _, ok := errors.AsType[*reply](err); ok || s.conn.failed() != nil {
			return err
		}
		return s.rejected(cmd, err)
	}
	if id == "" {
		return s.rejected(cmd, ErrRejected)
	}
	return s.authenticatedAs(cmd, id)
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
func (s *session) exchange(server sasl.Server, response []byte) error {
	for {
		challenge, done, err := server.Next(response)
		if err != nil {
			return err
		}
		if done {
			return nil
		}
		line := append(s.enc.AvailableBuffer(), "+ "...)
		line = base64.StdEncoding.AppendEncode(line, challenge)
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
	if string(line) == "*" {
		return nil, bad("Authentication cancelled")
	}
	response := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
	n, err := base64.StdEncoding.Strict().Decode(response, line)
	if err != nil {
		return nil, bad("Bad base64")
	}
	return response[:n], nil
}
