package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/sqlite"
)

type backupCmd struct {
	Archive    string        `arg:"" help:"Directory of the archive; made when missing."`
	Account    []string      `help:"Only this account; repeatable." placeholder:"NAME" sep:"none"`
	Mailbox    string        `help:"Only this mailbox of the one account." placeholder:"NAME"`
	Full       bool          `help:"Take everything again, apart from bodies that are there."`
	List       bool          `help:"List the backups of the archive, and make none."`
	Keep       int           `help:"Afterwards keep this many backups, and remove what only older ones need." placeholder:"N"`
	KeepWithin time.Duration `help:"Afterwards keep backups younger than this (720h)." placeholder:"DURATION"`
}

// backupResult is the answer of backup.
type backupResult struct {
	answer.BackedUp
	DryRun   bool     `json:"dry_run,omitempty"`
	Removed  []string `json:"removed,omitempty"` // backups, by Keep
	Freed    int64    `json:"freed,omitempty"`
	Problems []string `json:"problems,omitempty"`
}

func archiveAt(dir string) *backup.Archive { return &backup.Archive{Target: backup.NewDir(dir)} }

// Run makes a backup.
func (c *backupCmd) Run(a *app) error {
	archive := archiveAt(c.Archive)
	if c.List {
		return a.listBackups(archive)
	}
	if c.Mailbox != "" && len(c.Account) != 1 {
		return &useError{"--mailbox needs one --account"}
	}
	found := &problems{a: a}
	var x backupResult
	err := a.withStore(false, func(e *sqlite.Engine) error {
		m := a.meter("backup")
		defer m.end()
		o := backup.BackupOptions{Mailbox: c.Mailbox, Full: c.Full, DryRun: a.dryRun, Progress: m.copied, Problem: found.archive}
		for _, name := range c.Account {
			o.Accounts = append(o.Accounts, store.AccountID(name))
		}
		r, err := archive.Backup(a.ctx, e.Store(), o)
		if err == nil {
			x = backupResult{BackedUp: answer.BackedUpOf(r)}
		}
		return err
	}, func(s *server) error { return c.remote(a, s, &x, found) })
	if err != nil {
		return err
	}
	if err := c.prune(a, archive, &x); err != nil {
		return err
	}
	x.DryRun, x.Problems = a.dryRun, found.list
	line := fmt.Sprintf("backup %s: %d accounts in full, %d incremental, %d unchanged; %d messages, %d new bodies (%s)",
		x.Backup, x.Full, x.Incremental, x.Unchanged, x.Messages, x.Bodies, size(x.Bytes))
	if a.dryRun {
		line = fmt.Sprintf("would take %d accounts in full, %d incrementally; %d are unchanged", x.Full, x.Incremental, x.Unchanged)
	}
	if len(x.Removed) > 0 {
		line += fmt.Sprintf("\nremoved %d backups, freed %s", len(x.Removed), size(x.Freed))
	}
	return found.check(a.result(x, line))
}

// remote lets the server that owns the data make the backup.
func (c *backupCmd) remote(a *app, s *server, x *backupResult, found *problems) error {
	dir, err := filepath.Abs(c.Archive)
	if err != nil {
		return err
	}
	m := a.meter("backup")
	defer m.end()
	in := answer.BackupRequest{Archive: dir, Accounts: c.Account, Mailbox: c.Mailbox, Full: c.Full, DryRun: a.dryRun}
	return s.copying(a.ctx, "/v1/backup", in, &x.BackedUp, m, found)
}

// prune removes old backups where that is asked for.
func (c *backupCmd) prune(a *app, archive *backup.Archive, x *backupResult) error {
	if c.Keep <= 0 && c.KeepWithin <= 0 {
		return nil
	}
	r, err := archive.Prune(a.ctx, backup.Keep{Last: c.Keep, Within: c.KeepWithin, DryRun: a.dryRun})
	if err != nil {
		return err
	}
	x.Removed, x.Freed = r.Removed, r.Bytes
	return nil
}

// backupInfo is one backup in a list.
type backupInfo struct {
	Backup   string    `json:"backup"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Accounts int       `json:"accounts"`
	Messages int64     `json:"messages"`
	Bytes    int64     `json:"bytes"`
	Missing  int64     `json:"missing,omitempty"`
}

func (a *app) listBackups(archive *backup.Archive) error {
	ids, err := archive.IDs(a.ctx)
	if err != nil {
		return err
	}
	out := struct {
		Backups  []backupInfo `json:"backups"`
		Problems []string     `json:"problems,omitempty"`
	}{Backups: []backupInfo{}}
	found := &problems{a: a}
	var lines []string
	for _, id := range ids {
		m, err := archive.Manifest(a.ctx, id)
		if err != nil {
			found.add(&answer.Problem{Text: err.Error()})
			continue
		}
		b := backupInfo{Backup: m.ID, Started: m.Started, Finished: m.Finished, Accounts: len(m.Accounts)}
		for i := range m.Accounts {
			b.Messages += m.Accounts[i].Messages
			b.Bytes += m.Accounts[i].Bytes
			b.Missing += m.Accounts[i].Missing
		}
		out.Backups = append(out.Backups, b)
		lines = append(lines, fmt.Sprintf("%s  %d accounts  %d messages  %s", b.Backup, b.Accounts, b.Messages, size(b.Bytes)))
	}
	out.Problems = found.list
	return found.check(a.result(out, lines...))
}
