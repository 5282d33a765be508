package pop3server

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// maildrop is INBOX as it was at login (RFC 1939 §4): a Table of the view,
// which never changes and is shared.
type maildrop struct {
	view     *view.Account
	lock     *store.MaildropLock // nil = shared
	mailbox  store.MailboxID
	validity store.UIDValidity
	table    *view.Table // row n is message n+1
	count    int         // not marked
	octets   int64       // of those

	marked    bits // by DELE
	retrieved bits // by RETR, where the policy asks

	looked time.Time   // when it was last seen what INBOX holds now; zero = anew
	now    *view.Table // that; nil = INBOX is gone

	behind int             // the row behind the one that was opened last; 0 = none was
	ahead  []store.Message // read ahead, with FieldContent
}

// bits are a set of rows. nil is empty.
type bits []uint64

func (b bits) has(n int) bool { return n>>6 < len(b) && b[n>>6]&(1<<(n&63)) != 0 }

// add puts n, which is below size, into the set.
func (b *bits) add(n, size int) {
	if *b == nil {
		*b = make(bits, (size+63)/64)
	}
	(*b)[n>>6] |= 1 << (n & 63)
}

var (
	// errGone: another client expunged the message.
	errGone = errors.New("pop3server: message is gone")
	// errHeld: a hold of the store keeps some of the marked messages.
	errHeld = errors.New("pop3server: some marked messages are under a hold")
)

// openMaildrop locks the maildrop, unless it is shared, and takes the snapshot.
func openMaildrop(ctx context.Context, srv *Server, id store.AccountID) (*maildrop, error) {
	acct, err := srv.views.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	d, taken := &maildrop{view: acct}, false
	defer func() { // also when the store panics
		if !taken {
			_ = d.release(ctx)
		}
	}()
	if !srv.cfg.SharedMaildrops {
		if d.lock, err = srv.locks.Lock(ctx, acct.Store(), id); err != nil {
			return nil, err
		}
	}
	if err := d.snapshot(ctx); err != nil {
		return nil, err
	}
	taken = true
	return d, nil
}

// release gives up the lock and the view. A lock that cannot be given up ends
// with its lease.
func (d *maildrop) release(ctx context.Context) error {
	defer d.view.Release()
	if d.lock == nil {
		return nil
	}
	return d.lock.Unlock(ctx)
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
	d.table, err = d.view.Table(ctx, inbox.ID)
	if err != nil {
		return err
	}
	d.mailbox, d.validity = inbox.ID, inbox.UIDValidity
	d.count, d.octets = d.table.Len(), d.table.Octets()
	return nil
}

// find returns the row of a message number; −1 for one that is not there or is
// marked.
func (d *maildrop) find(arg []byte) int {
	n, err := strconv.ParseUint(string(arg), 10, 31)
	if err != nil || n == 0 || n > uint64(d.table.Len()) || d.marked.has(int(n-1)) {
		return -1
	}
	return int(n - 1)
}

// mark marks a row to be deleted.
func (d *maildrop) mark(n int) {
	d.marked.add(n, d.table.Len())
	d.count--
	d.octets -= d.table.At(n).Size
}

// unmark takes back all marks.
func (d *maildrop) unmark() {
	d.marked = nil
	d.count, d.octets = d.table.Len(), d.table.Octets()
}

// appendUniqueID adds what names a message for ever: UIDVALIDITY and UID (RFC
// 1939 §7, RFC 9051 §2.3.1.1).
func (d *maildrop) appendUniqueID(dst []byte, uid store.UID) []byte {
	dst = strconv.AppendUint(dst, uint64(d.validity), 10)
	dst = append(dst, '.')
	return strconv.AppendUint(dst, uint64(uid), 10)
}

// staleAfter is how old the knowledge of INBOX may be for commands that came
// together.
const staleAfter = time.Second

// look finds out what INBOX holds now: once for all commands that came
// together, unless they take long.
func (d *maildrop) look(ctx context.Context) error {
	if !d.looked.IsZero() && time.Since(d.looked) < staleAfter {
		return nil
	}
	begun := time.Now()
	state, err := d.view.Refresh(ctx)
	if err != nil {
		return err
	}
	d.now = nil
	if m := state.Mailbox(d.mailbox); m != nil && m.UIDValidity == d.validity {
		if d.now, err = d.view.Table(ctx, d.mailbox); err != nil && !errors.Is(err, store.ErrNoMailbox) {
			return err
		}
	}
	d.looked = begun
	return nil
}

// pause forgets what holds for commands that came together, and reports whether
// the maildrop has something in hand for those that may come soon.
func (d *maildrop) pause() bool {
	d.looked, d.now = time.Time{}, nil
	return d.ahead != nil
}

// parked forgets what was read ahead.
func (d *maildrop) parked() { d.ahead = nil }

// content opens the message in a row, unless it is no longer in the mailbox.
// In the row behind the last one, what the store knows of further messages is
// read together with it.
func (d *maildrop) content(ctx context.Context, n int) (store.Content, error) {
	if err := d.look(ctx); err != nil {
		return nil, err
	}
	uid := d.table.At(n).UID
	if d.now == nil || d.now.Row(uid) == nil {
		return nil, errGone
	}
	inTurn := n > 0 && n == d.behind
	d.behind = n + 1
	m := d.known(uid)
	if m == nil && !inTurn {
		return d.view.Store().Content(ctx, d.mailbox, uid)
	}
	if m == nil {
		if err := d.readAhead(ctx, n); err != nil {
			return nil, err
		}
		if m = d.known(uid); m == nil {
			return nil, errGone
		}
	}
	return store.OpenContent(ctx, d.view.Store(), d.mailbox, m)
}

const (
	// maxAhead is how many messages are read ahead: some 30 KB.
	maxAhead = 64
	// maxAheadBytes is the most that is held of their keys and prefixes, beside
	// those of one message.
	maxAheadBytes = 60 << 10
)

// known returns what was read ahead of a message; nil = nothing.
func (d *maildrop) known(uid store.UID) *store.Message {
	i, ok := slices.BinarySearchFunc(d.ahead, uid, func(m store.Message, u store.UID) int { return int(int64(m.UID) - int64(u)) })
	if !ok {
		return nil
	}
	return &d.ahead[i]
}

// readAhead reads what the store knows of the messages in row n and behind it.
func (d *maildrop) readAhead(ctx context.Context, n int) error {
	var set store.UIDSet
	for end := min(n+maxAhead, d.table.Len()); n < end; n++ {
		set.Add(d.table.At(n).UID)
	}
	d.ahead = d.ahead[:0]
	held := 0
	for m, err := range d.view.Store().Messages(ctx, d.mailbox, store.Query{UIDs: set, Fields: store.FieldContent}) {
		if err != nil {
			return err
		}
		d.ahead = append(d.ahead, store.Message{
			UID: m.UID, Size: m.Size, Blob: m.Blob, Key: slices.Clone(m.Key), Prefix: slices.Clone(m.Prefix),
		})
		if held += len(m.Key) + len(m.Prefix); held >= maxAheadBytes {
			break
		}
	}
	return nil
}

// commit expunges what is marked, durable when it returns. What another client
// expunged before is no failure; errHeld: some stay, and all others are gone.
func (d *maildrop) commit(ctx context.Context) error {
	if d.marked == nil && d.retrieved == nil {
		return nil
	}
	d.pause()
	if err := d.look(ctx); err != nil || d.now == nil {
		return err // with INBOX its messages are gone
	}
	held, row := false, 0
	for row < d.table.Len() {
		var batch store.UIDSet
		for n := 0; row < d.table.Len() && n < store.MaxChange; row++ {
			if d.marked.has(row) || d.retrieved.has(row) {
				batch.Add(d.table.At(row).UID)
				n++
			}
		}
		if len(batch) == 0 {
			break
		}
		r, err := d.view.Store().Apply(ctx, store.Change{Ops: []store.Op{store.Expunge{Mailbox: d.mailbox, UIDs: batch}}})
		if err != nil {
			return err
		}
		held = held || len(r.Ops) > 0 && len(r.Ops[0].Held) > 0
	}
	if held {
		return errHeld
	}
	return nil
}
