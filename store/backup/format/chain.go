package format

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// Chain is an account in the archive: the logs from a full one to the one that
// an entry names. What is read of it is the account as it was at one ModSeq.
type Chain struct {
	Entry *Entry
	Logs  []*ChainLog // the oldest first

	// Fault hears of damage, and says with nil to go on without.
	Fault  func(error) error
	Faults int
}

// ChainLog is one log; bodies is nil where it names none.
type ChainLog struct{ Rows, Bodies *LogReader }

// OpenChain opens all logs of an entry.
func OpenChain(ctx context.Context, t Target, c *Codec, l Limits, e *Entry, fault func(error) error) (_ *Chain, err error) {
	ch := &Chain{Entry: e}
	ch.Fault = func(err error) error {
		ch.Faults++
		return fault(About(err, e.Account, "", 0))
	}
	defer func() {
		if err != nil {
			ch.Close()
		}
	}()
	wanted, modSeq := &e.Log, e.ModSeq
	for wanted != nil {
		if len(ch.Logs) == l.Chain {
			return nil, About(fmt.Errorf("%w: a chain of more than %d backups", ErrLimit, l.Chain), e.Account, "", 0)
		}
		log, err := ch.openLog(ctx, t, c, l, wanted, modSeq)
		if err != nil {
			return nil, err
		}
		if log == nil { // damaged: what is older cannot be found
			break
		}
		ch.Logs = append(ch.Logs, log)
		wanted, modSeq = log.Rows.Meta.Parent, log.Rows.Meta.Since
	}
	slices.Reverse(ch.Logs)
	return ch, nil
}

// openLog opens rows and bodies. nil without an error: the rows cannot be had.
func (ch *Chain) openLog(ctx context.Context, t Target, c *Codec, l Limits, want *Log, modSeq store.ModSeq) (*ChainLog, error) {
	rows, err := OpenLog(ctx, t, want.Rows.Name, c, l.Index)
	if err == nil {
		if m := &rows.Meta; m.Account != ch.Entry.Account || m.Mailbox != ch.Entry.Mailbox || m.ModSeq != modSeq {
			rows.Close()
			err = Damage(want.Rows.Name, "it is not the log of account %q at %d", string(ch.Entry.Account), modSeq)
		}
	}
	if err != nil {
		if !IsDamage(err) {
			return nil, err
		}
		return nil, ch.Fault(err)
	}
	log := &ChainLog{Rows: rows}
	if want.Bodies == nil {
		return log, nil
	}
	if log.Bodies, err = OpenLog(ctx, t, want.Bodies.Name, c, l.Index); err != nil && IsDamage(err) {
		err = ch.Fault(err)
	}
	if err != nil {
		rows.Close()
		return nil, err
	}
	return log, nil
}

// Close closes the logs.
func (ch *Chain) Close() {
	for _, l := range ch.Logs {
		l.Rows.Close()
		if l.Bodies != nil {
			l.Bodies.Close()
		}
	}
}

// About says in an error which account and message it is about.
func About(err error, account store.AccountID, mailbox string, uid store.UID) error {
	p := &Problem{Account: account, Mailbox: mailbox, UID: uid, Err: err}
	if q, ok := err.(*Problem); ok {
		*p = *q
		p.Account, p.UID = account, cmp.Or(p.UID, uid)
		p.Mailbox = cmp.Or(p.Mailbox, mailbox)
	}
	return p
}

// tolerate hands damage to fault and returns nil to go on.
func (ch *Chain) tolerate(err error) error {
	if err == nil || !IsDamage(err) {
		return err
	}
	return ch.Fault(err)
}

// Mailboxes are those that are there, and the tombstones, in order of name.
func (ch *Chain) Mailboxes() (list, gone []store.Mailbox, err error) {
	last := make(map[store.MailboxID]store.Mailbox)
	for _, l := range ch.Logs {
		for part := range l.Rows.Parts {
			c := l.Rows.stream(part, StreamMailboxes)
			for m, err := range c.mailboxes() {
				if err := ch.tolerate(err); err != nil {
					return nil, nil, err
				}
				if err == nil {
					last[m.ID] = m
				}
			}
		}
	}
	if ch.Faults > 0 {
		ch.recover(last)
	}
	for _, m := range last {
		if m.Gone {
			gone = append(gone, m)
		} else {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, compareMailbox)
	slices.SortFunc(gone, compareMailbox)
	return list, gone, nil
}

func compareMailbox(x, y store.Mailbox) int {
	return cmp.Or(strings.Compare(x.Name, y.Name), bytes.Compare(x.ID[:], y.ID[:]))
}

// recoveredAt is where mailboxes come whose own rows are damaged.
const recoveredAt = "Recovered/"

// recover names the mailboxes of which only messages are left, and those whose
// name another one has taken since.
func (ch *Chain) recover(known map[store.MailboxID]store.Mailbox) {
	for _, l := range ch.Logs {
		for _, part := range l.Rows.Sections {
			for id := range part {
				if _, ok := known[id]; !ok {
					known[id] = store.Mailbox{ID: id, Name: recoveredAt + id.String()}
				}
			}
		}
	}
	byName := make(map[string]store.Mailbox, len(known))
	for _, m := range known {
		if m.Gone {
			continue
		}
		other, taken := byName[m.Name]
		if taken && other.ModSeq > m.ModSeq {
			m, other = other, m
		}
		if byName[m.Name] = m; taken {
			other.Name = recoveredAt + other.ID.String()
			known[other.ID] = other
		}
	}
}

// mailboxes yields the rows of the stream. After an error it goes on behind
// what is damaged.
func (c *cursor) mailboxes() iter.Seq2[store.Mailbox, error] {
	return func(yield func(store.Mailbox, error) bool) {
		for {
			kind, ok, err := c.row()
			if !ok && err == nil {
				return
			}
			var m store.Mailbox
			if err == nil {
				if m = c.in.mailbox(); kind != RowMailbox {
					c.in.fail()
				}
				err = c.done()
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// Entries yields the entries and their tombstones in order of (mailbox, key).
// Those of deleted mailboxes come too.
func (ch *Chain) Entries() iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		var all []*entryCursor // the newest first
		for _, l := range slices.Backward(ch.Logs) {
			for part := l.Rows.Parts - 1; part >= 0; part-- {
				c := &entryCursor{cursor: *l.Rows.stream(part, StreamEntries)}
				if err := ch.step(c.advance, &c.ended); err != nil {
					yield(store.Entry{}, err)
					return
				}
				all = append(all, c)
			}
		}
		for {
			var least *entryCursor
			for _, c := range all {
				if !c.ended && (least == nil || compareEntry(&c.e, &least.e) < 0) {
					least = c
				}
			}
			if least == nil {
				return
			}
			e := least.e
			for _, c := range all {
				for !c.ended && compareEntry(&c.e, &e) == 0 {
					if err := ch.step(c.advance, &c.ended); err != nil {
						yield(store.Entry{}, err)
						return
					}
				}
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// step advances a cursor until it stands at a row or has ended.
func (ch *Chain) step(advance func() error, ended *bool) error {
	for {
		err := advance()
		if err == nil {
			return nil
		}
		if err := ch.tolerate(err); err != nil {
			return err
		}
		if *ended {
			return nil
		}
	}
}

func compareEntry(x, y *store.Entry) int {
	return cmp.Or(bytes.Compare(x.Mailbox[:], y.Mailbox[:]), strings.Compare(x.Key, y.Key))
}

// entryCursor reads the entries of one part.
type entryCursor struct {
	cursor
	e     store.Entry
	begun bool
	ended bool
}

func (c *entryCursor) advance() error {
	kind, ok, err := c.row()
	if err != nil {
		return err
	}
	if !ok {
		c.ended = true
		return nil
	}
	e := c.in.entry()
	if kind != RowEntry || c.begun && c.in.err == nil && compareEntry(&c.e, &e) >= 0 {
		c.in.fail()
	}
	if err := c.done(); err != nil {
		return err
	}
	c.e, c.begun = e, true
	return nil
}
