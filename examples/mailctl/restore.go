package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/sqlite"
)

type restoreCmd struct {
	Archive     string   `arg:"" help:"Directory of the archive."`
	Backup      string   `help:"The backup; the newest without." placeholder:"ID"`
	Account     []string `help:"Only this account; repeatable." placeholder:"NAME" sep:"none"`
	As          string   `help:"Restore the one account under this name." placeholder:"NAME"`
	Append      bool     `help:"Add to accounts that are in use; messages get new UIDs."`
	Mailbox     string   `help:"Only this mailbox of the one account; it is appended." placeholder:"NAME"`
	UID         string   `name:"uid" help:"Only these messages of the mailbox (1:3,7)." placeholder:"SET"`
	Into        string   `help:"Append into this mailbox; below it, where several are restored." placeholder:"NAME"`
	Again       string   `name:"run" help:"Append again what a restore with another name for this appended." placeholder:"TEXT"`
	IgnoreQuota bool     `help:"Append beyond the quota."`
	Partial     bool     `help:"Restore what is not damaged, and report the rest."`
}

// restoreResult is the answer of restore.
type restoreResult struct {
	answer.Restored
	DryRun   bool     `json:"dry_run,omitempty"`
	Problems []string `json:"problems,omitempty"`
}

// Run restores.
func (c *restoreCmd) Run(a *app) error {
	uids, err := parseUIDs(c.UID)
	if err != nil {
		return &useError{"--uid: " + err.Error()}
	}
	if (c.Mailbox != "" || c.As != "") && len(c.Account) != 1 {
		return &useError{"--mailbox and --as need one --account"}
	}
	if len(uids) > 0 && c.Mailbox == "" {
		return &useError{"--uid needs --mailbox"}
	}
	found := &problems{a: a}
	var x restoreResult
	err = a.withStore(!a.dryRun, func(e *sqlite.Engine) error {
		x, err = c.here(a, e, uids, found)
		return err
	}, func(s *server) error { return c.remote(a, s, uids, &x, found) })
	if errors.Is(err, backup.ErrNotEmpty) {
		return fmt.Errorf("%w; --append or --into adds to it", err)
	}
	if err != nil {
		return err
	}
	x.DryRun, x.Problems = a.dryRun, found.list
	word := "restored"
	if a.dryRun {
		word = "would restore"
	}
	return found.check(a.result(x, fmt.Sprintf("%s of %s: %d accounts, %d mailboxes made, %d messages (%s); %d were there, %d accounts were whole, %d lost",
		word, x.Backup, x.Accounts, x.Mailboxes, x.Messages, size(x.Bytes), x.Skipped, x.Already, x.Lost)))
}

// here restores into the data directory.
func (c *restoreCmd) here(a *app, e *sqlite.Engine, uids store.UIDSet, found *problems) (restoreResult, error) {
	m := a.meter("restore")
	defer m.end()
	o := backup.RestoreOptions{
		Backup: c.Backup, As: store.AccountID(c.As), Append: c.Append, Mailbox: c.Mailbox, UIDs: uids, Into: c.Into, Run: c.Again,
		IgnoreQuota: c.IgnoreQuota, Partial: c.Partial, DryRun: a.dryRun, Progress: m.copied, Problem: found.archive,
	}
	for _, name := range c.Account {
		o.Accounts = append(o.Accounts, store.AccountID(name))
	}
	r, err := archiveAt(c.Archive).Restore(a.ctx, e.Store(), o)
	if err != nil {
		return restoreResult{}, err
	}
	return restoreResult{Restored: answer.RestoredOf(r)}, nil
}

// remote lets the server that owns the data restore.
func (c *restoreCmd) remote(a *app, s *server, uids store.UIDSet, x *restoreResult, found *problems) error {
	dir, err := filepath.Abs(c.Archive)
	if err != nil {
		return err
	}
	m := a.meter("restore")
	defer m.end()
	in := answer.RestoreRequest{
		Archive: dir, Backup: c.Backup, Accounts: c.Account, As: c.As, Append: c.Append, Mailbox: c.Mailbox, Into: c.Into,
		Run: c.Again, IgnoreQuota: c.IgnoreQuota, Partial: c.Partial, DryRun: a.dryRun,
	}
	for _, r := range uids {
		in.UIDs = append(in.UIDs, [2]uint32{uint32(r.First), uint32(r.Last)})
	}
	return s.copying(a.ctx, "/v1/restore", in, &x.Restored, m, found)
}

// parseUIDs reads a set as IMAP writes it, without "*".
func parseUIDs(s string) (set store.UIDSet, err error) {
	if s == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		first, last, ok := strings.Cut(part, ":")
		if !ok {
			last = first
		}
		from, err1 := strconv.ParseUint(first, 10, 32)
		to, err2 := strconv.ParseUint(last, 10, 32)
		if err1 != nil || err2 != nil || from == 0 || to == 0 {
			return nil, fmt.Errorf("%q is no set of UIDs", s)
		}
		set.AddRange(store.UID(from), store.UID(to))
	}
	return set, nil
}
