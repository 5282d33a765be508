package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/activity"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
)

type accountLoginsCmd struct {
	Name string `arg:"" optional:"" help:"A whole address."`
}

type appPasswordCmd struct {
	List   appListCmd   `cmd:"" help:"List an account's app passwords with their last use."`
	Add    appAddCmd    `cmd:"" help:"Make one, and print it: it is kept nowhere else."`
	Revoke appRevokeCmd `cmd:"" help:"Take one away; it ends at once."`
	Only   appOnlyCmd   `cmd:"" help:"Refuse the account's own password on mail protocols, or accept it again."`
}

type appListCmd struct {
	Name string `arg:"" help:"A whole address."`
}

type appAddCmd struct {
	Name      string   `arg:"" help:"A whole address."`
	Label     string   `arg:"" help:"What it is for, unique in the account."`
	Protocols []string `name:"protocol" help:"Where it may be used: smtp, imap, pop3; repeatable, none = everywhere." enum:"smtp,imap,pop3"`
}

type appRevokeCmd struct {
	Name  string `arg:"" help:"A whole address."`
	Label string `arg:"" help:"What it was called."`
}

type appOnlyCmd struct {
	Name string `arg:"" help:"A whole address."`
	On   string `arg:"" help:"on or off." enum:"on,off"`
}

func loginLines(x *answer.Logins) []string {
	list := []string{x.Name + "  never logged in"}
	if l := x.Last; l != nil {
		list[0] = fmt.Sprintf("%s  last login %s", x.Name, entryLine(*l))
	}
	list = append(list, fmt.Sprintf("%d refused since", x.Failed))
	for _, f := range x.Failures {
		list = append(list, "refused "+entryLine(f))
	}
	return list
}

func entryLine(e activity.Entry) string {
	s := fmt.Sprintf("%s  %s  %s %s", e.Time.Local().Format(time.DateTime), e.Addr, e.Protocol, e.Mechanism)
	if e.AppPassword != "" {
		s += "  app password " + e.AppPassword
	}
	if e.Reason != "" {
		s += "  " + e.Reason
	}
	return s
}

// Run shows logins.
func (c *accountLoginsCmd) Run(a *app) error {
	if c.Name == "" {
		return a.refused()
	}
	x := answer.Logins{Name: c.Name}
	err := a.withStore(false, func(e *sqlite.Engine) error {
		acct, err := e.Store().Open(a.ctx, store.AccountID(c.Name))
		if err != nil {
			return err
		}
		const key = "mailserver/logins"
		for entry, err := range acct.Entries(a.ctx, store.EntryQuery{Prefix: key}) {
			if err != nil {
				return err
			}
			if entry.Key == key {
				return json.Unmarshal(entry.Value, &x.Account)
			}
		}
		return nil
	}, func(s *server) error {
		return s.Do(a.ctx, http.MethodGet, accountPath(c.Name, "logins"), nil, &x)
	})
	if err != nil {
		return err
	}
	return a.result(x, loginLines(&x)...)
}

func accountPath(name, what string) string {
	return "/v1/accounts/" + url.PathEscape(name) + "/" + what
}

// refused shows what a running server remembers of everybody.
func (a *app) refused() error {
	var x answer.Refused
	x.Refused = []activity.Failure{} // nobody remembers where no server runs
	err := a.withStore(false, func(*sqlite.Engine) error { return nil }, func(s *server) error {
		return s.Do(a.ctx, http.MethodGet, "/v1/logins/refused", nil, &x)
	})
	if err != nil {
		return err
	}
	var lines []string
	for _, f := range x.Refused {
		lines = append(lines, fmt.Sprintf("%q  %s", f.User, entryLine(f.Entry)))
	}
	return a.result(x, lines...)
}

func appPasswordLines(x *answer.AppPasswords) (list []string) {
	for _, p := range x.AppPasswords {
		where, used := "everywhere", "never used"
		if len(p.Protocols) > 0 {
			var words []string
			for _, w := range p.Protocols {
				words = append(words, string(w))
			}
			where = strings.Join(words, ",")
		}
		if p.LastUsed != nil {
			used = "last used " + p.LastUsed.Local().Format(time.DateTime)
		}
		list = append(list, fmt.Sprintf("%s  %s  %s", p.Label, where, used))
	}
	if x.Only {
		list = append(list, "the account's own password is refused")
	}
	return list
}

// Run lists app passwords.
func (c *appListCmd) Run(a *app) error {
	var x answer.AppPasswords
	err := a.withStore(false, func(*sqlite.Engine) error {
		rec, err := a.users().Lookup(a.ctx, c.Name)
		x = answer.AppPasswordsOf(&rec)
		return err
	}, func(s *server) error {
		return s.Do(a.ctx, http.MethodGet, accountPath(c.Name, "app-passwords"), nil, &x)
	})
	if err != nil {
		return err
	}
	return a.result(x, appPasswordLines(&x)...)
}

// Run makes one.
func (c *appAddCmd) Run(a *app) error {
	var protocols []login.Protocol
	for _, p := range c.Protocols {
		protocols = append(protocols, login.Protocol(p))
	}
	var x struct {
		Password string `json:"password"`
	}
	err := a.withStore(false, func(*sqlite.Engine) error {
		if a.dryRun {
			_, err := a.users().Lookup(a.ctx, c.Name)
			return err
		}
		p, err := login.CreateAppPassword(a.ctx, a.users(), c.Name, c.Label, protocols...)
		x.Password = p.Reveal()
		return err
	}, func(s *server) error {
		if a.dryRun {
			return nil
		}
		in := map[string]any{"label": c.Label, "protocols": protocols}
		return s.Do(a.ctx, http.MethodPost, accountPath(c.Name, "app-passwords"), in, &x)
	})
	if err != nil {
		return err
	}
	return a.result(x, x.Password)
}

// Run revokes one.
func (c *appRevokeCmd) Run(a *app) error {
	err := a.withStore(false, func(*sqlite.Engine) error {
		if a.dryRun {
			return nil
		}
		return a.users().DeleteAppPassword(a.ctx, c.Name, c.Label)
	}, func(s *server) error {
		if a.dryRun {
			return nil
		}
		return s.Do(a.ctx, http.MethodDelete, accountPath(c.Name, "app-passwords/"+url.PathEscape(c.Label)), nil, nil)
	})
	if err != nil {
		return err
	}
	return a.result(struct{}{}, "revoked "+c.Label)
}

// Run says whether the own password counts.
func (c *appOnlyCmd) Run(a *app) error {
	only := c.On == "on"
	err := a.withStore(false, func(*sqlite.Engine) error {
		if a.dryRun {
			return nil
		}
		return a.users().SetAppPasswordsOnly(a.ctx, c.Name, only)
	}, func(s *server) error {
		if a.dryRun {
			return nil
		}
		return s.Do(a.ctx, http.MethodPut, accountPath(c.Name, "app-passwords-only"), map[string]bool{"only": only}, nil)
	})
	if err != nil {
		return err
	}
	return a.result(struct{}{}, c.Name+": app passwords only: "+c.On)
}
