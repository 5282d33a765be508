package backup

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup/format"
)

// compare holds the store against a backup.
func (v *verifier) compare(ctx context.Context, id string) error {
	m, err := v.Manifest(ctx, id)
	if err != nil {
		return v.tolerate(err)
	}
	for i := range m.Accounts {
		e := &m.Accounts[i]
		acct, err := v.o.Store.Open(ctx, e.Account)
		if errors.Is(err, store.ErrNoAccount) {
			err = v.fault(&Problem{Account: e.Account, Err: err})
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		if err := v.compareAccount(ctx, e, acct); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) compareAccount(ctx context.Context, e *Entry, acct store.Account) error {
	ch, err := format.OpenChain(ctx, v.Target, v.c, v.limits, e, func(error) error { return nil }) // reported before
	if err != nil {
		return err
	}
	defer ch.Close()
	boxes, _, err := ch.Mailboxes()
	if err != nil {
		return err
	}
	live, err := liveMailboxes(ctx, acct, e.ModSeq)
	if err != nil {
		return err
	}
	for i := range boxes {
		c := comparer{verifier: v, e: e, acct: acct, box: &boxes[i]}
		box, known := live[boxes[i].ID]
		if boxes[i].Name == store.Inbox && !known { // of an account that was restored
			box, known = live[store.MailboxID{}]
		}
		switch {
		case boxes[i].NoSelect, box.Gone, box.NoSelect:
			continue
		case !known, box.UIDValidity != boxes[i].UIDValidity:
			if err := c.differs(0, "it does not have this mailbox"); err != nil {
				return err
			}
			continue
		}
		c.id = box.ID
		if err := c.findGone(ctx); err != nil {
			return err
		}
		if err := c.run(ctx, ch); err != nil {
			return err
		}
	}
	return nil
}

// liveMailboxes are those of the store by id, with those that were deleted
// since; INBOX also under the zero id.
func liveMailboxes(ctx context.Context, acct store.Account, since store.ModSeq) (map[store.MailboxID]store.Mailbox, error) {
	all := make(map[store.MailboxID]store.Mailbox)
	for _, m := range []store.ModSeq{since, 0} {
		list, _, err := acct.Mailboxes(ctx, m)
		if errors.Is(err, store.ErrResync) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			all[m.ID] = m
			if m.Name == store.Inbox {
				all[store.MailboxID{}] = m
			}
		}
	}
	return all, nil
}

// comparer walks through a mailbox in the store and in the archive at once.
type comparer struct {
	*verifier
	e    *Entry
	acct store.Account
	box  *store.Mailbox  // in the archive
	id   store.MailboxID // in the store
	gone store.UIDSet    // expunged since, or not known
}

// findGone asks what was expunged since the backup.
func (c *comparer) findGone(ctx context.Context) error {
	for m, err := range c.acct.Messages(ctx, c.id, store.Query{Since: c.e.ModSeq}) {
		if errors.Is(err, store.ErrResync) {
			c.gone = store.AllUIDs()
			return nil
		}
		if err != nil {
			return err
		}
		if m.Gone {
			c.gone.Add(m.UID)
		}
	}
	return nil
}

func (c *comparer) differs(uid store.UID, format string, args ...any) error {
	err := fmt.Errorf("%w: the store differs from the backup: %s", store.ErrCorrupt, fmt.Sprintf(format, args...))
	return c.fault(&Problem{Account: c.e.Account, Mailbox: c.box.Name, UID: uid, Err: err})
}

// run looks at messages that did not change since the backup.
func (c *comparer) run(ctx context.Context, ch *format.Chain) error {
	next, stop := iter.Pull2(c.acct.Messages(ctx, c.id, store.Query{Fields: everyField}))
	defer stop()
	live, lerr, ok := next()
	for m, aerr := range ch.Messages(*c.box) {
		if aerr != nil {
			return aerr
		}
		for ok && lerr == nil && live.UID < m.UID {
			if err := c.extra(live); err != nil {
				return err
			}
			live, lerr, ok = next()
		}
		if lerr != nil {
			return lerr
		}
		switch {
		case m.Gone:
		case ok && live.UID == m.UID:
			if err := c.same(live, m); err != nil {
				return err
			}
			live, lerr, ok = next()
		case !c.gone.Contains(m.UID):
			if err := c.differs(m.UID, "the store does not have this message"); err != nil {
				return err
			}
		}
	}
	for ; ok && lerr == nil; live, lerr, ok = next() {
		if err := c.extra(live); err != nil {
			return err
		}
	}
	return lerr
}

// extra looks at a message that the archive does not have.
func (c *comparer) extra(m *store.Message) error {
	if m.ModSeq > c.e.ModSeq {
		return nil
	}
	return c.differs(m.UID, "the backup does not have this message")
}

func (c *comparer) same(live *store.Message, m *format.Message) error {
	c.report.Compared++
	switch {
	case live.EmailID != m.EmailID || live.Size != m.Size || string(live.Prefix) != string(m.Prefix):
		return c.differs(m.UID, "it is another message")
	case live.ModSeq > c.e.ModSeq:
		return nil
	case live.ModSeq != m.ModSeq || live.Flags != m.Flags || !slices.Equal(live.Keywords, m.Keywords):
		return c.differs(m.UID, "its flags or its ModSeq")
	}
	return nil
}
