package move

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapclient/quirk"
)

// Errors of Messages.
var (
	// ErrNotPossible: the server offers neither MOVE nor a safe way round it, or
	// the mailbox is read-only. Nothing has been done.
	ErrNotPossible = errors.New("move: not possible safely")

	// ErrLeft: there are copies whose originals stay in the mailbox.
	ErrLeft = errors.New("move: originals stay where they are")
)

// Method is how messages are moved.
type Method uint8

// The methods.
const (
	None          Method = iota
	Move                 // RFC 6851
	CopyAndRemove        // COPY, STORE, UID EXPUNGE
)

// Result says what became of the messages.
type Result struct {
	Method Method

	// Moved are gone from the mailbox and stand in the other one, or were not in
	// the mailbox at all when MOVE was used.
	Moved imap.UIDSet

	// Copied have a copy, and are still in the mailbox.
	Copied imap.UIDSet

	// New tells which UIDs they got; zero where the server does not say.
	New imap.CopyUID
}

// Possible is the method that Messages will use; None: it returns ErrNotPossible.
func Possible(c *imapclient.Client, q quirk.Effects) Method {
	switch {
	case c.Has(imap.CapMove) || c.Has(imap.CapIMAP4rev2):
		return Move
	case c.Has(imap.CapUIDPlus) && !q.NoUIDExpunge:
		return CopyAndRemove
	}
	return None
}

// Messages moves messages of the selected mailbox to another one. An error does
// not mean that nothing was done: the Result tells (V3). It is ErrLeft when all commands
// went through and originals stay all the same.
func Messages(ctx context.Context, c *imapclient.Client, uids imap.UIDSet, mailbox string, q quirk.Effects) (Result, error) {
	m := &mover{c: c, uids: uids, dest: mailbox}
	m.res.Method = Possible(c, q)
	if box := c.Mailbox(); box == nil || box.ReadOnly {
		m.res.Method = None
	}
	var err error
	switch m.res.Method {
	case None:
		return m.res, ErrNotPossible
	case Move:
		err = m.move(ctx)
	case CopyAndRemove:
		err = m.copyAndRemove(ctx)
	}
	if err != nil {
		err = fmt.Errorf("move: to %q: %w", mailbox, err)
	} else if m.left {
		err = ErrLeft
	}
	return m.res, err
}

type mover struct {
	c    *imapclient.Client
	uids imap.UIDSet
	dest string
	res  Result
	left bool // some are still in the mailbox
}

// move is MOVE. It may be done in part, whatever the server answers, and there
// are servers that only copy: what is still there tells.
func (m *mover) move(ctx context.Context) (err error) {
	m.res.New, err = m.c.Move(ctx, m.uids, m.dest)
	if m.c.Err() != nil {
		return err
	}
	there, err2 := m.there(ctx, imap.Criteria{})
	if err2 != nil {
		return errors.Join(err, err2)
	}
	m.res.Moved, m.left = m.uids.Minus(there), len(there) > 0
	m.res.Copied = confirmed(m.res.New).Intersect(there)
	return err
}

// there are the messages that are still in the mailbox and fulfil q.
func (m *mover) there(ctx context.Context, q imap.Criteria) (imap.UIDSet, error) {
	q.UIDs = m.uids
	found, err := m.c.Search(ctx, q, imap.SearchOptions{Return: imap.ReturnAll})
	if err != nil {
		return nil, err
	}
	return found.UIDs.Intersect(m.uids), nil
}

func (m *mover) copyAndRemove(ctx context.Context) (err error) {
	deleted, err := m.there(ctx, imap.Criteria{Flags: deletedFlag()})
	if err != nil {
		return err
	}
	m.res.New, err = m.c.Copy(ctx, m.uids, m.dest)
	m.res.Copied = confirmed(m.res.New).Intersect(m.uids)
	if err != nil {
		return err
	}
	if len(m.res.Copied) == 0 {
		m.res.Copied, err = m.there(ctx, imap.Criteria{}) // copied, and not confirmed
		m.left = len(m.res.Copied) > 0
		return err
	}
	return m.remove(ctx, deleted)
}

// remove takes the originals of the copies away. Where that is refused, \Deleted
// is taken from those that had it not.
func (m *mover) remove(ctx context.Context, deleted imap.UIDSet) error {
	sure := m.res.Copied
	o := imap.StoreOptions{Mode: imap.StoreAdd, Flags: deletedFlag(), Silent: true}
	if _, err := m.c.Store(ctx, sure, o); err != nil {
		return err
	}
	err := m.c.UIDExpunge(ctx, sure)
	if m.c.Err() != nil {
		return err
	}
	there, err2 := m.there(ctx, imap.Criteria{})
	if err2 != nil {
		return errors.Join(err, err2)
	}
	m.res.Moved, m.res.Copied, m.left = sure.Minus(there), sure.Intersect(there), len(there) > 0
	if back := m.res.Copied.Minus(deleted); len(back) > 0 {
		o.Mode = imap.StoreRemove
		_, err2 = m.c.Store(ctx, back, o)
	}
	return errors.Join(err, err2)
}

func deletedFlag() imap.Flags {
	f, _ := imap.SystemFlag(`\Deleted`)
	return f
}

// confirmed are the messages of which COPYUID names the copy. A response whose
// sets do not fit together confirms nothing.
func confirmed(cu imap.CopyUID) imap.UIDSet {
	if n := count(cu.Source); cu.UIDValidity == 0 || n < 0 || n != count(cu.Dest) {
		return nil
	}
	return cu.Source.Resolve(0)
}

// count is the number of elements of a set; -1 = it has "*", or ranges that meet.
func count(s imap.NumSet) int64 {
	if _, star := s.Max(); star {
		return -1
	}
	var n int64
	for _, r := range s {
		n += int64(max(r.Start, r.Stop)-min(r.Start, r.Stop)) + 1
	}
	if n != s.Resolve(0).Len() {
		return -1
	}
	return n
}
