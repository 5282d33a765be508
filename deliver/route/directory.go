package route

import (
	"context"
	"errors"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/internal/mailaddr"
	"github.com/mailstead/mailstead/smtp"
)

// Directory returns dir with what the table knows better: addresses of local
// domains whose mailboxes are on other hosts are Relayed. Gate, Router, Prompt
// and LocalDelivery all take this one.
func (t *Table) Directory(dir deliver.Directory) deliver.Directory { return directory{t, dir} }

type directory struct {
	t   *Table
	dir deliver.Directory
}

// Lookup implements deliver.Directory.
func (d directory) Lookup(ctx context.Context, paths []smtp.ForwardPath) ([]deliver.Entry, error) {
	entries, err := d.dir.Lookup(ctx, paths)
	if err != nil || len(entries) != len(paths) {
		return entries, err
	}
	for i, e := range entries {
		if e.Err == nil && e.Kind != deliver.Remote && paths[i].Domain != "" {
			entries[i] = d.t.place(ctx, paths[i], e)
		}
	}
	return entries, nil
}

// place is e, the entry of an address of a local domain, as the table knows it.
func (t *Table) place(ctx context.Context, p smtp.ForwardPath, e deliver.Entry) deliver.Entry {
	to, found := t.match(mailaddr.Addresses(p.Path, t.separator), anySender)
	if !found && t.lookup != nil {
		var err error
		switch to, err = t.ask(ctx, p); {
		case errors.Is(err, ErrUnknown):
			return deliver.Entry{Kind: deliver.Unknown}
		case err != nil:
			return deliver.Entry{Err: err}
		}
	}
	if !found && to == "" && (e.Kind == deliver.Unknown || e.CatchAll) {
		to = t.rows[deliver.CanonicalDomain(p.Domain)][mailaddr.Everybody]
	}
	if to == "" {
		return e
	}
	return deliver.Entry{Kind: deliver.Relayed, NextHop: t.key(to, p)}
}

// ask asks Lookup.
func (t *Table) ask(ctx context.Context, p smtp.ForwardPath) (string, error) {
	for address := range mailaddr.Addresses(p.Path, t.separator) {
		to, err := t.lookup(ctx, address)
		if err != nil {
			return "", err
		}
		if to == "" {
			continue
		}
		if _, ok := t.targets[to]; !ok {
			return "", noTarget(to)
		}
		return to, nil
	}
	return "", nil
}
