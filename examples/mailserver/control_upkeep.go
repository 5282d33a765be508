package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
	"github.com/mailstead/mailstead/store/control"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// verify reads every body, and every message with what refers to it.
func (c *controls) verify(r *http.Request, l *control.Lines) (any, error) {
	a, err := c.verifyBodies(r.Context(), l)
	if err != nil || c.s.engine.verify == nil {
		return a, err
	}
	if err := l.Progress(answer.Phase{Phase: "messages"}); err != nil {
		return nil, err
	}
	var gone error
	err = c.s.engine.verify(r.Context(), func(p *sqlstore.Problem) {
		a.Problems++
		if gone == nil {
			gone = l.Item(answer.Problem{Account: string(p.Account), Mailbox: p.Mailbox, UID: uint32(p.UID), Text: p.Err.Error()})
		}
	})
	return a, errors.Join(err, gone)
}

// verifyBodies reads the segment files, where there are some.
func (c *controls) verifyBodies(ctx context.Context, l *control.Lines) (a answer.Verified, err error) {
	if c.s.engine.segments == nil {
		return a, nil
	}
	if err := l.Progress(answer.Phase{Phase: "bodies"}); err != nil {
		return a, err
	}
	rep, err := c.s.engine.segments.Verify(ctx)
	if err != nil && !errors.Is(err, blob.ErrCorrupt) {
		return a, err
	}
	for _, d := range rep.Damaged {
		if err := l.Item(damage(d)); err != nil {
			return a, err
		}
	}
	return answer.Verified{Bodies: rep.Blobs, Bytes: rep.Bytes, Problems: len(rep.Damaged)}, nil
}

func damage(d segment.Damage) answer.Problem {
	return answer.Problem{File: d.File, Offset: d.Offset, Octets: d.Octets, Text: store.ErrCorrupt.Error()}
}

// collectAnswer is the result of collect.
type collectAnswer struct {
	Seen       int64 `json:"seen"`       // bodies
	Candidates int64 `json:"candidates"` // of those, older than 24 h
	Held       int64 `json:"held"`       // of the candidates
	Deleted    int64 `json:"deleted"`
	Skipped    int64 `json:"skipped"` // kept because something failed
	Bytes      int64 `json:"bytes"`   // in the deleted ones
	Compacted  int   `json:"compacted_segments"`
	Freed      int64 `json:"freed_bytes"` // on disk
}

// collectNow frees bodies that nobody holds, and their space on disk.
func (c *controls) collectNow(r *http.Request, l *control.Lines) (any, error) {
	if err := l.Progress(answer.Phase{Phase: "collect"}); err != nil {
		return nil, err
	}
	st, err := c.s.collector().Collect(r.Context())
	if err != nil {
		return nil, err
	}
	a := collectAnswer{
		Seen: st.Seen, Candidates: st.Candidates, Held: st.Held, Deleted: st.Deleted, Skipped: st.Skipped, Bytes: st.Bytes,
	}
	if c.s.engine.segments == nil {
		return a, nil
	}
	if err := l.Progress(answer.Phase{Phase: "compact"}); err != nil {
		return nil, err
	}
	cs, err := c.s.engine.segments.Compact(r.Context())
	a.Compacted, a.Freed = cs.Rewritten+cs.Removed, cs.Freed
	return a, err
}
