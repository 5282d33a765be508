package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/emltree"
	"github.com/mailstead/mailstead/deliver/migrate/maildirtree"
	"github.com/mailstead/mailstead/deliver/migrate/mboxtree"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/examples/internal/cluster"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
)

// opened is a place that is in use; Close closes all that stands below it.
type opened struct {
	migrate.Source
	below func() error
}

// Close implements migrate.Source.
func (o *opened) Close() error {
	err := o.Source.Close()
	if o.below != nil {
		err = errors.Join(err, o.below())
	}
	return err
}

// open opens one side of a migration.
func (env *Env) open(ctx context.Context, in *answer.MigrateRequest, target bool) (*opened, error) {
	side := &in.Source
	if target {
		side = &in.Target
	}
	p, err := Parse(side.URL)
	if err != nil {
		return nil, err
	}
	switch p.Kind {
	case Account:
		if env.Store == nil {
			return nil, &UseError{"account: needs a data directory"}
		}
		return env.account(ctx, in, env.Store, p, target, nil)
	case SQLite:
		if env.Store != nil && env.Name == StoreName("sqlite:", p.Path) {
			return env.account(ctx, in, env.Store, p, target, nil) // the data directory itself
		}
		return env.sqlite(ctx, in, p, target)
	case Postgres:
		return env.postgres(ctx, in, p, side, target)
	case Maildir, Mbox, Eml:
		return env.files(p, target)
	}
	if p.Kind == POP3 || p.Kind == POP3S {
		return env.pop3(p, side)
	}
	return env.imap(ctx, p, side)
}

// files opens mail in files.
func (env *Env) files(p *Place, target bool) (*opened, error) {
	_, err := os.Stat(p.Path)
	switch {
	case target && errors.Is(err, fs.ErrNotExist): // it is made
	case errors.Is(err, fs.ErrNotExist):
		return nil, &UseError{"there is no " + p.Path}
	case err != nil:
		return nil, err
	}
	switch p.Kind {
	case Mbox:
		return &opened{Source: mboxtree.New(p.Path, mboxtree.Options{})}, nil
	case Eml:
		return &opened{Source: emltree.New(p.Path, emltree.Options{})}, nil
	}
	return &opened{Source: maildirtree.New(p.Path, maildirtree.Options{UTF8: p.UTF8})}, nil
}

// account is an account of a store. below closes the store.
func (env *Env) account(ctx context.Context, in *answer.MigrateRequest, s store.Store, p *Place, target bool, below func() error) (*opened, error) {
	o := storeaccount.Options{Store: env.Name}
	switch p.Kind {
	case SQLite:
		o.Store = StoreName("sqlite:", p.Path)
	case Postgres:
		o.Store = StoreName(p.Path, "")
	}
	if target {
		o.Create, o.KeepUIDs, o.IgnoreQuota = in.Create && !in.DryRun, in.KeepUIDs && !in.DryRun, in.IgnoreQuota
	}
	a, err := storeaccount.New(ctx, s, store.AccountID(p.Name), o)
	if err != nil {
		if errors.Is(err, store.ErrNoAccount) {
			err = fmt.Errorf("account %q: %w; --create makes that of a target", p.Name, store.ErrNoAccount)
		}
		if below != nil {
			err = errors.Join(err, below())
		}
		return nil, err
	}
	return &opened{a, below}, nil
}

// StoreName tells a store from others in what migrations remember: without
// secrets, and the same at every run. at is a value of mailserver's -store, and
// data its data directory.
func StoreName(at, data string) string {
	kind, rest, _ := strings.Cut(at, ":")
	switch kind {
	case Postgres, "postgresql":
		u, err := url.Parse(at)
		if err != nil {
			return Postgres
		}
		return Postgres + "://" + u.Host + u.Path
	case SQLite:
		return SQLite + ":" + RealPath(data)
	}
	return kind + ":" + RealPath(cmp.Or(rest, data))
}

// RealPath is the one name of a directory.
func RealPath(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real
	}
	return abs
}

// postgres opens the store of a cluster.
func (env *Env) postgres(ctx context.Context, in *answer.MigrateRequest, p *Place, side *answer.MigratePlace, target bool) (*opened, error) {
	bodies := cmp.Or(side.Blobs, cluster.InDatabase)
	if err := cluster.Check(p.Path, bodies); err != nil {
		return nil, &UseError{"postgres: " + err.Error()}
	}
	e, err := cluster.Open(ctx, p.Path, bodies, env.Logger)
	if err != nil {
		return nil, err
	}
	return env.account(ctx, in, e.Store(), p, target, e.Close)
}

// sqlite opens the store of another data directory.
func (env *Env) sqlite(ctx context.Context, in *answer.MigrateRequest, p *Place, target bool) (*opened, error) {
	if _, err := os.Stat(filepath.Join(p.Path, "mail.db")); errors.Is(err, fs.ErrNotExist) && !(target && in.Create && !in.DryRun) {
		return nil, &UseError{"there is no store in " + p.Path}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	e, err := sqlite.Open(ctx, p.Path, sqlite.Options{Logger: env.Logger})
	if errors.Is(err, store.ErrInUse) {
		return nil, fmt.Errorf("%w; its owner does the work where it is --data, and the account is named account:NAME", err)
	}
	if err != nil {
		return nil, err
	}
	return env.account(ctx, in, e.Store(), p, target, e.Close)
}
