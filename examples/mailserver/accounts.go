package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/examples/internal/program"
	"github.com/mailstead/mailstead/store"
)

// specialMailboxes are made for a new account (RFC 6154).
var specialMailboxes = [...]struct{ name, role string }{
	{"Archive", `\Archive`}, {"Drafts", `\Drafts`}, {"Junk", `\Junk`}, {"Sent", `\Sent`}, {"Trash", `\Trash`},
}

// account is a name and a password from the command line or from
// first-run.txt.
type account struct{ name, password string }

// openAccounts makes or updates the accounts that the command line calls for.
func (s *server) openAccounts(ctx context.Context) (err error) {
	if s.accounts, s.firstRun, err = accountsOf(s.o); err != nil {
		return err
	}
	if s.firstRun && s.engine.shared {
		if s.accounts, err = ownAccounts(ctx, s.engine, s.accounts); err != nil {
			return err
		}
	}
	return setUpAccounts(ctx, s.engine.users, s.engine.store, s.accounts)
}

// ownAccounts are those of a first run whose passwords are this node's: where
// another node has been there before, its passwords stay. The node that makes
// the account gives the password.
func ownAccounts(ctx context.Context, e *engine, accounts []account) (own []account, err error) {
	for _, a := range accounts {
		name, err := login.Canonical(a.name)
		if err != nil {
			return nil, err
		}
		made := e.store.Create(ctx, store.AccountID(name), store.AccountInfo{ID: store.AccountID(name)})
		if made != nil && !errors.Is(made, store.ErrExists) {
			return nil, made
		}
		rec, err := e.users.Lookup(ctx, name)
		if made == nil || errors.Is(err, login.ErrNoUser) {
			own = append(own, a)
			continue
		}
		if err != nil {
			return nil, err
		}
		if ok, err := login.Verify(rec.Hash, login.NewPassword(a.password)); err == nil && ok {
			own = append(own, a)
		}
	}
	return own, nil
}

// accountsOf are the accounts to make or update: those of -user or, without
// any and while all listeners are on loopback, alice and bob.
func accountsOf(o *options) (accounts []account, firstRun bool, err error) {
	for _, u := range o.users {
		name, password, _ := strings.Cut(u, ":")
		accounts = append(accounts, account{name, password})
	}
	if len(accounts) > 0 || !o.loopback() {
		return accounts, false, nil
	}
	accounts, err = firstRunAccounts(filepath.Join(o.data, firstRunFile), o.domains[0])
	return accounts, true, err
}

// firstRunFile is in the data directory.
const firstRunFile = "first-run.txt"

// firstRunAccounts reads the generated passwords, or generates them: lines
// NAME:PASSWORD.
func firstRunAccounts(file, domain string) ([]account, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		b = fmt.Appendf(nil, "alice@%s:%s\nbob@%s:%s\n", domain, rand.Text(), domain, rand.Text())
		err = program.WriteFile(file, b)
	}
	if err != nil {
		return nil, err
	}
	var accounts []account
	for line := range strings.Lines(string(b)) {
		if name, password, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			accounts = append(accounts, account{name, password})
		}
	}
	return accounts, nil
}

// setUpAccounts sets passwords, and makes accounts with their mailboxes.
func setUpAccounts(ctx context.Context, users users, s store.Store, accounts []account) error {
	for _, a := range accounts {
		name, err := login.Canonical(a.name)
		if err != nil {
			return fmt.Errorf("-user %s: %w", a.name, err)
		}
		if err := setPassword(ctx, users, name, a.password); err != nil {
			return fmt.Errorf("-user %s: %w", a.name, err)
		}
		if err := makeAccount(ctx, s, store.AccountID(name)); err != nil {
			return fmt.Errorf("-user %s: %w", a.name, err)
		}
	}
	return nil
}

// scramMechanism is what every password has a verifier for.
const scramMechanism = "SCRAM-SHA-256"

// setPassword stores a password unless what is stored fits already.
func setPassword(ctx context.Context, users users, name, password string) error {
	p := login.NewPassword(password)
	if rec, err := users.Lookup(ctx, name); err == nil && fits(rec, p) {
		return nil
	}
	c, err := login.NewCredentials(p, login.Params{}, scramMechanism)
	if err != nil {
		return err
	}
	return users.SetCredentials(ctx, name, c)
}

// fits reports whether all forms of the password are stored.
func fits(rec login.Record, p login.Password) bool {
	ok, err := login.Verify(rec.Hash, p)
	return err == nil && ok && !login.NeedsRehash(rec.Hash, login.Params{}) &&
		slices.ContainsFunc(rec.Secrets, func(s string) bool { return strings.HasPrefix(s, "{"+scramMechanism+"}") })
}

// madeKey marks an account whose mailboxes were made: what its user deletes
// later is not made again.
const madeKey = "mailserver/mailboxes"

// makeAccount makes the account and, once, its mailboxes.
func makeAccount(ctx context.Context, s store.Store, id store.AccountID) error {
	err := s.Create(ctx, id, store.AccountInfo{ID: id})
	if err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	acct, err := s.Open(ctx, id)
	if err != nil {
		return err
	}
	there, _, err := acct.Mailboxes(ctx, 0)
	if err != nil {
		return err
	}
	subscribed := true
	c := store.Change{Ops: []store.Op{store.PutEntry{Key: madeKey, Value: []byte("1"), IfAbsent: true}}}
	for _, m := range specialMailboxes {
		if !slices.ContainsFunc(there, func(b store.Mailbox) bool { return b.Name == m.name }) {
			c.Ops = append(c.Ops, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: m.name, Role: &m.role, Subscribed: &subscribed})
		}
	}
	if _, err = acct.Apply(ctx, c); errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}
