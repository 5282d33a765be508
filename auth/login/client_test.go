package login

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/login/saslmech"
)

// tokens is a TokenSource of a list, and notes what was refused.
type tokens struct {
	list    []string
	refused []string
}

func (s *tokens) Token(_ context.Context, refused string) (string, error) {
	s.refused = append(s.refused, refused)
	if len(s.list) == 0 {
		return "", errDown
	}
	token := s.list[0]
	if len(s.list) > 1 {
		s.list = s.list[1:]
	}
	return token, nil
}

// reply is the error of a protocol's client.
type reply struct{ temporary bool }

func (reply) Error() string     { return "reply" }
func (r reply) Temporary() bool { return r.temporary }

func TestClientLogin(t *testing.T) {
	network := &net.OpError{Op: "read", Err: io.ErrUnexpectedEOF}
	for _, tt := range []struct {
		name, offered string
		c             Client
		source        *tokens
		answers       []error // of the exchanges
		sent, refused string
		err           error
	}{
		{"a password", "PLAIN SCRAM-SHA-256", Client{Credentials: saslmech.Credentials{Username: "u", Password: "p"}}, nil, []error{nil}, "SCRAM-SHA-256", "", nil},
		{"a password before a token", "PLAIN XOAUTH2", Client{Credentials: saslmech.Credentials{Username: "u", Password: "p"}}, &tokens{list: []string{"a"}}, []error{nil}, "PLAIN", "", nil},
		{"a token", "PLAIN XOAUTH2", Client{Credentials: saslmech.Credentials{Username: "u"}}, &tokens{list: []string{"a"}}, []error{nil}, "XOAUTH2 a", "", nil},
		{"a token that was revoked", "OAUTHBEARER", Client{Credentials: saslmech.Credentials{Username: "u"}}, &tokens{list: []string{"a", "b"}}, []error{reply{}, nil}, "OAUTHBEARER a|OAUTHBEARER b", "|a", nil},
		{"both refused", "OAUTHBEARER", Client{Credentials: saslmech.Credentials{Username: "u"}}, &tokens{list: []string{"a", "b", "c"}}, []error{reply{}, reply{}}, "OAUTHBEARER a|OAUTHBEARER b", "|a", reply{}},
		{"no other token", "OAUTHBEARER", Client{Credentials: saslmech.Credentials{Username: "u"}}, &tokens{list: []string{"a"}}, []error{reply{}}, "OAUTHBEARER a", "|a", reply{}},
		{"later", "OAUTHBEARER", Client{Credentials: saslmech.Credentials{Username: "u"}}, &tokens{list: []string{"a", "b"}}, []error{reply{true}}, "OAUTHBEARER a", "", reply{true}},
		{"connection lost", "OAUTHBEARER", Client{Credentials: saslmech.Credentials{Username: "u"}}, &tokens{list: []string{"a", "b"}}, []error{network}, "OAUTHBEARER a", "", network},
		{"no token to be had", "OAUTHBEARER", Client{Credentials: saslmech.Credentials{Username: "u"}}, &tokens{}, nil, "", "", errDown},
		{"an empty token", "OAUTHBEARER", Client{Credentials: saslmech.Credentials{Username: "u"}}, &tokens{list: []string{""}}, nil, "", "", saslmech.ErrNoMechanism},
		{"nothing fits", "GSSAPI", Client{Credentials: saslmech.Credentials{Username: "u"}}, &tokens{list: []string{"a"}}, nil, "", "", saslmech.ErrNoMechanism},
		{"nothing to log in with", "PLAIN", Client{}, nil, nil, "", "", saslmech.ErrNoMechanism},
	} {
		var sent []string
		if tt.source != nil {
			tt.c.Tokens = tt.source
		}
		err := tt.c.Login(t.Context(), strings.Fields(tt.offered), &tls.ConnectionState{}, func(_ context.Context, client sasl.Client) error {
			mechanism, initial, err := client.Start()
			if err != nil {
				return err
			}
			if _, token, ok := strings.Cut(string(initial), "Bearer "); ok {
				mechanism += " " + strings.Trim(token, "\x01")
			}
			sent = append(sent, mechanism)
			return tt.answers[len(sent)-1]
		})
		if !errors.Is(err, tt.err) || strings.Join(sent, "|") != tt.sent {
			t.Errorf("%s: %v, sent %q; want %v, %q", tt.name, err, sent, tt.err, tt.sent)
		}
		if tt.offered == "GSSAPI" && tt.source != nil && tt.source.refused != nil {
			t.Errorf("%s: a token was asked for in vain", tt.name)
		}
		if tt.source != nil && tt.refused != "" && strings.Join(tt.source.refused, "|") != tt.refused {
			t.Errorf("%s: refused %q", tt.name, tt.source.refused)
		}
	}
}

// A refusal by the mechanism counts whatever the protocol's client makes of it,
// and our own server is content with the second token.
func TestClientLoginHere(t *testing.T) {
	s := allMechanisms(t)
	source := &tokens{list: []string{"bad", "good"}}
	c := Client{Credentials: saslmech.Credentials{Username: "alice@example.org"}, Tokens: source}
	for _, mechanism := range []string{"OAUTHBEARER", "XOAUTH2"} {
		source.list, source.refused = []string{"bad", "good"}, nil
		var id Identity
		err := c.Login(t.Context(), []string{mechanism}, &tls.ConnectionState{}, func(_ context.Context, client sasl.Client) (err error) {
			id, err = converse(s, mechanism, attempt("", ""), client)
			return err
		})
		if err != nil || id.User != "alice@example.org" || !slices.Equal(source.refused, []string{"", "bad"}) {
			t.Errorf("%s: %+v, %v, refused %q", mechanism, id, err, source.refused)
		}
	}
}
