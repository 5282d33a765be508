package main

import (
	"errors"
	"net/http"
	"path/filepath"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/control"
)

// teller sends what a backup or restore reports to the client.
type teller struct {
	l    *control.Lines
	gone error // the client
}

func (t *teller) progress(p backup.Progress) {
	if t.gone == nil {
		t.gone = t.l.Progress(answer.CopiedOf(p))
	}
}

func (t *teller) problem(p *backup.Problem) {
	if t.gone == nil {
		t.gone = t.l.Item(answer.Problem{Account: string(p.Account), Mailbox: p.Mailbox, UID: uint32(p.UID), File: p.Object, Text: p.Err.Error()})
	}
}

// archiveAt is the archive in a directory, which is named in full: the server
// does not know where its client is.
func archiveAt(dir string) (*backup.Archive, error) {
	if !filepath.IsAbs(dir) {
		return nil, control.BadRequest("archive is an absolute path")
	}
	return &backup.Archive{Target: backup.NewDir(dir)}, nil
}

func accountIDs(names []string) (ids []store.AccountID) {
	for _, name := range names {
		ids = append(ids, store.AccountID(name))
	}
	return ids
}

// backup makes a backup while everything else goes on.
func (c *controls) backup(r *http.Request, l *control.Lines) (any, error) {
	var in answer.BackupRequest
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	a, err := archiveAt(in.Archive)
	if err != nil {
		return nil, err
	}
	t := &teller{l: l}
	rep, err := a.Backup(r.Context(), c.s.engine.store, backup.BackupOptions{
		Accounts: accountIDs(in.Accounts), Mailbox: in.Mailbox, Full: in.Full, DryRun: in.DryRun,
		Holder: &c.s.backups, Progress: t.progress, Problem: t.problem,
	})
	if err != nil {
		return nil, archiveError(err)
	}
	return answer.BackedUpOf(rep), nil
}

// restore restores into accounts of this server.
func (c *controls) restore(r *http.Request, l *control.Lines) (any, error) {
	var in answer.RestoreRequest
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	a, err := archiveAt(in.Archive)
	if err != nil {
		return nil, err
	}
	var uids store.UIDSet
	for _, u := range in.UIDs {
		uids.AddRange(store.UID(u[0]), store.UID(u[1]))
	}
	t := &teller{l: l}
	rep, err := a.Restore(r.Context(), c.s.engine.store, backup.RestoreOptions{
		Backup: in.Backup, Accounts: accountIDs(in.Accounts), As: store.AccountID(in.As), Append: in.Append, Mailbox: in.Mailbox,
		UIDs: uids, Into: in.Into, Run: in.Run, IgnoreQuota: in.IgnoreQuota, Partial: in.Partial, DryRun: in.DryRun,
		Progress: t.progress, Problem: t.problem,
	})
	if err != nil {
		return nil, archiveError(err)
	}
	return answer.RestoredOf(rep), nil
}

// archiveError gives the errors of an archive their codes.
func archiveError(err error) error {
	for _, e := range [...]struct {
		is     error
		status int
		code   string
	}{
		{backup.ErrNoBackup, http.StatusNotFound, control.CodeNotFound},
		{backup.ErrNotEmpty, http.StatusConflict, "exists"},
		{backup.ErrDamaged, http.StatusInternalServerError, "damaged"},
		{store.ErrInUse, http.StatusConflict, "busy"},
		{store.ErrInvalid, http.StatusBadRequest, control.CodeBadRequest},
		{store.ErrOverQuota, http.StatusConflict, "over_quota"},
	} {
		if errors.Is(err, e.is) {
			return &control.Error{Status: e.status, Code: e.code, Message: err.Error()}
		}
	}
	return err
}
