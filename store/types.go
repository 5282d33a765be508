package store

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/mailstead/mailstead/store/blob"
)

// UID is a message's unique identifier in its mailbox (RFC 9051 §2.3.1.1).
// Range 1..2³²−1; zero = none. UIDs ascend in the order in which messages
// become visible and are never given out twice under one UIDValidity.
type UID uint32

// UIDValidity names one incarnation of a mailbox's UIDs (RFC 9051 §2.3.1.1).
// Range 1..2³²−1; zero = unknown. It only grows, and only when earlier UIDs
// lose their meaning.
type UIDValidity uint32

// ModSeq is a mod-sequence (RFC 7162 §3): 1..2⁶³−1, zero = before everything.
// One counter an account, assigned at commit, strictly increasing in commit
// order and visible in that order.
type ModSeq uint64

// MailboxID names a mailbox for ever, through renames (RFC 8474 §4.1). The
// caller chooses 128 random bits, so that a later Op of the same Change can
// name what an earlier one makes.
type MailboxID [16]byte

// EmailID names the immutable content of a message; copies share it
// (RFC 8474 §5.1). Chosen by the caller.
type EmailID [16]byte

// ThreadID groups messages of one conversation (RFC 8474 §5.2). Chosen by the
// backend; it is the EmailID of the thread's first message.
type ThreadID [16]byte

// NewMailboxID returns 128 random bits.
func NewMailboxID() (id MailboxID) { rand.Read(id[:]); return id }

// NewEmailID returns 128 random bits.
func NewEmailID() (id EmailID) { rand.Read(id[:]); return id }

// String is the id in lower-case hexadecimal.
func (id MailboxID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether the id names nothing.
func (id MailboxID) IsZero() bool { return id == MailboxID{} }

// String is the id in lower-case hexadecimal.
func (id EmailID) String() string { return hex.EncodeToString(id[:]) }

// String is the id in lower-case hexadecimal.
func (id ThreadID) String() string { return hex.EncodeToString(id[:]) }

// Flags is the set of system flags (RFC 9051 §2.3.2).
type Flags uint8

// The system flags. \Recent is no flag of a message here: see
// Mailbox.RecentFrom.
const (
	Seen Flags = 1 << iota
	Answered
	Flagged
	Deleted
	Draft
)

// AllFlags are all system flags.
const AllFlags = Seen | Answered | Flagged | Deleted | Draft

// Mailbox is the state of one mailbox. Its counters are exact.
type Mailbox struct {
	ID MailboxID

	// Name is the path in UTF-8 NFC with "/" between its levels; INBOX is
	// always written in upper case. 1..1024 octets, no empty level, no
	// control character.
	Name string

	UIDValidity UIDValidity
	UIDNext     UID    // the next UID is at least this
	ModSeq      ModSeq // of the last change to the mailbox itself (name, role, subscription, creation)

	// HighestModSeq is that of the last change to the mailbox or any of its
	// messages (RFC 7162 §3.1.2.1); 1 for a fresh mailbox at least.
	HighestModSeq ModSeq

	Messages int64 // EXISTS
	Unseen   int64 // without \Seen
	Deleted  int64 // with \Deleted
	Bytes    int64 // sum of the sizes

	// RecentFrom is the first UID that no session was told \Recent of
	// (RFC 3501 §2.3.2). See ClaimRecent.
	RecentFrom UID

	// Role is the special use (RFC 6154), "\Sent" and so on; "" = none.
	Role string

	Subscribed bool

	// NoSelect reports a name that holds no messages and exists for its
	// children, or only as a subscription (\NonExistent). It has an ID of its
	// own, no UIDVALIDITY, and goes when neither is left.
	NoSelect bool

	// Gone reports a tombstone: the mailbox was deleted. Only ID, Name and
	// ModSeq are set. Seen with since > 0 only.
	Gone bool
}

// Fields says which parts of a Message the reader wants; the backend may fill
// more. UID, ModSeq, Flags, Keywords and Size always come.
type Fields uint8

// The optional parts of a Message.
const (
	FieldDates   Fields = 1 << iota // Received, Saved
	FieldIDs                        // EmailID, ThreadID
	FieldContent                    // Blob, Key, Prefix
	FieldMeta                       // Meta
)

// Query selects messages of one mailbox.
type Query struct {
	// UIDs limits the answer to these; empty = all.
	UIDs UIDSet

	// Since asks for what changed after this ModSeq, with tombstones; zero =
	// all messages that are there.
	Since ModSeq

	// Fields are the parts wanted beyond the state.
	Fields Fields
}

// Message is one message of a mailbox: state (what changes) and facts (what
// never does).
type Message struct {
	UID      UID
	ModSeq   ModSeq   // of the last change of the state
	Flags    Flags    // system flags
	Keywords []string // sorted by octets, no duplicates in any case; case of the first writer kept
	Size     int64    // RFC822.SIZE: len(Prefix) + octets of the blob

	// Gone reports a tombstone (RFC 7162 §3.2.7): the message was expunged
	// at ModSeq. Only UID and ModSeq are set. Seen with Since > 0 only.
	Gone bool

	Received time.Time // INTERNALDATE, to the second, with its zone offset
	Saved    time.Time // SAVEDATE (RFC 8514): when it came into this mailbox

	EmailID  EmailID
	ThreadID ThreadID

	Blob   blob.Ref // the body as it was accepted
	Key    []byte   // wrapped data key of an encrypted blob; nil = plain
	Prefix []byte   // trace fields added at delivery; the message is Prefix + blob

	// Meta is what Describe computed from the blob alone, encoded; offsets
	// count from the start of the blob. nil or of an unknown version =
	// compute again.
	Meta []byte
}

// Entry is a small value of the account or of one mailbox: annotations, ACL
// rights, scripts, fetched ids.
type Entry struct {
	Mailbox MailboxID // zero = of the account
	Key     string    // 1..1024 octets
	Value   []byte    // at most 64 KiB; see PutEntry for removal
	ModSeq  ModSeq
	Expires time.Time // zero = never; an expired entry is not there
	Gone    bool      // tombstone; seen with Since > 0 only
}

// EntryQuery selects entries.
type EntryQuery struct {
	Mailbox MailboxID // whose; zero = the account's own
	All     bool      // of the account and of every mailbox; Mailbox is ignored
	Prefix  string    // keys that start so; "" = all
	Since   ModSeq    // changed after; zero = all that are there
}
