package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/filelogin"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
)

type accountCmd struct {
	List   accountListCmd  `cmd:"" help:"List accounts with what they hold."`
	Add    accountAddCmd   `cmd:"" help:"Make an account; the password is read from the standard input unless it is given."`
	Quota  accountQuotaCmd `cmd:"" help:"Show the quota of an account, or set it."`
	Passwd accountPassCmd  `cmd:"" help:"Set the password of an account; it is read from the standard input unless it is given."`

	Logins      accountLoginsCmd `cmd:"" help:"Show the last login of an account and the latest refused ones; without a name, the refused ones of everybody since the server's start."`
	AppPassword appPasswordCmd   `cmd:"" help:"Passwords of single programs: make, list and revoke them."`
}

type accountListCmd struct{}

type accountAddCmd struct {
	Name      string `arg:"" help:"A whole address."`
	Password  string `help:"The password; @FILE keeps it out of the list of processes." placeholder:"TEXT"`
	Bytes     int64  `help:"Quota in octets; 0 = none."`
	Messages  int64  `help:"Quota in messages; 0 = none."`
	Mailboxes int64  `help:"Quota in mailboxes; 0 = none."`
}

type accountPassCmd struct {
	Name     string `arg:"" help:"A whole address."`
	Password string `help:"The password; @FILE keeps it out of the list of processes." placeholder:"TEXT"`
}

type accountQuotaCmd struct {
	Name      string `arg:"" help:"A whole address."`
	Bytes     *int64 `help:"Octets; 0 = no limit."`
	Messages  *int64 `help:"Messages; 0 = no limit."`
	Mailboxes *int64 `help:"Mailboxes; 0 = no limit."`
}

// usage is the account as store.Usage has it.
func usageOf(x *answer.Account) store.Usage {
	return store.Usage{Bytes: x.Bytes, Messages: x.Messages, Mailboxes: x.Mailboxes, Limits: store.Limits(x.Quota)}
}

func accountLine(x *answer.Account) string {
	s := fmt.Sprintf("%s  %s  %d mailboxes  %d messages  %s", x.Name, x.State, x.Mailboxes, x.Messages, size(x.Bytes))
	if x.Quota != (answer.Quota{}) {
		s += fmt.Sprintf("  %d%% of its quota", usageOf(x).Percent())
	}
	return s
}

// accounts reads all accounts, here or from the server.
func (a *app) accounts() (list []answer.Account, err error) {
	list = []answer.Account{}
	err = a.withStore(false, func(e *sqlite.Engine) error {
		for info, err := range e.Store().Accounts(a.ctx, "") {
			if err != nil {
				return err
			}
			x, err := answer.AccountOf(a.ctx, e.Store(), info)
			if err != nil {
				return err
			}
			list = append(list, x)
		}
		return nil
	}, func(s *server) error {
		after := ""
		for {
			var page answer.Accounts
			if err := s.Do(a.ctx, http.MethodGet, "/v1/accounts?after="+url.QueryEscape(after), nil, &page); err != nil {
				return err
			}
			list = append(list, page.Accounts...)
			if after = page.Next; after == "" {
				return nil
			}
		}
	})
	return list, err
}

// Run lists accounts.
func (accountListCmd) Run(a *app) error {
	list, err := a.accounts()
	if err != nil {
		return err
	}
	var lines []string
	for i := range list {
		lines = append(lines, accountLine(&list[i]))
	}
	return a.result(answer.Accounts{Accounts: list}, lines...)
}

// Run makes an account.
func (c *accountAddCmd) Run(a *app) error {
	name, password, err := a.user(c.Name, c.Password)
	if err != nil {
		return err
	}
	q := answer.Quota{Bytes: c.Bytes, Messages: c.Messages, Mailboxes: c.Mailboxes}
	if q.Bytes < 0 || q.Messages < 0 || q.Mailboxes < 0 {
		return &useError{"a quota is not negative; 0 is no limit"}
	}
	if !a.dryRun {
		err = a.withStore(true, func(e *sqlite.Engine) error {
			return a.addAccount(e.Store(), name, password, store.Limits(q))
		}, func(s *server) error {
			in := map[string]any{"name": name, "password": password, "quota": q}
			return s.Do(a.ctx, http.MethodPost, "/v1/accounts", in, nil)
		})
	}
	if err != nil {
		return err
	}
	return a.result(answer.Account{Name: name, State: "active", Quota: q}, "account "+name)
}

// specialMailboxes are made for a new account (RFC 6154), as the server does.
var specialMailboxes = [...]string{"Archive", "Drafts", "Junk", "Sent", "Trash"}

// addAccount makes the account with its mailboxes, and then its user: who has a
// password has an account.
func (a *app) addAccount(s store.Store, name, password string, limits store.Limits) error {
	id := store.AccountID(name)
	if err := s.Create(a.ctx, id, store.AccountInfo{ID: id, Limits: limits}); err != nil {
		return err
	}
	acct, err := s.Open(a.ctx, id)
	if err != nil {
		return err
	}
	subscribed := true
	ops := []store.Op{store.PutEntry{Key: "mailserver/mailboxes", Value: []byte("1")}} // or the server would make them again
	for _, box := range specialMailboxes {
		role := `\` + box
		ops = append(ops, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: box, Role: &role, Subscribed: &subscribed})
	}
	if _, err := acct.Apply(a.ctx, store.Change{Ops: ops}); err != nil {
		return err
	}
	return a.setPassword(name, password)
}

// user is the canonical name, and the password where it was given, else a line
// of the standard input.
func (a *app) user(given, password string) (name, _ string, err error) {
	name, err = login.Canonical(given)
	if err != nil || !strings.Contains(name, "@") {
		return "", "", &useError{fmt.Sprintf("%q is no address", given)}
	}
	if password == "" {
		line, err := bufio.NewReader(a.in).ReadString('\n')
		if password = strings.TrimRight(line, "\r\n"); password == "" && err != nil && !errors.Is(err, io.EOF) {
			return "", "", err
		}
	}
	if password == "" {
		return "", "", &useError{"there is no password: --password, or a line of the standard input"}
	}
	return name, password, nil
}

// setPassword writes the user's line of the server's passwd file.
func (a *app) setPassword(name, password string) error {
	c, err := login.NewCredentials(login.NewPassword(password), login.Params{}, "SCRAM-SHA-256")
	if err != nil {
		return err
	}
	return a.users().SetCredentials(a.ctx, name, c)
}

// users is the server's passwd file.
func (a *app) users() *filelogin.File {
	return &filelogin.File{Path: filepath.Join(a.data, "passwd"), Logger: a.log}
}

// Run sets a password.
func (c *accountPassCmd) Run(a *app) error {
	name, password, err := a.user(c.Name, c.Password)
	if err != nil {
		return err
	}
	err = a.withStore(false, func(e *sqlite.Engine) error {
		if _, err := e.Store().Open(a.ctx, store.AccountID(name)); err != nil || a.dryRun {
			return err
		}
		return a.setPassword(name, password)
	}, func(s *server) error {
		if a.dryRun {
			return nil
		}
		return s.Do(a.ctx, http.MethodPut, "/v1/accounts/"+url.PathEscape(name)+"/password", map[string]string{"password": password}, nil)
	})
	if err != nil {
		return err
	}
	return a.result(struct {
		Name string `json:"name"`
	}{name}, "password of "+name)
}

// Run shows or sets a quota.
func (c *accountQuotaCmd) Run(a *app) error {
	list, err := a.accounts()
	if err != nil {
		return err
	}
	for i := range list {
		if x := &list[i]; x.Name == c.Name {
			return c.set(a, x)
		}
	}
	return fmt.Errorf("account %q: %w", c.Name, store.ErrNoAccount)
}

func (c *accountQuotaCmd) set(a *app, x *answer.Account) error {
	q := x.Quota
	changed := false
	for _, f := range [...]struct{ to, from *int64 }{{&q.Bytes, c.Bytes}, {&q.Messages, c.Messages}, {&q.Mailboxes, c.Mailboxes}} {
		if f.from == nil {
			continue
		}
		if *f.from < 0 {
			return &useError{"a quota is not negative; 0 is no limit"}
		}
		*f.to, changed = *f.from, true
	}
	x.Quota = q
	if changed && !a.dryRun {
		err := a.withStore(false, func(e *sqlite.Engine) error {
			acct, err := e.Store().Open(a.ctx, store.AccountID(c.Name))
			if err != nil {
				return err
			}
			limits := store.Limits(q)
			_, err = acct.Apply(a.ctx, store.Change{Ops: []store.Op{store.PutAccount{Limits: &limits}}})
			return err
		}, func(s *server) error {
			return s.Do(a.ctx, http.MethodPut, "/v1/accounts/"+url.PathEscape(c.Name)+"/quota", q, nil)
		})
		if err != nil {
			return err
		}
	}
	return a.result(x, accountLine(x), fmt.Sprintf("quota: %d octets, %d messages, %d mailboxes (0 = no limit)", q.Bytes, q.Messages, q.Mailboxes))
}
