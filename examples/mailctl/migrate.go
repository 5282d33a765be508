package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/examples/internal/transfer"
	"github.com/mailstead/mailstead/store/control"
	"github.com/mailstead/mailstead/store/sqlite"
)

type migrateCmd struct {
	Source string `arg:"" help:"account:NAME of the data directory, sqlite:DIR#NAME, postgres://…#NAME, maildir:DIR, mbox:PATH, eml:DIR, imap(s)://USER@HOST/ or pop3(s)://USER@HOST/."`
	Target string `arg:"" help:"Likewise, apart from pop3."`

	SourcePassword string `help:"Where the URL has none; @FILE keeps it out of the list of processes." placeholder:"TEXT"`
	TargetPassword string `help:"Likewise." placeholder:"TEXT"`
	SourceToken    string `help:"An OAuth access token instead of a password." placeholder:"TEXT"`
	TargetToken    string `help:"Likewise." placeholder:"TEXT"`
	CA             string `name:"ca" help:"PEM file with the certificates that vouch for the servers, instead of the system's." placeholder:"FILE"`
	Insecure       bool   `help:"Do not verify certificates."`
	Blobs          string `help:"Where a store in PostgreSQL has its bodies: database: or s3://…" placeholder:"URL"`

	answer.MigrateOptions `embed:""`
}

// Run migrates.
func (c *migrateCmd) Run(a *app) error {
	in := answer.MigrateRequest{
		Source:         answer.MigratePlace{URL: c.Source, Password: c.SourcePassword, Token: c.SourceToken, CA: c.CA, Insecure: c.Insecure, Blobs: c.Blobs},
		Target:         answer.MigratePlace{URL: c.Target, Password: c.TargetPassword, Token: c.TargetToken, CA: c.CA, Insecure: c.Insecure, Blobs: c.Blobs},
		MigrateOptions: c.MigrateOptions, DryRun: a.dryRun,
	}
	return a.migrate("migrate", &in)
}

type importCmd struct {
	Mbox    importMboxCmd    `cmd:"" help:"An mbox file, or a directory tree of them."`
	Maildir importMaildirCmd `cmd:"" help:"A Maildir or Maildir++ tree."`
	Eml     importEmlCmd     `cmd:"" help:"A directory tree of .eml files."`
}

// importing is what all imports take.
type importing struct {
	Path    string `arg:"" help:"Where the mail lies."`
	Account string `arg:"" help:"The account of the data directory."`
	answer.MigrateOptions
}

func (c *importing) run(a *app, kind string) error {
	in := answer.MigrateRequest{
		Source:         answer.MigratePlace{URL: kind + ":" + c.Path},
		Target:         answer.MigratePlace{URL: "account:" + c.Account},
		MigrateOptions: c.MigrateOptions, DryRun: a.dryRun,
	}
	return a.migrate("import", &in)
}

type importMboxCmd struct{ importing }

// Run imports.
func (c *importMboxCmd) Run(a *app) error { return c.run(a, transfer.Mbox) }

type importMaildirCmd struct{ importing }

// Run imports.
func (c *importMaildirCmd) Run(a *app) error { return c.run(a, transfer.Maildir) }

type importEmlCmd struct{ importing }

// Run imports.
func (c *importEmlCmd) Run(a *app) error { return c.run(a, transfer.Eml) }

type exportCmd struct {
	Mbox    exportMboxCmd    `cmd:"" help:"Into a directory with an mbox file for each mailbox, or one mailbox into FILE.mbox."`
	Maildir exportMaildirCmd `cmd:"" help:"Into a Maildir++ tree."`
	Eml     exportEmlCmd     `cmd:"" help:"Into a directory tree of .eml files."`
}

// exporting is what all exports take.
type exporting struct {
	Account string `arg:"" help:"The account of the data directory."`
	Path    string `arg:"" help:"Where the mail goes; made when missing."`
	answer.MigrateOptions
}

func (c *exporting) run(a *app, kind string) error {
	in := answer.MigrateRequest{
		Source:         answer.MigratePlace{URL: "account:" + c.Account},
		Target:         answer.MigratePlace{URL: kind + ":" + c.Path},
		MigrateOptions: c.MigrateOptions, DryRun: a.dryRun,
	}
	return a.migrate("export", &in)
}

type exportMboxCmd struct{ exporting }

// Run exports.
func (c *exportMboxCmd) Run(a *app) error { return c.run(a, transfer.Mbox) }

type exportMaildirCmd struct{ exporting }

// Run exports.
func (c *exportMaildirCmd) Run(a *app) error { return c.run(a, transfer.Maildir) }

type exportEmlCmd struct{ exporting }

// Run exports.
func (c *exportEmlCmd) Run(a *app) error { return c.run(a, transfer.Eml) }

// migrated is the answer of migrate, import and export.
type migrated struct {
	answer.Migrated
	DryRun  bool                     `json:"dry_run,omitempty"`
	Boxes   []answer.MigratedMailbox `json:"boxes"`
	Skips   []answer.Skip            `json:"skips,omitempty"`
	Differs []answer.Skip            `json:"differs,omitempty"`
	Away    []answer.GoneMailbox     `json:"gone_mailboxes,omitempty"`
}

// journey is one migration as mailctl shows it.
type journey struct {
	a *app
	m *meter
	x migrated
}

// migrate copies: here, or where an account of the data directory takes part that
// a server owns, there.
func (a *app) migrate(what string, in *answer.MigrateRequest) error {
	src, err := transfer.Parse(in.Source.URL)
	if err != nil {
		return use(fmt.Errorf("source: %w", err))
	}
	dst, err := transfer.Parse(in.Target.URL)
	if err != nil {
		return use(fmt.Errorf("target: %w", err))
	}
	if dst.Kind == transfer.POP3 || dst.Kind == transfer.POP3S {
		return &useError{"nothing can be copied to a POP3 server"}
	}
	j := &journey{a: a, m: a.meter(what), x: migrated{DryRun: a.dryRun, Boxes: []answer.MigratedMailbox{}}}
	if src.Kind != transfer.Account && dst.Kind != transfer.Account {
		err = j.here(in, nil)
	} else {
		create := dst.Kind == transfer.Account && in.Create && !a.dryRun
		err = a.withStore(create, func(e *sqlite.Engine) error { return j.here(in, e) }, func(s *server) error { return j.there(in, s) })
	}
	j.m.end()
	if err != nil {
		return use(err)
	}
	return j.end(what)
}

// use makes a fault of what was asked for one of the command line.
func use(err error) error {
	if e, ok := errors.AsType[*transfer.UseError](err); ok && e != nil {
		return &useError{err.Error()}
	}
	return err
}

// here migrates in this process; e is nil where no account of the data directory
// takes part.
func (j *journey) here(in *answer.MigrateRequest, e *sqlite.Engine) (err error) {
	env := transfer.Env{Logger: j.a.log, Progress: j.progress, Item: j.item}
	if e == nil {
		if env.State, err = userState(); err != nil {
			return err
		}
	} else {
		env.Store, env.Name, env.State = e.Store(), transfer.StoreName("sqlite:", j.a.data), filepath.Join(j.a.data, transfer.StateName)
	}
	j.x.Migrated, err = transfer.Run(j.a.ctx, env, in)
	return err
}

// there lets the server that owns the data directory migrate; it reads and writes
// the files itself.
func (j *journey) there(in *answer.MigrateRequest, s *server) (err error) {
	for _, side := range [...]*answer.MigratePlace{&in.Source, &in.Target} {
		if side.URL, err = transfer.Absolute(side.URL); err != nil {
			return err
		}
		if side.CA != "" {
			if side.CA, err = filepath.Abs(side.CA); err != nil {
				return err
			}
		}
	}
	if in.State != "" {
		if in.State, err = filepath.Abs(in.State); err != nil {
			return err
		}
	}
	err = s.Stream(j.a.ctx, "/v1/migrate", in, &j.x.Migrated, func(l control.Line) error {
		var p answer.Migrating
		if l.Progress != nil && json.Unmarshal(l.Progress, &p) == nil {
			j.progress(p)
		}
		var item answer.MigrateItem
		if l.Item != nil && json.Unmarshal(l.Item, &item) == nil {
			j.item(item)
		}
		return nil
	})
	e, ok := errors.AsType[*control.Error](err)
	switch {
	case ok && e.Code == transfer.CodeFiles:
		return fmt.Errorf("%w; the server that owns the data directory reads and writes these files itself: let it, or stop it first", err)
	case ok && e.Code == control.CodeBadRequest:
		return &useError{e.Message}
	}
	return err
}

// userState is where this user's programs remember things.
func userState() (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("%w; --state names a directory", err)
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "mailstead", transfer.StateName), nil
}

func (j *journey) progress(p answer.Migrating) {
	j.m.show(step{
		Phase: p.Phase, Mailbox: p.Mailbox, Done: p.Done, Total: p.Total, Unit: "messages", Messages: p.Done, Bytes: p.Bytes, TotalBytes: p.TotalBytes,
	})
}

// item tells what the migration has to tell, and keeps it for the result.
func (j *journey) item(x answer.MigrateItem) {
	if x.Mailbox != nil {
		j.x.Boxes = append(j.x.Boxes, *x.Mailbox)
	}
	if x.Gone != nil {
		j.gone(x.Gone)
	}
	for _, k := range [...]struct {
		name string
		skip *answer.Skip
		list *[]answer.Skip
	}{{"skipped", x.Skipped, &j.x.Skips}, {"differs", x.Differs, &j.x.Differs}, {"retrying", x.Retrying, nil}} {
		if k.skip == nil {
			continue
		}
		if k.list != nil && len(*k.list) < maxProblems {
			*k.list = append(*k.list, *k.skip)
		}
		if j.a.json {
			j.a.emit(event{Event: k.name, Command: j.m.what, About: k.skip})
		} else {
			fmt.Fprintf(j.a.err, "%s: %s\n", k.name, skipLine(k.skip))
		}
	}
}

// gone tells of a mailbox that the source has no more.
func (j *journey) gone(g *answer.GoneMailbox) {
	if len(j.x.Away) < maxProblems {
		j.x.Away = append(j.x.Away, *g)
	}
	if j.a.json {
		return // it is in the result
	}
	line := fmt.Sprintf("gone at the source: mailbox %s; its messages stay in %s", g.Source, g.Target)
	if g.Removed+g.Kept > 0 {
		line = fmt.Sprintf("gone at the source: mailbox %s; %d messages removed from %s, %d changed there since stay", g.Source, g.Removed, g.Target, g.Kept)
	}
	fmt.Fprintln(j.a.err, line)
}

func skipLine(s *answer.Skip) string {
	line := "mailbox " + s.Mailbox
	if s.Message != "" {
		line += " message " + s.Message
	}
	if s.Size > 0 {
		line += " (" + size(s.Size) + ")"
	}
	if s.Reason != "" {
		line += ": " + s.Reason
	}
	if s.Text != "" {
		line += ": " + s.Text
	}
	return line
}

// end tells what was done, and by the exit code what was not.
func (j *journey) end(what string) error {
	x := &j.x
	word := map[string]string{"migrate": "copied", "import": "imported", "export": "exported"}[what]
	if x.DryRun {
		word = "would have " + word
	}
	line := fmt.Sprintf("%s %d messages (%s) in %d mailboxes; %d were there", word, x.Copied, size(x.Bytes), x.Mailboxes, x.Present+x.Matched)
	for _, f := range [...]struct {
		n    int64
		text string
	}{
		{x.Made, "%d mailboxes made"},
		{x.Flagged, "%d got other flags"},
		{x.Removed, "%d removed"},
		{x.Kept, "%d gone at the source and kept, as they were changed"},
		{x.Gone, "%d mailboxes gone at the source"},
		{x.Doubles, "%d left to other mailboxes"},
		{x.Verified, "%d verified"},
		{x.Skipped, "%d SKIPPED"},
		{x.Failed, "%d mailboxes NOT WHOLE"},
		{x.Different, "%d DIFFERENT"},
	} {
		if f.n > 0 {
			line += ", " + fmt.Sprintf(f.text, f.n)
		}
	}
	lines := []string{line}
	if x.Limited {
		lines = append(lines, "the limit of this run is reached; the same command goes on from here")
	}
	if err := j.a.result(x, lines...); err != nil {
		return err
	}
	switch {
	case x.Skipped+x.Failed+x.Different > 0:
		return errProblems
	case x.Limited:
		return errLater
	}
	return nil
}
