package main

import (
	"errors"
	"net/http"
	"path/filepath"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/control"
)

// backupRequest is what POST /v1/backup takes.
type backupRequest struct {
	Archive  string   `json:"archive"` // absolute
	Accounts []string `json:"accounts"`
	Mailbox  string   `json:"mailbox"`
	Full     bool     `json:"full"`
	DryRun   bool     `json:"dry_run"`
}

// backupAnswer is the result of backup.
type backupAnswer struct {
	Backup      string `json:"backup,omitempty"`
	Resumed     bool   `json:"resumed,omitempty"`
	Full        int    `json:"full"` // accounts
	Incremental int    `json:"incremental"`
	Unchanged   int    `json:"unchanged"`
	Messages    int64  `json:"messages"`
	Bodies      int64  `json:"bodies"` // new ones
	Bytes       int64  `json:"bytes"`
	Missing     int64  `json:"missing"`
}

// restoreRequest is what POST /v1/restore takes.
type restoreRequest struct {
	Archive     string      `json:"archive"` // absolute
	Backup      string      `json:"backup"`
	Accounts    []string    `json:"accounts"`
	As          string      `json:"as"`
	Append      bool        `json:"append"`
	Mailbox     string      `json:"mailbox"`
	UIDs        [][2]uint32 `json:"uids"` // first and last
	Into        string      `json:"into"`
	Run         string      `json:"run"`
	IgnoreQuota bool        `json:"ignore_quota"`
	Partial     bool        `json:"partial"`
	DryRun      bool        `json:"dry_run"`
}

// restoreAnswer is the result of restore.
type restoreAnswer struct {
	Backup    string `json:"backup"`
	Accounts  int    `json:"accounts"`
	Already   int    `json:"already"`
	Mailboxes int    `json:"mailboxes"`
	Messages  int64  `json:"messages"`
	Skipped   int64  `json:"skipped"`
	Lost      int64  `json:"lost"`
	Bytes     int64  `json:"bytes"`
}

// copied is the progress of backup and restore.
type copied struct {
	Account  string `json:"account,omitempty"`
	Done     int    `json:"done"`
	Total    int    `json:"total"`
	Messages int64  `json:"messages"`
	Bodies   int64  `json:"bodies"`
	Bytes    int64  `json:"bytes"`
}

// teller sends what a backup or restore reports to the client.
type teller struct {
	l    *control.Lines
	gone error // the client
}

func (t *teller) progress(p backup.Progress) {
	if t.gone == nil {
		t.gone = t.l.Progress(copied{string(p.Account), p.Done, p.Total, p.Messages, p.Bodies, p.Bytes})
	}
}

func (t *teller) problem(p *backup.Problem) {
	if t.gone == nil {
		t.gone = t.l.Item(problem{Account: string(p.Account), Mailbox: p.Mailbox, UID: uint32(p.UID), File: p.Object, Text: p.Err.Error()})
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
	var in backupRequest
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	a, err := archiveAt(in.Archive)
	if err != nil {
		return nil, err
	}
	t := &teller{l: l}
	rep, err := a.Backup(r.Context(), c.s.engine.Store(), backup.BackupOptions{
		Accounts: accountIDs(in.Accounts), Mailbox: in.Mailbox, Full: in.Full, DryRun: in.DryRun,
		Holder: &c.s.backups, Progress: t.progress, Problem: t.problem,
	})
	if err != nil {
		return nil, archiveError(err)
	}
	out := backupAnswer{
		Resumed: rep.Resumed, Full: rep.Full, Incremental: rep.Incremental, Unchanged: rep.Unchanged,
		Messages: rep.Messages, Bodies: rep.Bodies, Bytes: rep.Bytes, Missing: rep.Missing,
	}
	if rep.Manifest != nil {
		out.Backup = rep.Manifest.ID
	}
	return out, nil
}

// restore restores into accounts of this server.
func (c *controls) restore(r *http.Request, l *control.Lines) (any, error) {
	var in restoreRequest
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
	rep, err := a.Restore(r.Context(), c.s.engine.Store(), backup.RestoreOptions{
		Backup: in.Backup, Accounts: accountIDs(in.Accounts), As: store.AccountID(in.As), Append: in.Append, Mailbox: in.Mailbox,
		UIDs: uids, Into: in.Into, Run: in.Run, IgnoreQuota: in.IgnoreQuota, Partial: in.Partial, DryRun: in.DryRun,
		Progress: t.progress, Problem: t.problem,
	})
	if err != nil {
		return nil, archiveError(err)
	}
	return restoreAnswer{
		Backup: rep.Backup, Accounts: rep.Accounts, Already: rep.Already, Mailboxes: rep.Mailboxes,
		Messages: rep.Messages, Skipped: rep.Skipped, Lost: rep.Lost, Bytes: rep.Bytes,
	}, nil
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
