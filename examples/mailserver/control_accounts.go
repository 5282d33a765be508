package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/examples/internal/queuecontrol"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/control"
)

func limitsOf(q *answer.Quota) (store.Limits, error) {
	if q.Bytes < 0 || q.Messages < 0 || q.Mailboxes < 0 {
		return store.Limits{}, control.BadRequest("a quota is not negative; 0 is no limit")
	}
	return store.Limits{Bytes: q.Bytes, Messages: q.Messages, Mailboxes: q.Mailboxes}, nil
}

func (c *controls) listAccounts(r *http.Request) (any, error) {
	after, limit, err := queuecontrol.Page(r.URL.Query())
	if err != nil {
		return nil, err
	}
	a := answer.Accounts{Accounts: []answer.Account{}}
	for info, err := range c.s.engine.store.Accounts(r.Context(), store.AccountID(after)) {
		if err != nil {
			return nil, err
		}
		if len(a.Accounts) == limit {
			a.Next = a.Accounts[limit-1].Name
			break
		}
		one, err := answer.AccountOf(r.Context(), c.s.engine.store, info)
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

// addAccount makes an account with its mailboxes, and then its user: who has a
// password has an account.
func (c *controls) addAccount(r *http.Request) (any, error) {
	var in struct {
		Name     string        `json:"name"`
		Password string        `json:"password"`
		Quota    *answer.Quota `json:"quota"`
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
	if _, err := c.s.engine.store.Open(r.Context(), id); err == nil {
		return nil, fmt.Errorf("account %q: %w", name, store.ErrExists)
	} else if !errors.Is(err, store.ErrNoAccount) {
		return nil, err
	}
	if in.Quota != nil {
		if _, err := limitsOf(in.Quota); err != nil {
			return nil, err
		}
	}
	if err := makeAccount(r.Context(), c.s.engine.store, id); err != nil {
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
func (c *controls) limit(ctx context.Context, id store.AccountID, q *answer.Quota) error {
	limits, err := limitsOf(q)
	if err != nil {
		return err
	}
	acct, err := c.s.engine.store.Open(ctx, id)
	if err != nil {
		return err
	}
	_, err = acct.Apply(ctx, store.Change{Ops: []store.Op{store.PutAccount{Limits: &limits}}})
	return err
}

func (c *controls) setQuota(r *http.Request) (any, error) {
	var q answer.Quota
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
	if _, err := c.s.engine.store.Open(r.Context(), store.AccountID(name)); err != nil {
		return nil, err
	}
	return struct{}{}, setPassword(r.Context(), c.users, name, in.Password)
}
