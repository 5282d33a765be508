package main

import (
	"net/http"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/activity"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/control"
)

// loginsAnswer is what is known of an account's logins.
type loginsAnswer struct {
	Name string `json:"name"`
	activity.Account
}

func (c *controls) logins(r *http.Request) (any, error) {
	name, err := addressOf(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	a, err := c.s.activity.Account(r.Context(), name)
	return loginsAnswer{name, a}, err
}

// refused are the latest refused logins since the start, of everybody.
func (c *controls) refused(*http.Request) (any, error) {
	return struct {
		Refused []activity.Failure `json:"refused"`
	}{c.s.activity.Recent()}, nil
}

// appPassword is an app password without its secret.
type appPassword struct {
	Label     string           `json:"label"`
	Protocols []login.Protocol `json:"protocols,omitempty"` // none: everywhere
	Created   *time.Time       `json:"created,omitempty"`
	LastUsed  *time.Time       `json:"last_used,omitempty"`
}

type appPasswordList struct {
	AppPasswords []appPassword `json:"app_passwords"`
	Only         bool          `json:"only"` // the account's own password is refused
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
	list := appPasswordList{AppPasswords: []appPassword{}, Only: rec.AppPasswordsOnly}
	for _, p := range rec.AppPasswords {
		list.AppPasswords = append(list.AppPasswords, appPassword{p.Name, p.Protocols, known(p.Created), known(p.LastUsed)})
	}
	return list, nil
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
