package pop3server

import (
	"context"
	"errors"
	"strconv"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// maildrop is INBOX as it was at login (RFC 1939 §4).
type maildrop struct {
	view     *view.Account
	lock     *store.MaildropLock
	mailbox  store.MailboxID
	validity store.UIDValidity
	messages []message // message number − 1 → message
	count    int       // not marked
	octets   int64     // of those
}

type message struct {
	size   int64
	uid    store.UID
	marked bool // by DELE
}

var (
	// errGone: another client expunged the message.
	errGone = errors.New("pop3server: message is gone")
	// errHeld: a hold of the store keeps some of the marked messages.
	errHeld = errors.New("pop3server: some marked messages are under a hold")
)

// openMaildrop locks the maildrop and reads the snapshot.
func (s *session) openMaildrop(id store.AccountID) error {
	c := s.conn
	drop, err := openMaildrop(c.ctx, c.srv, id)
	if err != nil {
		c.failure("open maildrop", err)
		return nil
	}
	s.account, s.drop, s.state = id, drop, transaction
	c.ok("Maildrop has " + strconv.Itoa(drop.count) + " messages (" + strconv.FormatInt(drop.octets, 10) + " octets)")
	return nil
}

func openMaildrop(ctx context.Context, srv *Server, id store.AccountID) (*maildrop, error) {
	acct, err := srv.views.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	lock, err := srv.locks.Lock(ctx, acct.Store(), id)
	if err != nil {
		acct.Release()
		return nil, err
	}
	d := &maildrop{view: acct, lock: lock}
	if err := d.snapshot(ctx); err != nil {
		_ = d.release(ctx)
		return nil, err
	}
	return d, nil
}

// release gives up the lock and the view. A lock that cannot be given up ends
// with its lease.
func (d *maildrop) release(ctx context.Context) error {
	err := d.lock.Unlock(ctx)
	d.view.Release()
	return err
}

func (d *maildrop) snapshot(ctx context.Context) error {
	state, err := d.view.Refresh(ctx)
	if err != nil {
		return err
	}
	inbox := state.Named("INBOX")
	if inbox == nil {
		return store.ErrNoMailbox
	}
	table, err := d.view.Table(ctx, inbox.ID)
	if err != nil {
		return err
	}
	d.mailbox, d.validity = inbox.ID, inbox.UIDValidity
	d.messages = make([]message, 0, table.Len())
	for row := range table.Rows(1, table.MaxUID()) {
		d.messages = append(d.messages, message{uid: row.UID, size: row.Size})
		d.count++
		d.octets += row.Size
	}
	return nil
}

// find returns the message with a number, nil for one that is not there or is
// marked.
func (d *maildrop) find(arg string) *message {
	n, err := strconv.ParseUint(arg, 10, 31)
	if err != nil || n == 0 || n > uint64(len(d.messages)) || d.messages[n-1].marked {
		return nil
	}
	return &d.messages[n-1]
}

// uniqueID appends what names m for ever: UIDVALIDITY and UID (RFC 1939 §7,
// RFC 9051 §2.3.1.1).
func (d *maildrop) uniqueID(dst []byte, m *message) []byte {
	dst = strconv.AppendUint(dst, uint64(d.validity), 10)
	dst = append(dst, '.')
	return strconv.AppendUint(dst, uint64(m.uid), 10)
}

// content opens a message, unless it is no longer in the mailbox.
func (d *maildrop) content(ctx context.Context, m *message) (store.Content, error) {
	if _, err := d.view.Refresh(ctx); err != nil {
		return nil, err
	}
	table, err := d.view.Table(ctx, d.mailbox)
	if err != nil {
		return nil, err
	}
	if table.Row(m.uid) == nil {
		return nil, errGone
	}
	return d.view.Store().Content(ctx, d.mailbox, m.uid)
}

// commit expunges the marked messages, durable when it returns. Those that
// another client expunged before are no failure; errHeld: some stay, and all
// others are gone.
func (d *maildrop) commit(ctx context.Context) error {
	var batch store.UIDSet
	n, held := 0, false
	flush := func() error {
		if n == 0 {
			return nil
		}
		r, err := d.view.Store().Apply(ctx, store.Change{Ops: []store.Op{store.Expunge{Mailbox: d.mailbox, UIDs: batch}}})
		batch, n = nil, 0
		if err != nil {
			return err
		}
		held = held || len(r.Ops) > 0 && len(r.Ops[0].Held) > 0
		return nil
	}
	for i := range d.messages {
		if !d.messages[i].marked {
			continue
		}
		batch.Add(d.messages[i].uid)
		if n++; n == store.MaxChange {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if held {
		return errHeld
	}
	return nil
}
