package gosmtp

import (
	"bytes"
	"context"
	"strings"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"github.com/mailstead/mailstead/smtp"
)

// Mechanisms implements smtpserver.Authenticator.
func (a *adapter) Mechanisms(p *smtp.Peer) []string {
	s := a.sessionOf(p)
	if s == nil {
		return nil
	}
	auth, ok := s.Session.(gosmtp.AuthSession)
	if !ok {
		return nil
	}
	var names []string
	for _, name := range auth.AuthMechanisms() {
		names = append(names, strings.ToUpper(name))
	}
	return names
}

// Start implements smtpserver.Authenticator.
func (a *adapter) Start(_ context.Context, p *smtp.Peer, mechanism string, done func(string)) (sasl.Server, error) {
	s := a.sessionOf(p)
	if s == nil {
		return nil, errNoSession
	}
	auth, ok := s.Session.(gosmtp.AuthSession)
	if !ok {
		return nil, refusal(gosmtp.ErrAuthUnknownMechanism)
	}
	server, err := auth.Auth(mechanism)
	if err != nil {
		return nil, refusal(err)
	}
	return &exchange{Server: server, done: done, plain: mechanism == sasl.Plain}, nil
}

// exchange is a SASL server of a backend. Who has authenticated is the backend's
// secret but with PLAIN, whose response holds the name.
type exchange struct {
	sasl.Server
	done  func(account string)
	plain bool
	name  string
}

// unnamed is the account of a peer that has authenticated with another mechanism
// than PLAIN.
const unnamed = "authenticated"

func (e *exchange) Next(response []byte) ([]byte, bool, error) {
	if parts := bytes.Split(response, []byte{0}); e.plain && len(parts) == 3 {
		e.name = string(parts[1])
	}
	challenge, done, err := e.Server.Next(response)
	if err != nil {
		return nil, false, refusal(err)
	}
	if done {
		if e.name == "" {
			e.name = unnamed
		}
		e.done(e.name)
	}
	return challenge, done, nil
}
