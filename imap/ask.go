package imap

// FetchOptions say what a client fetches. The UID is always asked for; the zero
// value asks for nothing else.
type FetchOptions struct {
	Items    FetchItem // a sum; 0 = none
	Sections []Section // nil = no text; Peek should be set

	// ChangedSince leaves out what has not changed (RFC 7162 §3.1.4.1); 0 = no
	// condition. Vanished tells the Handler which UIDs of the set are gone since
	// then (§3.2.6); it needs QRESYNC enabled.
	ChangedSince ModSeq
	Vanished     bool

	// Partial: only the n-th to m-th message of the set, negative from its end
	// (RFC 9394). Only for sets that fit into one command. Zero = all.
	Partial PartialRange

	// Extra are other items, as the server knows them: "X-GM-LABELS". Quotes and
	// parentheses have to match; they come back as Fetched.Extra.
	Extra []string
}

// StoreMode says what a client does with flags.
type StoreMode uint8

// The modes.
const (
	StoreAdd     StoreMode = iota // sets what is named
	StoreRemove                   // clears what is named
	StoreReplace                  // sets what is named and clears all else but \Recent
)

// StoreOptions say which flags a client changes, and how (RFC 9051 §6.4.6). The zero
// value changes none.
type StoreOptions struct {
	Mode     StoreMode
	Flags    Flags    // a sum
	Keywords []string // "$Forwarded"; nil = none

	// Silent asks for no FETCH responses; those that come go to the Handler, as all
	// others.
	Silent bool

	// UnchangedSince leaves messages as they are that changed later (RFC 7162
	// §3.1.3); nil = no condition. 0 is a condition, too.
	UnchangedSince *ModSeq
}

// ListOptions say which mailboxes a client lists. The zero value lists all mailboxes.
type ListOptions struct {
	Reference string   // in UTF-8; "" = none
	Patterns  []string // in UTF-8; nil = "*"; more than one needs LIST-EXTENDED

	// What is listed (RFC 5258 §3.1, RFC 6154 §5.2). Remote, RecursiveMatch and
	// SpecialUse are left out where they are not offered.
	Subscribed     bool // only subscribed ones; by LSUB where LIST-EXTENDED is not offered
	Remote         bool
	RecursiveMatch bool
	SpecialUse     bool

	// What is told of each, where the server offers it; else left out.
	Children     bool
	Subscription bool         // AttrSubscribed; by LSUB where LIST-EXTENDED is not offered
	Uses         bool         // special uses
	Status       []StatusItem // by STATUS commands where LIST-STATUS is not offered
	MyRights     bool         // ListEntry.Rights
	Metadata     []string     // entries: "/shared/comment"
}

// QResync is the parameter of SELECT (RFC 7162 §3.2.5): the state of a mailbox that a
// client has kept. UIDValidity and ModSeq must not be 0.
type QResync struct {
	UIDValidity UIDValidity
	ModSeq      ModSeq // HighestModSeq of that state
	KnownUIDs   UIDSet // nil = all up to the last one

	// SeqMatch pairs sequence numbers with UIDs (§3.2.5.2); nil = none.
	SeqMatch *CopyUID
}

// NotifyGroup says about which mailboxes news are wanted (RFC 5465 §5, §6). Filter
// has to be set.
type NotifyGroup struct {
	Filter    string   // "SELECTED", "SELECTED-DELAYED", "PERSONAL", "INBOXES", "SUBSCRIBED", "SUBTREE", "MAILBOXES"
	Mailboxes []string // of SUBTREE and MAILBOXES
	Events    []string // "MessageNew", "MessageExpunge"; nil = NONE

	// Items are what MessageNew tells of a message in SELECTED; nil = nothing.
	Items *FetchOptions
}

// MetadataOptions say which annotations a client asks for (RFC 5464 §4.2).
type MetadataOptions struct {
	MaxSize int64  // octets of a value; longer ones are left out; 0 = any
	Depth   string // "1" or "infinity": entries below those named, too; "" = 0
}
