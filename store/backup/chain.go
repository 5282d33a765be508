package backup

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

// chain is an account in the archive: the logs from a full one to the one that
// an entry names. What is read of it is the account as it was at one ModSeq.
type chain struct {
	entry *Entry
	logs  []*chainLog // the oldest first

	// fault hears of damage, and says with nil to go on without.
	fault  func(error) error
	faults int
}

// chainLog is one log; bodies is nil where it names none.
type chainLog struct{ rows, bodies *logReader }

// openChain opens all logs of an entry.
func openChain(ctx context.Context, t Target, c *codec, l Limits, e *Entry, fault func(error) error) (_ *chain, err error) {
	ch := &chain{entry: e}
	ch.fault = func(err error) error {
		ch.faults++
		return fault(about(err, e.Account, "", 0))
	}
	defer func() {
		if err != nil {
			ch.close()
		}
	}()
	wanted, modSeq := &e.Log, e.ModSeq
	for wanted != nil {
		if len(ch.logs) == l.Chain {
			return nil, about(fmt.Errorf("%w: a chain of more than %d backups", ErrLimit, l.Chain), e.Account, "", 0)
		}
		log, err := ch.openLog(ctx, t, c, l, wanted, modSeq)
		if err != nil {
			return nil, err
		}
		if log == nil { // damaged: what is older cannot be found
			break
		}
		ch.logs = append(ch.logs, log)
		wanted, modSeq = log.rows.meta.Parent, log.rows.meta.Since
	}
	slices.Reverse(ch.logs)
	return ch, nil
}

// openLog opens rows and bodies. nil without an error: the rows cannot be had.
func (ch *chain) openLog(ctx context.Context, t Target, c *codec, l Limits, want *Log, modSeq store.ModSeq) (*chainLog, error) {
	rows, err := openLog(ctx, t, want.Rows.Name, c, l.Index)
	if err == nil {
		if m := &rows.meta; m.Account != ch.entry.Account || m.Mailbox != ch.entry.Mailbox || m.ModSeq != modSeq {
			rows.close()
			err = damage(want.Rows.Name, "it is not the log of account %q at %d", string(ch.entry.Account), modSeq)
		}
	}
	if err != nil {
		if !isDamage(err) {
			return nil, err
		}
		return nil, ch.fault(err)
	}
	log := &chainLog{rows: rows}
	if want.Bodies == nil {
		return log, nil
	}
	if log.bodies, err = openLog(ctx, t, want.Bodies.Name, c, l.Index); err != nil && isDamage(err) {
		err = ch.fault(err)
	}
	if err != nil {
		rows.close()
		return nil, err
	}
	return log, nil
}

func (ch *chain) close() {
	for _, l := range ch.logs {
		l.rows.close()
		if l.bodies != nil {
			l.bodies.close()
		}
	}
}

// about says in an error which account and message it is about.
func about(err error, account store.AccountID, mailbox string, uid store.UID) error {
	p := &Problem{Account: account, Mailbox: mailbox, UID: uid, Err: err}
	if q, ok := err.(*Problem); ok {
		*p = *q
		p.Account, p.UID = account, cmp.Or(p.UID, uid)
		p.Mailbox = cmp.Or(p.Mailbox, mailbox)
	}
	return p
}

// tolerate hands damage to fault and returns nil to go on.
func (ch *chain) tolerate(err error) error {
	if err == nil || !isDamage(err) {
		return err
	}
	return ch.fault(err)
}

// mailboxes are those that are there, and the tombstones, in order of name.
func (ch *chain) mailboxes() (list, gone []store.Mailbox, err error) {
	last := make(map[store.MailboxID]store.Mailbox)
	for _, l := range ch.logs {
		for part := range l.rows.parts {
			c := l.rows.stream(part, streamMailboxes)
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
	if ch.faults > 0 {
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
func (ch *chain) recover(known map[store.MailboxID]store.Mailbox) {
	for _, l := range ch.logs {
		for _, part := range l.rows.sections {
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
				if m = c.in.mailbox(); kind != rowMailbox {
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

// entries yields the entries and their tombstones in order of (mailbox, key).
// Those of deleted mailboxes come too.
func (ch *chain) entries() iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		var all []*entryCursor // the newest first
		for _, l := range slices.Backward(ch.logs) {
			for part := l.rows.parts - 1; part >= 0; part-- {
				c := &entryCursor{cursor: *l.rows.stream(part, streamEntries)}
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
func (ch *chain) step(advance func() error, ended *bool) error {
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
	if kind != rowEntry || c.begun && c.in.err == nil && compareEntry(&c.e, &e) >= 0 {
		c.in.fail()
	}
	if err := c.done(); err != nil {
		return err
	}
	c.e, c.begun = e, true
	return nil
}
