package main

import (
	"errors"
	"net/http"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
	"github.com/mailstead/mailstead/store/control"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// problem is an item of verify: a message, a mailbox, or a place in a file of
// bodies.
type problem struct {
	Account string `json:"account,omitempty"`
	Mailbox string `json:"mailbox,omitempty"`
	UID     uint32 `json:"uid,omitempty"`
	File    string `json:"file,omitempty"`
	Offset  int64  `json:"offset,omitempty"`
	Octets  int64  `json:"octets,omitempty"`
	Text    string `json:"text"`
}

// phase is the progress of verify and collect.
type phase struct {
	Phase string `json:"phase"`
}

// verifyAnswer is the result of verify. It succeeds with problems, too.
type verifyAnswer struct {
	Bodies   int64 `json:"bodies"` // good ones
	Bytes    int64 `json:"bytes"`
	Problems int   `json:"problems"`
}

// verify reads every body, and every message with what refers to it.
func (c *controls) verify(r *http.Request, l *control.Lines) (any, error) {
	if err := l.Progress(phase{"bodies"}); err != nil {
		return nil, err
	}
	rep, err := c.s.engine.Blobs().Verify(r.Context())
	if err != nil && !errors.Is(err, blob.ErrCorrupt) {
		return nil, err
	}
	a := verifyAnswer{Bodies: rep.Blobs, Bytes: rep.Bytes, Problems: len(rep.Damaged)}
	for _, d := range rep.Damaged {
		if err := l.Item(damage(d)); err != nil {
			return nil, err
		}
	}
	if err := l.Progress(phase{"messages"}); err != nil {
		return nil, err
	}
	var gone error
	err = c.s.engine.Store().Verify(r.Context(), func(p *sqlstore.Problem) {
		a.Problems++
		if gone == nil {
			gone = l.Item(problem{Account: string(p.Account), Mailbox: p.Mailbox, UID: uint32(p.UID), Text: p.Err.Error()})
		}
	})
	return a, errors.Join(err, gone)
}

func damage(d segment.Damage) problem {
	return problem{File: d.File, Offset: d.Offset, Octets: d.Octets, Text: store.ErrCorrupt.Error()}
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
	if err := l.Progress(phase{"collect"}); err != nil {
		return nil, err
	}
	st, err := c.s.collector().Collect(r.Context())
	if err != nil {
		return nil, err
	}
	if err := l.Progress(phase{"compact"}); err != nil {
		return nil, err
	}
	cs, err := c.s.engine.Blobs().Compact(r.Context())
	return collectAnswer{
		Seen: st.Seen, Candidates: st.Candidates, Held: st.Held, Deleted: st.Deleted, Skipped: st.Skipped,
		Bytes: st.Bytes, Compacted: cs.Rewritten + cs.Removed, Freed: cs.Freed,
	}, err
}
