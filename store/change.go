package store

import (
	"slices"
	"time"

	"github.com/mailstead/mailstead/store/blob"
)

// Change is a list of operations that happen together or not at all. It
// touches at most MaxChange messages, but for Copy and for lists of Append,
// which stay whole up to MaxWhole.
type Change struct {
	// Once is the idempotency key. A key that this account applied before
	// (remembered for 30 days at least) does nothing and returns the first
	// Result with Repeated set. "" = none.
	Once string
	Ops  []Op
}

// The sizes of a Change; more is refused with ErrTooLarge.
const (
	MaxChange = 10_000  // messages that are there and SetFlags and Expunge name
	MaxWhole  = 100_000 // messages that Append and Copy may make
)

// Op is one operation of a Change. The set of types is closed; a backend
// switches over them. \Deleted, UNCHANGEDSINCE and quota are judged inside
// the transaction: losers and missing UIDs are results, not errors. In an Op
// an empty set of UIDs names nothing. Faults that show without looking at the
// account are found by Change.Check.
type Op interface{ isOp() }

// Append adds a message and gives it the mailbox's next UID. Callers use the
// function Append, which computes Meta and copies the body where needed.
// ErrOverQuota refuses the whole Change; ErrNoBlob: nothing keeps the Ref.
type Append struct {
	Mailbox  MailboxID
	EmailID  EmailID // zero = the backend chooses one
	Flags    Flags
	Keywords []string  // ErrName: one cannot be a keyword
	Received time.Time // zero = now; kept to the second
	Blob     blob.Ref
	Size     int64  // octets of the blob
	Key      []byte // opens Blob, see blob.Keyed; nil = it opens without
	Prefix   []byte
	Meta     []byte

	// ThreadKeys are hashes of the Message-ID, In-Reply-To and References
	// values, at most 32; SubjectHash is that of the base subject
	// (RFC 5256 §2.1). The message joins the thread of the newest message
	// with a common key and the same subject.
	ThreadKeys  []uint64
	SubjectHash uint64

	IgnoreQuota bool
}

// Import adds a message, or a tombstone, with given numbers: restore and
// migration. Only into an account in state AccountImporting (ErrNotImporting).
// A UID that the mailbox has or had is ErrExists. UIDs and ModSeqs may come in
// any order; UIDNext and the account's counter follow the greatest. A zero
// ModSeq or ThreadID is chosen as by Append.
type Import struct {
	Append
	UID      UID
	ModSeq   ModSeq
	Saved    time.Time // zero = now
	ThreadID ThreadID
	Gone     bool // a tombstone: only Mailbox, UID and ModSeq count
}

// FlagsMode says what SetFlags does with its flags.
type FlagsMode uint8

// The three forms of STORE (RFC 9051 §6.4.6).
const (
	FlagsAdd FlagsMode = iota
	FlagsRemove
	FlagsReplace
)

// SetFlags changes flags and keywords; see On for the rules. A message whose
// state already is as wanted takes no new ModSeq.
type SetFlags struct {
	Mailbox  MailboxID
	UIDs     UIDSet
	Mode     FlagsMode
	Flags    Flags
	Keywords []string

	// UnchangedSince, when not nil, spares messages whose ModSeq is greater
	// (RFC 7162 §3.1.3); they are returned in Modified.
	UnchangedSince *ModSeq
}

// Expunge removes messages for ever and leaves tombstones.
type Expunge struct {
	Mailbox     MailboxID
	UIDs        UIDSet
	OnlyDeleted bool // only those with \Deleted; others are neither changed nor missing
}

// Copy makes copies in Dest in the order of UIDs, with flags, dates, EmailID
// and ThreadID. With Move the sources are expunged in the same commit. Source
// and Dest may be the same mailbox.
type Copy struct {
	Source      MailboxID
	UIDs        UIDSet
	Dest        MailboxID
	Move        bool
	IgnoreQuota bool
}

// PutMailbox creates, changes or deletes a mailbox. Exactly one of Create,
// Delete and neither (change) holds.
type PutMailbox struct {
	ID MailboxID

	// Create makes a mailbox with this ID and Name; missing levels above are
	// made too, as mailboxes like any other. The name of a NoSelect mailbox
	// is free, and its subscription is inherited. ErrExists: the name, or the
	// ID, also that of a tombstone.
	Create bool

	// Delete removes the mailbox, its messages and entries. Children stay,
	// and keep the name as a NoSelect mailbox while they last; a subscription
	// keeps it until it is taken away (RFC 9051 §6.3.7). INBOX cannot be
	// deleted (ErrInbox), nor what is NoSelect (ErrNoMailbox).
	Delete bool

	// Name, when not "", is the name at Create, else the new name: the
	// subtree below moves with it, role and subscription too, and levels that
	// are missing above are made. ErrExists: a name is taken by what is not
	// NoSelect; ErrName: see CleanName, or the new name lies below the old.
	// INBOX can be renamed only by moving its messages (RFC 9051 §6.3.6): the
	// backend makes a mailbox with the new name, which OpResult.Mailbox says,
	// moves all messages there and leaves INBOX and its children.
	Name string

	Role       *string // nil = unchanged; ErrNoMailbox for what is NoSelect
	Subscribed *bool   // nil = unchanged

	// UIDValidity at Create or in an importing account, UIDNext and
	// HighestModSeq in an importing account only (ErrNotImporting); zero =
	// the backend chooses. Outside an import UIDValidity must be greater than
	// all that the account gave out (ErrConflict). UIDNext and HighestModSeq
	// never go back.
	UIDValidity   UIDValidity
	UIDNext       UID
	HighestModSeq ModSeq
}

// PutEntry writes or removes a small value. Removing what is not there takes
// no ModSeq; writing always does.
type PutEntry struct {
	Mailbox MailboxID // zero = of the account
	Key     string
	Value   []byte // nil = remove; empty is a value
	Expires time.Time

	// Overhead is how many octets of Value a wrapper of the store has added,
	// at most MaxEntryOverhead: they do not count against MaxEntryValue. Zero
	// for everyone else.
	Overhead int

	IfAbsent bool    // refuse the Change with ErrConflict when there is one
	IfModSeq *ModSeq // refuse the Change with ErrConflict unless its ModSeq is this (0 = absent)
}

// PutAccount changes limits and state.
type PutAccount struct {
	Limits *Limits // nil = unchanged

	// State, nil = unchanged. Leaving AccountImporting moves the ModSeq
	// counter and every mailbox's UIDNext 2^20 ahead, so that numbers given
	// out after the copy was made do not come again, and sets the purge mark to
	// the counter: what a reader saw under an earlier ModSeq may be in no log,
	// so its next Since is ErrResync (I8).
	State *AccountState
}

// ClaimRecent moves RecentFrom up to the mailbox's UIDNext; OpResult.Changed
// holds the UIDs that are there of what was claimed. It takes no ModSeq, may
// be lost in a crash, and needs no sync.
type ClaimRecent struct{ Mailbox MailboxID }

// DropAccount deletes the account and everything in it. The rest of the
// Change must be empty.
type DropAccount struct{}

func (Append) isOp()      {}
func (Import) isOp()      {}
func (SetFlags) isOp()    {}
func (Expunge) isOp()     {}
func (Copy) isOp()        {}
func (PutMailbox) isOp()  {}
func (PutEntry) isOp()    {}
func (PutAccount) isOp()  {}
func (ClaimRecent) isOp() {}
func (DropAccount) isOp() {}

// Result is the outcome of a Change.
type Result struct {
	// ModSeq is the account's after the Change. All that one Change did has
	// this one value; a Change that changed nothing leaves it as it was.
	ModSeq ModSeq

	// Repeated: Once was applied before; this is what it did then.
	Repeated bool

	Ops []OpResult // one an Op, in their order
}

// OpResult is the outcome of one Op.
type OpResult struct {
	Mailbox     MailboxID   // where Dest lies, or the mailbox named
	UIDValidity UIDValidity // of that mailbox

	// Source and Dest pair in ascending order (COPYUID, RFC 4315 §3); Append
	// has Dest alone.
	Source, Dest UIDSet

	Changed  UIDSet // got a new state, or were expunged (also by Move), or were claimed
	Modified UIDSet // lost UNCHANGEDSINCE
	Missing  UIDSet // what of UIDs is not there (any more)
	Held     UIDSet // was not expunged, or not moved: a hold covers it (see Holder)

	EmailID  EmailID  // Append: the id it got
	ThreadID ThreadID // Append: the thread it joined
}

// Clone returns a Result that shares nothing with r.
func (r Result) Clone() Result {
	r.Ops = slices.Clone(r.Ops)
	for i := range r.Ops {
		o := &r.Ops[i]
		o.Source, o.Dest = o.Source.Clone(), o.Dest.Clone()
		o.Changed, o.Modified = o.Changed.Clone(), o.Modified.Clone()
		o.Missing, o.Held = o.Missing.Clone(), o.Held.Clone()
	}
	return r
}
