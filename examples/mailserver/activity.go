package main

import (
	"context"
	"errors"
	"time"

	"github.com/mailstead/mailstead/auth/login/activity"
	"github.com/mailstead/mailstead/store"
)

// loginsKey is the entry of an account that says who logged in last.
const loginsKey = "mailserver/logins"

// rememberEvery is how often observed logins are stored.
const rememberEvery = time.Minute

// loginEntries keeps the logins of accounts in their entries, where every node
// and every backup has them.
type loginEntries struct{ store store.Store }

var _ activity.Store = loginEntries{}

func (e loginEntries) open(ctx context.Context, account string) (store.Account, error) {
	a, err := e.store.Open(ctx, store.AccountID(account))
	if errors.Is(err, store.ErrNoAccount) {
		err = activity.ErrNoAccount
	}
	return a, err
}

// Load implements activity.Store.
func (e loginEntries) Load(ctx context.Context, account string) ([]byte, error) {
	a, err := e.open(ctx, account)
	if err != nil {
		return nil, err
	}
	for entry, err := range a.Entries(ctx, store.EntryQuery{Prefix: loginsKey}) {
		if err != nil {
			return nil, err
		}
		if entry.Key == loginsKey {
			return entry.Value, nil
		}
	}
	return nil, nil
}

// Save implements activity.Store.
func (e loginEntries) Save(ctx context.Context, account string, value []byte) error {
	a, err := e.open(ctx, account)
	if err != nil {
		return err
	}
	_, err = a.Apply(ctx, store.Change{Ops: []store.Op{store.PutEntry{Key: loginsKey, Value: value}}})
	if errors.Is(err, store.ErrNoAccount) {
		err = activity.ErrNoAccount
	}
	return err
}

// rememberLogins stores what was observed until ctx ends, and then the rest.
func (s *server) rememberLogins(ctx context.Context) {
	tick := time.NewTicker(rememberEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		last := ctx.Err() != nil
		if err := s.activity.Flush(context.WithoutCancel(ctx), last); err != nil {
			s.log.Warn("logins not remembered", "error", err)
		}
	}
}
