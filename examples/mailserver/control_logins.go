package main

import (
	"net/http"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/control"
)

func (c *controls) logins(r *http.Request) (any, error) {
	name, err := addressOf(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	a, err := c.s.activity.Account(r.Context(), name)
	return answer.Logins{Name: name, Account: a}, err
}

// refused are the latest refused logins since the start, of everybody.
func (c *controls) refused(*http.Request) (any, error) {
	return answer.Refused{Refused: c.s.activity.Recent()}, nil
}

func (c *controls) listAppPasswords(r *http.Request) (any, error) {
	name, err := addressOf(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	rec, err := c.users.Lookup(r.Context(), name)
	if err != nil {
		return nil, err
	}
	return answer.AppPasswordsOf(&rec), nil
}

// addAppPassword answers with the password, which is nowhere else.
func (c *controls) addAppPassword(r *http.Request) (any, error) {
	var in struct {
		Label     string           `json:"label"`
		Protocols []login.Protocol `json:"protocols"`
	}
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	name, err := addressOf(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	for _, p := range in.Protocols {
		if p != login.SMTP && p != login.IMAP && p != login.POP3 {
			return nil, control.BadRequest("protocols are smtp, imap and pop3")
		}
	}
	if _, err := c.s.engine.store.Open(r.Context(), store.AccountID(name)); err != nil {
		return nil, err
	}
	password, err := login.CreateAppPassword(r.Context(), c.users, name, in.Label, in.Protocols...)
	if err != nil {
		return nil, err
	}
	return struct {
		Password string `json:"password"`
	}{password.Reveal()}, nil
}

func (c *controls) deleteAppPassword(r *http.Request) (any, error) {
	name, err := addressOf(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return struct{}{}, c.users.DeleteAppPassword(r.Context(), name, r.PathValue("label"))
}

func (c *controls) setAppPasswordsOnly(r *http.Request) (any, error) {
	var in struct {
		Only bool `json:"only"`
	}
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	name, err := addressOf(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return struct{}{}, c.users.SetAppPasswordsOnly(r.Context(), name, in.Only)
}
