package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/control"
	"github.com/mailstead/mailstead/store/sqlite"
)

// open opens the data directory. Where create is not set, it has to be there:
// a mistyped name must not make an empty store.
func (a *app) open(create bool) (*sqlite.Engine, error) {
	if !create {
		_, err := os.Stat(filepath.Join(a.data, "mail.db"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &useError{fmt.Sprintf("there is no store in %s; --data names the data directory", a.data)}
		}
		if err != nil {
			return nil, err
		}
	}
	return sqlite.Open(a.ctx, a.data, sqlite.Options{Logger: a.log})
}

// withStore runs f on the data directory or, when a server owns it, remote.
func (a *app) withStore(create bool, f func(*sqlite.Engine) error, remote func(*server) error) error {
	e, err := a.open(create)
	if errors.Is(err, store.ErrInUse) {
		if remote == nil {
			return fmt.Errorf("%w; a running server cannot be asked for this: stop it first", err)
		}
		s := &server{control.NewClient(a.data)}
		defer s.Close()
		return s.explain(remote(s), err)
	}
	if err != nil {
		return err
	}
	return errors.Join(f(e), e.Close())
}
