package route

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/internal/mailaddr"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// Row sends the recipients that match to a target. Its fields are plain text, so
// that a table can stand in a file.
type Row struct {
	// Recipient is an address, a domain, ".domain" for the domains below it, or
	// "*"; "" = "*".
	Recipient string

	// Sender is the same for the reverse-path, or "<>"; "" = "*".
	Sender string

	// To is the name of a Target; "" = as if no row matched, for what a wider
	// row would take.
	To string
}

// Target is where mail is sent to: exactly one of Receiver and Hops is set.
type Target struct {
	// Receiver takes all of it: a relay, an LMTP server, a program, a file, a
	// Failover.
	Receiver smtp.Receiver

	// Hops has next hops of its own: a deliver.MX, a deliver.SmartHost, a
	// Fallback.
	Hops deliver.NextHops

	// Name is the next hop in logs and reports; "" = that of Hops, or of the
	// target. deliver.NextHopLocal for final delivery, which a sender who asked to
	// hear of success hears of (RFC 3461 §5.2.3).
	Name string

	// Addrs are the "host:port" that it connects to, as far as they are known,
	// so that Config.Self can be found among them. That of a deliver.SmartHost
	// need not be repeated.
	Addrs []string
}

// ErrUnknown is what a Lookup returns for an address that exists nowhere: it is
// refused, also where a row takes the rest of its domain.
var ErrUnknown = errors.New("route: no such address")

// Config is what a Table is made of. The zero value needs a Default.
type Config struct {
	// Targets are the places that rows and Lookup name. A name holds no colon
	// and no space.
	Targets map[string]Target

	Rows []Row

	// Default takes what no row names: usually a deliver.MX. Required.
	Default deliver.NextHops

	// Lookup names the target of an address of a local domain, "" = none, then
	// the Directory decides. It is asked for the whole canonical address first, then
	// for that without its sub-address, at RCPT and at each lease; any number of
	// goroutines may call it. ErrUnknown refuses, another error defers. nil = none.
	Lookup func(ctx context.Context, address string) (string, error)

	// Separator splits a sub-address from the user, as in deliver.Accounts; zero =
	// "+", "none" switches it off.
	Separator string

	// Self are names and addresses of this host, with or without a port. A
	// target of this address is a mail loop: New refuses it. nil = none.
	Self []string
}

// Table is a deliver.Chooser. It does not change, and any number of goroutines
// may use it.
type Table struct {
	targets   map[string]Target
	rows      map[string]map[string]string // recipient → sender → target
	fallback  deliver.NextHops
	lookup    func(ctx context.Context, address string) (string, error)
	separator string
}

var _ deliver.Chooser = (*Table)(nil)

// New makes a table. The error lists all faults.
func New(c Config) (*Table, error) {
	t := &Table{targets: c.Targets, rows: make(map[string]map[string]string), fallback: c.Default, lookup: c.Lookup, separator: c.Separator}
	if t.separator == "" {
		t.separator = "+"
	}
	var faults []error
	if c.Default == nil {
		faults = append(faults, errors.New("route: no Default"))
	}
	for name, target := range c.Targets {
		faults = append(faults, checkTarget(name, target, c.Self))
	}
	for i, row := range c.Rows {
		if err := t.add(row); err != nil {
			faults = append(faults, fmt.Errorf("route: row %d: %w", i+1, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Table) add(row Row) error {
	rcpt, err := mailaddr.ParsePattern(row.Recipient, false)
	if err != nil {
		return err
	}
	sender, err := mailaddr.ParsePattern(row.Sender, true)
	if err != nil {
		return err
	}
	if _, ok := t.targets[row.To]; !ok && row.To != "" {
		return fmt.Errorf("%w: %q", errNoTarget, row.To)
	}
	senders := t.rows[rcpt]
	if senders == nil {
		senders = make(map[string]string)
		t.rows[rcpt] = senders
	}
	if to, ok := senders[sender]; ok && to != row.To {
		return fmt.Errorf("%q from %q goes to %q and to %q", row.Recipient, row.Sender, to, row.To)
	}
	senders[sender] = row.To
	return nil
}

// match is the target of the most specific row, by recipient first.
func (t *Table) match(recipients, senders iter.Seq[string]) (to string, ok bool) {
	for r := range recipients {
		row, ok := t.rows[r]
		if !ok {
			continue
		}
		for s := range senders {
			if to, ok := row[s]; ok {
				return to, true
			}
		}
	}
	return "", false
}

// anySender is the senders of a row that does not ask for one.
func anySender(yield func(string) bool) { yield(mailaddr.Everybody) }

// Fixed implements deliver.Chooser: a row of the address that does not ask who
// sends.
func (t *Table) Fixed(p smtp.ForwardPath) (string, bool) {
	if len(t.rows) == 0 {
		return "", false
	}
	to, ok := t.match(mailaddr.Addresses(p.Path, t.separator), anySender)
	if !ok || to == "" {
		return "", false
	}
	return t.key(to, p), true
}

// Key implements deliver.NextHops.
func (t *Table) Key(p smtp.ForwardPath) string {
	to, _ := t.match(mailaddr.Patterns(p.Path, t.separator), anySender)
	return t.key(to, p)
}

// Choose implements deliver.Chooser.
func (t *Table) Choose(_ context.Context, j *queue.Job, p smtp.ForwardPath) (string, error) {
	to, _ := t.match(mailaddr.Patterns(p.Path, t.separator), mailaddr.Patterns(j.ReversePath.Path, t.separator))
	return t.key(to, p), nil
}

// keyPrefix begins the keys of targets: route:NAME, or route:NAME:KEY where the
// target has keys.
const keyPrefix = "route:"

func (t *Table) key(to string, p smtp.ForwardPath) string {
	if to == "" {
		return t.fallback.Key(p)
	}
	if hops := t.targets[to].Hops; hops != nil {
		return keyPrefix + to + ":" + hops.Key(p)
	}
	return keyPrefix + to
}

// Receiver implements deliver.NextHops.
func (t *Table) Receiver(key string) (smtp.Receiver, string) {
	rest, ok := strings.CutPrefix(key, keyPrefix)
	if !ok {
		return t.fallback.Receiver(key)
	}
	name, rest, hasKey := strings.Cut(rest, ":")
	target := t.targets[name]
	switch {
	case target.Hops != nil && hasKey:
		receiver, hop := target.Hops.Receiver(rest)
		if target.Name != "" {
			hop = target.Name
		}
		return receiver, hop
	case target.Receiver == nil:
		return refusing{noTarget(name)}, deliver.NextHopLocal
	case target.Name != "":
		name = target.Name
	}
	return target.Receiver, name
}
