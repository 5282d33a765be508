package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store/control"
)

// server asks the owner of a data directory; docs/guide/control.md has the
// requests.
type server struct{ *control.Client }

// explain says what to do where the owner does not listen or does not know the
// request.
func (s *server) explain(err, owned error) error {
	e, ok := errors.AsType[*control.Error](err)
	switch {
	case ok && e.Code == control.CodeNoServer:
		return fmt.Errorf("%w, and it cannot be asked: %s; stop it first", owned, e.Message)
	case ok && e.Code == control.CodeForbidden:
		return fmt.Errorf("%w, and it does not answer this user: %s", owned, e.Message)
	}
	return err
}

// copying sends a backup or restore; progress goes to m, problems to found.
func (s *server) copying(ctx context.Context, path string, in, out any, m *meter, found *problems) error {
	return s.Stream(ctx, path, in, out, func(l control.Line) error {
		if l.Progress != nil {
			var p answer.Copied
			if json.Unmarshal(l.Progress, &p) == nil {
				m.show(step{
					Account: p.Account, Done: int64(p.Done), Total: int64(p.Total), Messages: p.Messages, Bodies: p.Bodies, Bytes: p.Bytes,
				})
			}
		}
		found.item(l.Item)
		return nil
	})
}

// item adds what the server has found.
func (p *problems) item(raw json.RawMessage) {
	var x answer.Problem
	if raw != nil && json.Unmarshal(raw, &x) == nil {
		p.add(&x)
	}
}
