package main

import (
	"errors"
	"io/fs"
	"net/http"
	"path/filepath"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/examples/internal/transfer"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/control"
)

// maxMigrations bounds the migrations that run at a time. They take turns with
// everybody's deliveries in the store's committer, so several do no harm.
const maxMigrations = 4

// migrate copies mail between an account of this server and another place, while
// everything else goes on.
func (c *controls) migrate(r *http.Request, l *control.Lines) (any, error) {
	select {
	case c.migrations <- struct{}{}:
		defer func() { <-c.migrations }()
	default:
		return nil, &control.Error{Status: http.StatusConflict, Code: "busy", Message: "as many migrations run as may at a time"}
	}
	var in answer.MigrateRequest
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	for _, side := range [...]answer.MigratePlace{in.Source, in.Target} {
		if abs, err := transfer.Absolute(side.URL); err == nil && abs != side.URL {
			return nil, control.BadRequest("a path is absolute")
		}
	}
	var gone error // the client
	env := transfer.Env{
		Store: c.s.engine.store, Name: transfer.StoreName(c.s.o.store, c.s.o.data),
		State: filepath.Join(c.s.o.data, transfer.StateName), Logger: c.s.log, Log: c.s.log,
		Progress: func(p answer.Migrating) {
			if gone == nil {
				gone = l.Progress(p)
			}
		},
		Item: func(x answer.MigrateItem) {
			if gone == nil {
				gone = l.Item(x)
			}
		},
	}
	out, err := transfer.Run(r.Context(), env, &in)
	c.s.log.Info("control", "request", r.URL.Path, "source", out.Source, "target", out.Target, "copied", out.Copied, "skipped", out.Skipped, "failed", out.Failed, "error", err)
	if err != nil {
		return nil, migrateError(err)
	}
	return out, nil
}

// migrateError gives the errors of a migration their codes.
func migrateError(err error) error {
	if e, ok := errors.AsType[*transfer.UseError](err); ok {
		return control.BadRequest("%s", e.Text)
	}
	for _, e := range [...]struct {
		is     error
		status int
		code   string
	}{
		{store.ErrNoAccount, http.StatusNotFound, control.CodeNotFound},
		{store.ErrInUse, http.StatusConflict, "busy"},
		{migrate.ErrBusy, http.StatusConflict, "busy"},
		{migrate.ErrLogin, http.StatusConflict, "login"},
		{fs.ErrPermission, http.StatusConflict, transfer.CodeFiles},
		{fs.ErrNotExist, http.StatusConflict, transfer.CodeFiles},
	} {
		if errors.Is(err, e.is) {
			return &control.Error{Status: e.status, Code: e.code, Message: err.Error()}
		}
	}
	return err
}
