package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/control"
)

// pageSize bounds a page of a list; a request may ask for less.
const pageSize = 1000

// quota is what an account may hold; zero = no limit.
type quota struct {
	Bytes     int64 `json:"bytes"`
	Messages  int64 `json:"messages"`
	Mailboxes int64 `json:"mailboxes"`
}

func (q *quota) limits() (store.Limits, error) {
	if q.Bytes < 0 || q.Messages < 0 || q.Mailboxes < 0 {
		return store.Limits{}, control.BadRequest("a quota is not negative; 0 is no limit")
	}
	return store.Limits{Bytes: q.Bytes, Messages: q.Messages, Mailboxes: q.Mailboxes}, nil
}

// accountAnswer is one account in a list.
type accountAnswer struct {
	Name      string `json:"name"`
	State     string `json:"state"` // active, importing, closed
	Bytes     int64  `json:"bytes"`
	Messages  int64  `json:"messages"`
	Mailboxes int64  `json:"mailboxes"`
	Quota     quota  `json:"quota"`
}

// page is what a list request says: names after After, Limit at most.
func page(q url.Values) (after string, limit int, err error) {
	limit = pageSize
	if s := q.Get("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 || limit > pageSize {
			return "", 0, control.BadRequest("limit is 1 to %d", pageSize)
		}
	}
	return q.Get("after"), limit, nil
}

// accountList is a page of accounts.
type accountList struct {
	Accounts []accountAnswer `json:"accounts"`
	Next     string          `json:"next,omitempty"` // the after of the next page
}

func (c *controls) listAccounts(r *http.Request) (any, error) {
	after, limit, err := page(r.URL.Query())
	if err != nil {
		return nil, err
	}
	a := accountList{Accounts: []accountAnswer{}}
	for info, err := range c.s.engine.Store().Accounts(r.Context(), store.AccountID(after)) {
		if err != nil {
			return nil, err
		}
		if len(a.Accounts) == limit {
			a.Next = a.Accounts[limit-1].Name
			break
		}
		one, err := c.account(r.Context(), info)
		if errors.Is(err, store.ErrNoAccount) {
			continue // dropped meanwhile
		}
		if err != nil {
			return nil, err
		}
		a.Accounts = append(a.Accounts, one)
	}
	return a, nil
}

func (c *controls) account(ctx context.Context, info store.AccountInfo) (a accountAnswer, err error) {
	acct, err := c.s.engine.Store().Open(ctx, info.ID)
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
	return accountAnswer{
		Name: string(info.ID), State: state, Bytes: u.Bytes, Messages: u.Messages, Mailboxes: u.Mailboxes,
		Quota: quota{Bytes: u.Limits.Bytes, Messages: u.Limits.Messages, Mailboxes: u.Limits.Mailboxes},
	}, nil
}

// addAccount makes an account with its mailboxes, and then its user: who has a
// password has an account.
func (c *controls) addAccount(r *http.Request) (any, error) {
	var in struct {
		Name     string `json:"name"`
		Password string `json:"password"`
		Quota    *quota `json:"quota"`
	}
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	name, err := addressOf(in.Name)
	if err != nil {
		return nil, err
	}
	if in.Password == "" {
		return nil, control.BadRequest("an account needs a password")
	}
	id := store.AccountID(name)
	if _, err := c.s.engine.Store().Open(r.Context(), id); err == nil {
		return nil, fmt.Errorf("account %q: %w", name, store.ErrExists)
	} else if !errors.Is(err, store.ErrNoAccount) {
		return nil, err
	}
	if in.Quota != nil {
		if _, err := in.Quota.limits(); err != nil {
			return nil, err
		}
	}
	if err := makeAccount(r.Context(), c.s.engine.Store(), id); err != nil {
		return nil, err
	}
	if in.Quota != nil {
		if err := c.limit(r.Context(), id, in.Quota); err != nil {
			return nil, err
		}
	}
	return struct{}{}, setPassword(r.Context(), c.users, name, in.Password)
}

// addressOf is the canonical form of an account's name, a whole address.
func addressOf(s string) (string, error) {
	name, err := login.Canonical(s)
	if err != nil {
		return "", err
	}
	if !isAddress(name) {
		return "", control.BadRequest("the name of an account is a whole address")
	}
	return name, nil
}

// limit sets the quota of an account.
func (c *controls) limit(ctx context.Context, id store.AccountID, q *quota) error {
	limits, err := q.limits()
	if err != nil {
		return err
	}
	acct, err := c.s.engine.Store().Open(ctx, id)
	if err != nil {
		return err
	}
	_, err = acct.Apply(ctx, store.Change{Ops: []store.Op{store.PutAccount{Limits: &limits}}})
	return err
}

func (c *controls) setQuota(r *http.Request) (any, error) {
	var q quota
	if err := control.Decode(r, &q); err != nil {
		return nil, err
	}
	name, err := addressOf(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return struct{}{}, c.limit(r.Context(), store.AccountID(name), &q)
}

func (c *controls) setPassword(r *http.Request) (any, error) {
	var in struct {
		Password string `json:"password"`
	}
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	name, err := addressOf(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	if in.Password == "" {
		return nil, control.BadRequest("the password is empty")
	}
	if _, err := c.s.engine.Store().Open(r.Context(), store.AccountID(name)); err != nil {
		return nil, err
	}
	return struct{}{}, setPassword(r.Context(), c.users, name, in.Password)
}
