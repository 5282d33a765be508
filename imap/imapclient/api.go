package imapclient

import (
	"context"
	"crypto/tls"
	"io"
	"iter"
	"net"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/imap"
)

// Client is one connection to a server. One goroutine at a time uses it, and no
// method may be called while another runs, from a Handler or in a loop over
// Fetch (ErrBusy). Close and the methods that do no I/O may be called at any
// time by the goroutine that uses it, Close by any.
type Client struct{}

// State is where a session stands (RFC 9051 §3).
type State uint8

// The states.
const (
	NotAuthenticated State = iota
	Authenticated
	Selected
	LoggedOut
)

func (c *Client) State() State                                                 { return 0 }
func (c *Client) Has(capability imap.Capability) bool                          { return false }
func (c *Client) Capabilities() []imap.Capability                              { return nil }
func (c *Client) CapabilityValue(name imap.Capability) (value string, ok bool) { return "", false }
func (c *Client) Enabled(capability imap.Capability) bool                      { return false }
func (c *Client) TLS() *tls.ConnectionState                                    { return nil }
func (c *Client) RemoteAddr() net.Addr                                         { return nil }

// Err is why the connection cannot be used any more; nil = it can.
func (c *Client) Err() error { return nil }

// SetHandler replaces the Dialer's Handler.
func (c *Client) SetHandler(h Handler) {}

// Mailbox is the one that is selected; nil = none. Its counters follow what
// the server says. It is valid until another is selected.
func (c *Client) Mailbox() *Mailbox { return nil }

func (c *Client) Close() error                     { return nil }
func (c *Client) Logout(ctx context.Context) error { return nil }

func (c *Client) Authenticate(ctx context.Context, a Authenticator) error { return nil }
func (c *Client) Auth(ctx context.Context, client sasl.Client) error      { return nil }
func (c *Client) Unauthenticate(ctx context.Context) error                { return nil }
func (c *Client) ID(ctx context.Context, params map[string]string) (map[string]string, error) {
	return nil, nil
}
func (c *Client) Enable(ctx context.Context, caps ...imap.Capability) ([]imap.Capability, error) {
	return nil, nil
}
func (c *Client) Compress(ctx context.Context) error { return nil }
func (c *Client) Noop(ctx context.Context) error     { return nil }

func (c *Client) Namespace(ctx context.Context) (imap.Namespaces, error) {
	return imap.Namespaces{}, nil
}

// ListOptions of List. The zero value lists all mailboxes.
type ListOptions struct {
	Reference string
	Patterns  []string // nil = "*"; more than one needs LIST-EXTENDED

	// What is listed (RFC 5258 §3.1, RFC 6154 §5.2).
	Subscribed     bool // only subscribed ones; LSUB where LIST-EXTENDED is not offered
	Remote         bool
	RecursiveMatch bool
	SpecialUse     bool

	// What is told of each, where the server offers it; else left out.
	Children     bool
	Subscription bool              // AttrSubscribed; found by LSUB where LIST-EXTENDED is not offered
	Uses         bool              // special uses
	Status       []imap.StatusItem // by STATUS commands where LIST-STATUS is not offered
	MyRights     bool
	Metadata     []string
}

func (c *Client) List(ctx context.Context, o ListOptions) ([]imap.ListEntry, error) { return nil, nil }
func (c *Client) Create(ctx context.Context, mailbox string, uses ...imap.Attr) (mailboxID string, err error) {
	return "", nil
}
func (c *Client) Delete(ctx context.Context, mailbox string) error      { return nil }
func (c *Client) Rename(ctx context.Context, from, to string) error     { return nil }
func (c *Client) Subscribe(ctx context.Context, mailbox string) error   { return nil }
func (c *Client) Unsubscribe(ctx context.Context, mailbox string) error { return nil }
func (c *Client) Status(ctx context.Context, mailbox string, items ...imap.StatusItem) (*imap.MailboxStatus, error) {
	return nil, nil
}

// SelectOptions of Select.
type SelectOptions struct {
	ReadOnly bool // EXAMINE

	// CondStore asks for mod-sequences (RFC 7162 §3.1.8); ignored where neither
	// CONDSTORE nor QRESYNC is offered.
	CondStore bool

	// QResync names the state that the client has (RFC 7162 §3.2.5); QRESYNC must
	// be enabled. The server answers with Mailbox.Vanished and calls of Changed.
	QResync *QResync

	// Changed is called for each message that changed since, as a Handler's Fetch
	// is.
	Changed func(m *Message)
}

// QResync is the parameter of SELECT (RFC 7162 §3.2.5).
type QResync struct {
	UIDValidity imap.UIDValidity
	ModSeq      imap.ModSeq
	KnownUIDs   imap.UIDSet // nil = 1:UIDNEXT-1
}

// Mailbox is the selected mailbox.
type Mailbox struct {
	Name           string
	ReadOnly       bool
	Exists         uint32 // messages
	Recent         uint32
	FirstUnseen    uint32           // sequence number; 0 = none, or not said
	UIDValidity    imap.UIDValidity // 0 = not said: UIDs mean nothing later
	UIDNext        imap.UID         // 0 = not said
	UIDNotSticky   bool             // RFC 4315 §3
	HighestModSeq  imap.ModSeq      // 0 = not said, or NOMODSEQ
	NoModSeq       bool
	MailboxID      string
	Flags          Flags
	PermanentFlags Flags       // all of Flags where the server did not say (RFC 9051 §7.1)
	Vanished       imap.UIDSet // gone since the QResync of SelectOptions
}

func (c *Client) Select(ctx context.Context, mailbox string, o SelectOptions) (*Mailbox, error) {
	return nil, nil
}

// Unselect leaves the mailbox as it is: UNSELECT, or without it EXAMINE and
// CLOSE.
func (c *Client) Unselect(ctx context.Context) error { return nil }

// CloseMailbox leaves the mailbox and expunges what has \Deleted.
func (c *Client) CloseMailbox(ctx context.Context) error { return nil }

// FetchOptions say what Fetch asks for. The UID is always asked for.
type FetchOptions struct {
	Items    imap.FetchItem
	Sections []imap.Section // Peek should be set

	// ChangedSince leaves out what has not changed (RFC 7162 §3.1.4.1).
	// Vanished tells the Handler which UIDs of the set are gone since then
	// (§3.2.6); it needs QRESYNC enabled.
	ChangedSince imap.ModSeq
	Vanished     bool

	// Partial: only the n-th to m-th message of the set, negative from its end
	// (RFC 9394).
	Partial imap.PartialRange

	// Extra are other items: "X-GM-LABELS".
	Extra []string
}

// Fetch yields messages of the selected mailbox by UID. A long set becomes
// several commands, of which the next is sent while the one before is answered.
// Messages that do not exist are left out. A message is valid in its turn of the
// loop only. A loop that is left early reads what is still to come, up to
// Limits.Discard octets, or gives the connection up.
func (c *Client) Fetch(ctx context.Context, uids imap.UIDSet, o FetchOptions) iter.Seq2[*Message, error] {
	return func(func(*Message, error) bool) {}
}

// FetchSeq is Fetch by sequence numbers.
func (c *Client) FetchSeq(ctx context.Context, set imap.NumSet, o FetchOptions) iter.Seq2[*Message, error] {
	return func(func(*Message, error) bool) {}
}

// StoreMode says what Store does with flags.
type StoreMode uint8

// The modes.
const (
	StoreAdd StoreMode = iota
	StoreRemove
	StoreReplace
)

// StoreOptions of Store.
type StoreOptions struct {
	Mode     StoreMode
	Flags    imap.Flags
	Keywords []string

	// Silent asks for no FETCH responses; those that come go to the Handler.
	Silent bool

	// UnchangedSince leaves messages as they are that changed later (RFC 7162
	// §3.1.3); nil = no condition. 0 is a condition, too.
	UnchangedSince *imap.ModSeq
}

// Store changes flags. modified are the messages that UnchangedSince left as
// they are.
func (c *Client) Store(ctx context.Context, uids imap.UIDSet, o StoreOptions) (modified imap.UIDSet, err error) {
	return nil, nil
}

// Expunge removes all messages with \Deleted.
func (c *Client) Expunge(ctx context.Context) error { return nil }

// UIDExpunge removes those of uids that have \Deleted (RFC 4315 §2.1).
// ErrNotOffered without UIDPLUS.
func (c *Client) UIDExpunge(ctx context.Context, uids imap.UIDSet) error { return nil }

// Copy copies messages, and tells which UIDs the copies got; zero where the
// server did not say. A long set becomes several commands.
func (c *Client) Copy(ctx context.Context, uids imap.UIDSet, mailbox string) (imap.CopyUID, error) {
	return imap.CopyUID{}, nil
}

// Move is MOVE (RFC 6851); ErrNotOffered without it.
func (c *Client) Move(ctx context.Context, uids imap.UIDSet, mailbox string) (imap.CopyUID, error) {
	return imap.CopyUID{}, nil
}

// NewMessage is a message to append. Body gives exactly Size octets with CRLF line
// ends; another number is an error and ends the connection, as the server then
// waits for the rest.
type NewMessage struct {
	Flags        imap.Flags
	Keywords     []string
	InternalDate time.Time // zero = now, as the server sees it
	Size         int64
	Body         io.Reader
	UTF8         bool // 8-bit header: UTF8 (~{n}) where UTF8=ACCEPT is enabled
	Binary       bool // literal8: it may hold NUL; needs BINARY
}

// Append adds a message to a mailbox. The result is zero where the server did
// not say which UID it got.
func (c *Client) Append(ctx context.Context, mailbox string, m *NewMessage) (imap.AppendUID, error) {
	return imap.AppendUID{}, nil
}

// AppendAll adds messages to a mailbox, a command each, without waiting for the
// answer to the one before: Limits.PipelineBy of them at most. It yields one result for
// each message, in order. An error of msgs ends it.
func (c *Client) AppendAll(ctx context.Context, mailbox string, msgs iter.Seq2[*NewMessage, error]) iter.Seq2[imap.AppendUID, error] {
	return func(func(imap.AppendUID, error) bool) {}
}

// MultiAppend adds messages in one command: all or none (RFC 3502).
// ErrNotOffered without MULTIAPPEND.
func (c *Client) MultiAppend(ctx context.Context, mailbox string, msgs iter.Seq2[*NewMessage, error]) (imap.AppendUID, error) {
	return imap.AppendUID{}, nil
}

// Criteria say which messages are searched; all fields together. The zero value
// is ALL.
type Criteria struct {
	Seq                           imap.NumSet
	UIDs                          imap.UIDSet
	Flags, NotFlags               imap.Flags
	Keywords, NotKeywords         []string
	New, Old, Recent              bool
	Since, Before, On             time.Time     // days of INTERNALDATE
	SentSince, SentBefore, SentOn time.Time     // days of the Date field
	SavedSince, SavedBefore       time.Time     // RFC 8514
	Younger, Older                time.Duration // RFC 5032
	Larger, Smaller               int64         // octets; 0 = any
	From, To, Cc, Bcc, Subject    []string
	Header                        []imap.Param // "" as Value: the field is there
	Body, Text                    []string
	ModSeq                        imap.ModSeq // RFC 7162 §3.1.5
	EmailID, ThreadID             string      // RFC 8474
	Fuzzy                         bool        // RFC 6203
	Not                           []Criteria
	Or                            [][2]Criteria
	Raw                           string // another key, as the protocol has it
}

// SearchOptions of Search and Sort.
type SearchOptions struct {
	Return  imap.SearchReturn // used where ESEARCH is offered; else found from all UIDs
	Partial imap.PartialRange // with ReturnPartial
	Charset string            // "" = UTF-8 where a string needs it
}

// SearchResult has what Return asked for; without it UIDs.
type SearchResult struct {
	UIDs     imap.UIDSet
	Order    []imap.UID // of Sort: in that order
	Min, Max imap.UID
	Count    int64
	ModSeq   imap.ModSeq // highest of those found (RFC 7162 §3.1.5)
}

// SearchUpdate is news of a context (RFC 5267 §4.3), whole as it came.
type SearchUpdate struct {
	Tag  string
	Data []Item
}

func (c *Client) Search(ctx context.Context, q Criteria, o SearchOptions) (*SearchResult, error) {
	return nil, nil
}

// Sort searches and sorts: keys as RFC 5256 §3 names them, "REVERSE DATE".
func (c *Client) Sort(ctx context.Context, keys []string, q Criteria, o SearchOptions) (*SearchResult, error) {
	return nil, nil
}

// Thread groups messages: algorithm "REFERENCES".
func (c *Client) Thread(ctx context.Context, algorithm string, q Criteria) ([]*imap.Thread, error) {
	return nil, nil
}

// IdleOptions of Idle.
type IdleOptions struct {
	Max  time.Duration // 0 = Timeouts.Idle
	Wake func() bool   // asked when all that came has been handled: true ends IDLE
}

// Idle waits for news (RFC 2177), which the Handler gets: until ctx ends, Max is
// over or Wake says so. Then the server is told, and all that it said is
// handled; the Client can be used. The error is nil in all these cases, also
// when ctx has ended.
func (c *Client) Idle(ctx context.Context, o IdleOptions) error { return nil }

// NotifyGroup of Notify (RFC 5465 §5, §6).
type NotifyGroup struct {
	Filter    string       // "SELECTED", "PERSONAL", "INBOXES", "SUBSCRIBED", "SUBTREE", "MAILBOXES" …
	Mailboxes []string     // of SUBTREE and MAILBOXES
	Events    []string     // "MessageNew"; nil = NONE
	Items     FetchOptions // of MessageNew in SELECTED
}

func (c *Client) Notify(ctx context.Context, status bool, groups ...NotifyGroup) error { return nil }

func (c *Client) Quota(ctx context.Context, root string) (imap.QuotaRoot, error) {
	return imap.QuotaRoot{}, nil
}
func (c *Client) QuotaRoots(ctx context.Context, mailbox string) ([]imap.QuotaRoot, error) {
	return nil, nil
}
func (c *Client) SetQuota(ctx context.Context, root string, limits map[string]int64) (imap.QuotaRoot, error) {
	return imap.QuotaRoot{}, nil
}

func (c *Client) ACL(ctx context.Context, mailbox string) ([]imap.ACLEntry, error)     { return nil, nil }
func (c *Client) SetACL(ctx context.Context, mailbox, identifier, rights string) error { return nil }
func (c *Client) DeleteACL(ctx context.Context, mailbox, identifier string) error      { return nil }
func (c *Client) MyRights(ctx context.Context, mailbox string) (string, error)         { return "", nil }
func (c *Client) ListRights(ctx context.Context, mailbox, identifier string) (required string, optional []string, err error) {
	return "", nil, nil
}

// MetadataOptions of Metadata.
type MetadataOptions struct {
	MaxSize int64  // octets; 0 = any
	Depth   string // "1", "infinity"; "" = 0
}

func (c *Client) Metadata(ctx context.Context, mailbox string, o MetadataOptions, entries ...string) ([]imap.MetadataEntry, error) {
	return nil, nil
}
func (c *Client) SetMetadata(ctx context.Context, mailbox string, entries ...imap.MetadataEntry) error {
	return nil
}

// Command is one that has no method here. Its methods add an argument each, with
// a space in front.
type Command struct {
	// Untagged is shown each untagged response first, whole and without its CRLF;
	// true = it is dealt with. The line is not kept.
	Untagged func(line []byte) (taken bool)
	// Long: Timeouts.Long bounds it.
	Long bool
}

// NewCommand begins a command: "GETANNOTATION", "UID X".
func NewCommand(name string) *Command { return nil }

func (c *Command) Atom(s string) *Command        { return c } // as it stands
func (c *Command) String(s string) *Command      { return c } // quoted or a literal
func (c *Command) Mailbox(name string) *Command  { return c }
func (c *Command) Set(uids imap.UIDSet) *Command { return c }

// Do sends a command and returns its OK. It must not change the state of the
// session.
func (c *Client) Do(ctx context.Context, cmd *Command) (imap.StatusResponse, error) {
	return imap.StatusResponse{}, nil
}
