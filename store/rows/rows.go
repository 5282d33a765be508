package rows

import (
	"time"

	"github.com/mailstead/mailstead/store"
)

// Tx is a backend's transaction on one account, used by one goroutine. Its
// methods see what was written through it before. An error of the backend ends
// Run, which returns it.
type Tx interface {
	// Usage is what the account holds at the start; Limits are not looked at.
	Usage() (store.Usage, error)

	// Mailbox returns a row, also a tombstone's; the zero Mailbox: there is
	// none.
	Mailbox(id store.MailboxID) (store.Mailbox, error)

	// Mailboxes returns all rows in any order, tombstones or not.
	Mailboxes() ([]store.Mailbox, error)

	// PutMailbox writes a row with its counters; one with an unknown ID is new.
	// Gone: a tombstone; its messages were removed before, and the backend
	// removes its entries. A row may be written twice.
	PutMailbox(m store.Mailbox) error

	// Messages returns those messages of set that are there, by UID. They are
	// not changed and not kept.
	Messages(id store.MailboxID, set store.UIDSet) ([]*store.Message, error)

	// Add writes a message that was not there, and may keep m. store.ErrExists:
	// there is a message or a tombstone with its UID.
	Add(id store.MailboxID, m *store.Message, from Source) error

	// Update writes a message in its next state, and may keep m.
	Update(id store.MailboxID, m *store.Message) error

	// Remove makes old, which Messages returned, a tombstone with ModSeq at.
	Remove(id store.MailboxID, old *store.Message, at store.ModSeq) error

	// Entry returns an entry or its tombstone; the zero Entry: there is none.
	Entry(id store.MailboxID, key string) (store.Entry, error)

	// PutEntry writes an entry or tombstone, and may keep it.
	PutEntry(e store.Entry) error

	// Thread returns the thread of the newest message that has one of the
	// keys and the subject; zero: there is none, or the backend has no threads.
	Thread(keys []uint64, subject uint64) (store.ThreadID, error)

	// Validity gives out a UIDVALIDITY; see NextValidity.
	Validity(want store.UIDValidity, importing bool) (store.UIDValidity, error)

	// Drop ends the account. Nothing is called afterwards.
	Drop() error
}

// Holder is a Tx of a backend with the capability store.Holder.
type Holder interface {
	// Holds are all that were declared, expired ones too.
	Holds() ([]store.Hold, error)
}

// Source is where the octets of a message come from that is added. Neither
// field is set for a tombstone that an importer brings.
type Source struct {
	// Append is what brings a new message. The backend has looked for its blob,
	// may keep ThreadKeys, and finds all else in the message.
	Append *store.Append

	// Message, which lies in Mailbox, is what a copy is made of.
	Mailbox store.MailboxID
	Message *store.Message
}

// Account is the part of an account that Run changes beside its rows.
type Account struct {
	Info   store.AccountInfo
	ModSeq store.ModSeq
	Purged store.ModSeq // the purge mark; a backend that purges raises it too
}

// Since refuses a query for what changed after since, when that lies below the
// purge mark: store.ErrResync. Zero asks for all there is.
func (a *Account) Since(since store.ModSeq) error {
	if since > 0 && since < a.Purged {
		return store.ErrResync
	}
	return nil
}

// Run carries out the Ops of c in their order. c passed Change.Check, and c.Once
// is the caller's to look for. After an error everything that was written
// through tx, and a, must be forgotten. A Result whose ModSeq is what a had
// changes nothing that others see, but for ClaimRecent, an entry's expiry, and
// the limits and state of the account.
func Run(tx Tx, a *Account, c store.Change) (store.Result, error) {
	usage, err := tx.Usage()
	if err != nil {
		return store.Result{}, err
	}
	r := &run{
		Tx: tx, a: a, at: a.ModSeq + 1, now: time.Now().Truncate(time.Second),
		usage: usage, rows: make(map[store.MailboxID]*row),
	}
	result := store.Result{Ops: make([]store.OpResult, len(c.Ops))}
	for i, op := range c.Ops {
		before := r.usage
		free, err := r.do(op, &result.Ops[i])
		r.usage.Limits = a.Info.Limits
		if err == nil && !free {
			err = r.usage.Check(before) // I10
		}
		if err != nil {
			return store.Result{}, err
		}
	}
	if r.took {
		a.ModSeq = max(a.ModSeq, r.at)
	}
	result.ModSeq = a.ModSeq
	return result, r.flush()
}

// run is a Change on its way.
type run struct {
	Tx
	a     *Account
	at    store.ModSeq // of all that this Change changes
	took  bool         // at was used
	now   time.Time    // to the second
	usage store.Usage
	rows  map[store.MailboxID]*row
	named int // messages, against store.MaxChange
	made  int // messages, against store.MaxWhole
}

// row is a mailbox that was read.
type row struct {
	store.Mailbox
	changed bool // the backend has an older one
}

// take is the ModSeq of what changes; a Change that takes none leaves the
// counter as it is (I4).
func (r *run) take() store.ModSeq {
	r.took = true
	return r.at
}

// do runs one Op. free: the quota does not count.
func (r *run) do(op store.Op, out *store.OpResult) (free bool, err error) {
	switch op := op.(type) {
	case store.Append:
		return op.IgnoreQuota, r.append(&op, out)
	case store.Import:
		return op.IgnoreQuota, r.importMessage(&op, out)
	case store.SetFlags:
		return true, r.setFlags(op, out)
	case store.Expunge:
		return true, r.expunge(op, out)
	case store.Copy:
		return op.IgnoreQuota, r.copy(op, out)
	case store.ClaimRecent:
		return true, r.claimRecent(op, out)
	case store.PutMailbox:
		return false, r.putMailbox(op, out)
	case store.PutEntry:
		return true, r.putEntry(op, out)
	case store.PutAccount:
		return true, r.putAccount(op)
	case store.DropAccount:
		return true, r.drop()
	}
	return false, store.ErrInvalid
}

// any returns a mailbox that is there.
func (r *run) any(id store.MailboxID) (*row, error) {
	b := r.rows[id]
	if b == nil {
		m, err := r.Mailbox(id)
		if err != nil {
			return nil, err
		}
		if b = (&row{Mailbox: m}); !m.ID.IsZero() {
			r.rows[id] = b
		}
	}
	if b.Gone || b.ID.IsZero() {
		return nil, store.ErrNoMailbox
	}
	return b, nil
}

// open returns a mailbox that can hold messages, and names it in out.
func (r *run) open(id store.MailboxID, out *store.OpResult) (*row, error) {
	b, err := r.any(id)
	if err != nil {
		return nil, err
	}
	if b.NoSelect {
		return nil, store.ErrNoMailbox
	}
	out.Mailbox, out.UIDValidity = id, b.UIDValidity
	return b, nil
}

// flush writes the rows that changed since they were written.
func (r *run) flush() error {
	for _, b := range r.rows {
		if b.changed {
			if err := r.PutMailbox(b.Mailbox); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) putEntry(op store.PutEntry, out *store.OpResult) error {
	if out.Mailbox = op.Mailbox; !op.Mailbox.IsZero() {
		if _, err := r.any(op.Mailbox); err != nil {
			return err
		}
	}
	old, err := r.Entry(op.Mailbox, op.Key)
	if err != nil {
		return err
	}
	e, changed, err := op.On(old, time.Now())
	if err != nil || !changed {
		return err
	}
	e.ModSeq = r.take()
	return r.PutEntry(e)
}
