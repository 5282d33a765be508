package answer

import (
	"context"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/activity"
	"github.com/mailstead/mailstead/store"
)

// Quota is what an account may hold; zero = no limit.
type Quota struct {
	Bytes     int64 `json:"bytes"`
	Messages  int64 `json:"messages"`
	Mailboxes int64 `json:"mailboxes"`
}

// Account is one account.
type Account struct {
	Name      string `json:"name"`
	State     string `json:"state"` // active, importing, closed
	Bytes     int64  `json:"bytes"`
	Messages  int64  `json:"messages"`
	Mailboxes int64  `json:"mailboxes"`
	Quota     Quota  `json:"quota"`
}

// Accounts is a page of accounts.
type Accounts struct {
	Accounts []Account `json:"accounts"`
	Next     string    `json:"next,omitempty"` // the after of the next page
}

// AccountOf looks up what an account holds. store.ErrNoAccount: it was dropped.
func AccountOf(ctx context.Context, s store.Store, info store.AccountInfo) (a Account, err error) {
	acct, err := s.Open(ctx, info.ID)
	if err != nil {
		return a, err
	}
	u, err := acct.Usage(ctx)
	if err != nil {
		return a, err
	}
	state := map[store.AccountState]string{
		store.AccountActive: "active", store.AccountImporting: "importing", store.AccountClosed: "closed",
	}[info.State]
	return Account{
		Name: string(info.ID), State: state, Bytes: u.Bytes, Messages: u.Messages, Mailboxes: u.Mailboxes, Quota: Quota(u.Limits),
	}, nil
}

// Logins is what is known of an account's logins.
type Logins struct {
	Name string `json:"name"`
	activity.Account
}

// Refused are the latest refused logins, of everybody.
type Refused struct {
	Refused []activity.Failure `json:"refused"`
}

// AppPassword is an app password without its secret.
type AppPassword struct {
	Label     string           `json:"label"`
	Protocols []login.Protocol `json:"protocols,omitempty"` // none: everywhere
	Created   *time.Time       `json:"created,omitempty"`
	LastUsed  *time.Time       `json:"last_used,omitempty"`
}

// AppPasswords are those of an account.
type AppPasswords struct {
	AppPasswords []AppPassword `json:"app_passwords"`
	Only         bool          `json:"only"` // the account's own password is refused
}

// AppPasswordsOf takes them from a record.
func AppPasswordsOf(rec *login.Record) AppPasswords {
	list := AppPasswords{AppPasswords: []AppPassword{}, Only: rec.AppPasswordsOnly}
	for _, p := range rec.AppPasswords {
		list.AppPasswords = append(list.AppPasswords, AppPassword{p.Name, p.Protocols, Known(p.Created), Known(p.LastUsed)})
	}
	return list
}
