package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/store"
)

// newDirectory knows the accounts of the store as addresses.
func newDirectory(o *options, s store.Store, accounts []account) (*deliver.Accounts, error) {
	d := &deliver.Accounts{Domains: o.domains}
	d.Exists = func(ctx context.Context, id store.AccountID) (bool, error) {
		_, err := s.Open(ctx, id)
		if errors.Is(err, store.ErrNoAccount) {
			return false, nil
		}
		return err == nil, err
	}
	d.Postmaster = func(ctx context.Context) (store.AccountID, error) {
		if len(accounts) > 0 {
			name, err := login.Canonical(accounts[0].name)
			return store.AccountID(name), err
		}
		for a, err := range s.Accounts(ctx, "") {
			return a.ID, err
		}
		return "", errors.New("there is no account that could be the postmaster")
	}
	if o.catchAll != "" && o.catchAll != "off" {
		name, err := login.Canonical(o.catchAll)
		if err != nil {
			return nil, fmt.Errorf("-catch-all: %w", err)
		}
		if _, err := s.Open(context.Background(), store.AccountID(name)); err != nil {
			return nil, fmt.Errorf("-catch-all %s: %w", o.catchAll, err)
		}
		d.CatchAll = store.AccountID(name)
	}
	return d, nil
}

// warnForeign says which accounts get no mail, since their domain is not one of
// -domain.
func warnForeign(log *slog.Logger, d *deliver.Accounts, accounts []account) {
	for _, a := range accounts {
		if domain := a.name[strings.LastIndexByte(a.name, '@')+1:]; !d.IsLocal(domain) {
			log.Warn("no mail arrives for this account: its domain is not one of -domain", "account", a.name)
		}
	}
}
