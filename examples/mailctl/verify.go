package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/control"
	"github.com/mailstead/mailstead/store/sqlite"
	"github.com/mailstead/mailstead/store/sqlstore"
)

type verifyCmd struct {
	Archive string `arg:"" optional:"" help:"Directory of an archive; without one the data directory is verified."`
	Backup  string `help:"Only this backup." placeholder:"ID"`
	Quick   bool   `help:"Do not read the bodies of the archive."`
	Compare bool   `help:"Compare the newest backup with the data directory."`
}

// Run verifies.
func (c *verifyCmd) Run(a *app) error {
	if c.Archive == "" {
		if c.Backup != "" || c.Quick || c.Compare {
			return &useError{"--backup, --quick and --compare need an archive"}
		}
		return a.verifyData()
	}
	if !c.Compare {
		return c.archive(a, nil)
	}
	return a.withStore(false, func(e *sqlite.Engine) error { return c.archive(a, e) }, nil)
}

// archiveResult is the answer of verify for an archive.
type archiveResult struct {
	Backups      int      `json:"backups"`
	Accounts     int      `json:"accounts"`
	Messages     int64    `json:"messages"`
	Objects      int      `json:"objects"`
	Bodies       int64    `json:"bodies"`
	Missing      int64    `json:"missing"`
	Stray        int      `json:"stray"`
	UnusedBodies int64    `json:"unused_bodies"`
	UnusedBytes  int64    `json:"unused_bytes"`
	Compared     int64    `json:"compared"`
	Problems     []string `json:"problems,omitempty"`
}

func (c *verifyCmd) archive(a *app, e *sqlite.Engine) error {
	found := &problems{a: a}
	m := a.meter("verify")
	o := backup.VerifyOptions{Backup: c.Backup, Quick: c.Quick, Progress: m.copied, Problem: found.archive}
	if e != nil {
		o.Store = e.Store()
	}
	r, err := archiveAt(c.Archive).Verify(a.ctx, o)
	m.end()
	if err != nil {
		return err
	}
	x := archiveResult{
		Backups: r.Backups, Accounts: r.Accounts, Messages: r.Messages, Objects: r.Objects, Bodies: r.Bodies, Missing: r.Missing,
		Stray: r.Stray, UnusedBodies: r.UnusedBodies, UnusedBytes: r.UnusedBytes, Compared: r.Compared, Problems: found.list,
	}
	lines := []string{fmt.Sprintf("%d backups, %d accounts, %d messages, %d objects, %d bodies; %d problems",
		x.Backups, x.Accounts, x.Messages, x.Objects, x.Bodies, len(x.Problems))}
	if x.Missing > 0 {
		lines = append(lines, fmt.Sprintf("%d bodies could not be read when they were backed up", x.Missing))
	}
	if e != nil {
		lines = append(lines, fmt.Sprintf("%d messages compared with the store", x.Compared))
	}
	return found.check(a.result(x, lines...))
}

// dataResult is the answer of verify for a data directory.
type dataResult struct {
	Bodies   int64    `json:"bodies"`
	Bytes    int64    `json:"bytes"`
	Problems []string `json:"problems,omitempty"`
}

func (a *app) verifyData() error {
	found := &problems{a: a}
	m := a.meter("verify")
	var x dataResult
	err := a.withStore(false, func(e *sqlite.Engine) error {
		m.show(step{Phase: "bodies"})
		rep, err := e.Blobs().Verify(a.ctx)
		if err != nil && !errors.Is(err, blob.ErrCorrupt) {
			return err
		}
		x.Bodies, x.Bytes = rep.Blobs, rep.Bytes
		for _, d := range rep.Damaged {
			found.add(&answer.Problem{File: d.File, Offset: d.Offset, Octets: d.Octets, Text: store.ErrCorrupt.Error()})
		}
		m.show(step{Phase: "messages", Bodies: x.Bodies, Bytes: x.Bytes})
		return e.Store().Verify(a.ctx, func(p *sqlstore.Problem) {
			found.add(&answer.Problem{Account: string(p.Account), Mailbox: p.Mailbox, UID: uint32(p.UID), Text: p.Err.Error()})
		})
	}, func(s *server) error {
		var result answer.Verified
		err := s.Stream(a.ctx, "/v1/verify", nil, &result, func(l control.Line) error {
			var p answer.Phase
			if l.Progress != nil && json.Unmarshal(l.Progress, &p) == nil {
				m.show(step{Phase: p.Phase})
			}
			found.item(l.Item)
			return nil
		})
		x.Bodies, x.Bytes = result.Bodies, result.Bytes
		return err
	})
	m.end()
	if err != nil {
		return err
	}
	x.Problems = found.list
	return found.check(a.result(x, fmt.Sprintf("%d bodies (%s); %d problems", x.Bodies, size(x.Bytes), len(x.Problems))))
}
