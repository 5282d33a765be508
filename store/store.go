package store

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/mailstead/mailstead/store/blob"
)

// Store is where accounts, mailboxes and messages live. It is all that a
// backend author writes, together with Account. All methods may be called
// from any number of goroutines.
type Store interface {
	// Open returns a handle on an account. It is weightless, never closed,
	// and used by any number of goroutines. ErrNoAccount: no such account,
	// or one that is being dropped.
	Open(ctx context.Context, id AccountID) (Account, error)

	// Create makes an account with an empty INBOX, durable when it returns.
	// UIDVALIDITYs are greater than those of an earlier account of this id.
	// ErrExists: there is one; ErrName: see AccountID.Check.
	Create(ctx context.Context, id AccountID, info AccountInfo) error

	// Accounts yields the accounts with an id greater than after, in order
	// of their ids. No lock is held while the loop body runs.
	Accounts(ctx context.Context, after AccountID) iter.Seq2[AccountInfo, error]

	// Blobs is where the Refs given to Append and Import must lie. Append
	// (the function) copies a body that lies elsewhere.
	Blobs() blob.Blobs

	// Holds makes the store a blob.Holder: the refs that a message refers to
	// now, or did less than 24 h ago, in any order. An error means that
	// nothing is known, and keeps all of refs.
	Holds(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error)

	// Close ends the store after what was handed to it is done. All methods
	// fail with ErrClosed from then on, and those that wait return it. An open
	// Content is closed by its reader. Idempotent.
	Close() error
}

// Account is one user's mailboxes, messages and entries. The methods that
// read see every Change that returned before they were called.
type Account interface {
	// Mailboxes returns all mailboxes (since = 0), or those changed after
	// since with tombstones for the deleted, in order of name; and the
	// account's ModSeq at that moment. ErrResync: since lies below the purge
	// mark. ErrNoAccount, here and in every method: it was dropped.
	Mailboxes(ctx context.Context, since ModSeq) ([]Mailbox, ModSeq, error)

	// Messages yields the messages of a mailbox that match q, in ascending
	// order of UID. It is not one snapshot: pages are read as the loop goes
	// on, and no transaction, connection or lock is held while the loop body
	// runs. With M the ModSeq that Mailboxes returned before: every UID comes
	// at most once, in a state at or after M; the caller's next Since is M,
	// never the highest value seen. UIDs that are given out while the loop
	// runs may be left out, and never keep it from ending. The *Message and
	// its slices are valid until the next step. A NoSelect mailbox has no
	// messages. ErrNoMailbox, ErrResync; an error ends the sequence.
	Messages(ctx context.Context, id MailboxID, q Query) iter.Seq2[*Message, error]

	// Content opens the octets of a message: Prefix, then the blob. It also
	// opens an expunged message until that is collected, then ErrExpunged;
	// of a deleted mailbox it may do so too, or return ErrNoMailbox. It stays
	// readable until it is closed. ErrNoMessage: the UID was never given out.
	Content(ctx context.Context, id MailboxID, uid UID) (Content, error)

	// Entries yields the small values that match q, in order of
	// (MailboxID, Key), octet by octet. Values are the caller's own. The
	// entries of a deleted mailbox are gone without tombstones of their own.
	// ErrNoMailbox, ErrResync.
	Entries(ctx context.Context, q EntryQuery) iter.Seq2[Entry, error]

	// Apply carries out a Change: atomic, isolated, durable when it returns,
	// and visible to every call that begins afterwards, through any handle of
	// this process. Ops happen in their order and see what those before them
	// did. Once it was handed to the committer a cancelled ctx no longer
	// cancels; the true outcome is returned, or ErrUnknown where it cannot be
	// known: then the same Change with the same Once finds out. With any other
	// error nothing of the Change was done. A backend may do the work of many
	// callers in one commit; it keeps no reference to c after it returned.
	Apply(ctx context.Context, c Change) (Result, error)

	// Wait blocks until the account's ModSeq is greater than after, and
	// returns it, at once where it is already. A Change wakes it within a
	// second, also one made through another handle or by another process on
	// the same data. It may wake early, with a ModSeq that is not greater: the
	// caller waits again. A dropped account or a closed store ends it with
	// ErrNoAccount, ErrClosed.
	Wait(ctx context.Context, after ModSeq) (ModSeq, error)

	// Usage is what the account holds and may hold, at one ModSeq.
	Usage(ctx context.Context) (Usage, error)
}

// Content is the octets of one message: Prefix and blob as one. ReadAt may be
// called from several goroutines.
type Content interface {
	io.ReaderAt
	io.Closer

	// Size is RFC822.SIZE: the number of octets of Prefix and blob.
	Size() int64
}

// AccountID names an account: the canonical address or login name, NFC, at
// most 255 octets, never empty.
type AccountID string

// AccountInfo is what is kept of an account as a whole.
type AccountInfo struct {
	ID      AccountID
	State   AccountState
	Limits  Limits
	Created time.Time // set by the backend at Create
}

// AccountState is the life of an account.
type AccountState uint8

// The states of an account.
const (
	AccountActive    AccountState = iota
	AccountImporting              // Import is allowed; deliveries are refused with ErrImporting
	AccountClosed                 // kept, but deliveries are refused
)

// Limits are the quotas of an account; zero = no limit.
type Limits struct {
	Bytes     int64 // octets of all messages that are not expunged
	Messages  int64
	Mailboxes int64
}

// Usage is what an account holds, and its limits.
type Usage struct {
	Bytes     int64
	Messages  int64
	Mailboxes int64
	Limits    Limits
}
