package imapnotify

import (
	"errors"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/internal/imapfetch"
	"github.com/mailstead/mailstead/store"
)

// The bounds of one NOTIFY.
const (
	MaxGroups = 100
	MaxNames  = 1000
)

// Event is a set of events (RFC 5465 §5).
type Event uint8

// The events.
const (
	MessageNew Event = 1 << iota
	MessageExpunge
	FlagChange
	MailboxName
	SubscriptionChange
	MailboxMetadataChange
	ServerMetadataChange

	// Messages are those of the messages of a mailbox.
	Messages = MessageNew | MessageExpunge | FlagChange
)

// events are the words of the events, in the order in which BADEVENT lists them.
var events = []struct {
	word  string
	event Event
}{
	{"MessageNew", MessageNew},
	{"MessageExpunge", MessageExpunge},
	{"FlagChange", FlagChange},
	{"MailboxName", MailboxName},
	{"SubscriptionChange", SubscriptionChange},
	{"MailboxMetadataChange", MailboxMetadataChange},
	{"ServerMetadataChange", ServerMetadataChange},
}

// Supported lists the words of the events, separated by spaces; annotations says
// whether those of annotations are among them.
func Supported(annotations bool) string {
	var list []string
	for _, e := range events {
		if annotations || e.event&(MailboxMetadataChange|ServerMetadataChange) == 0 {
			list = append(list, e.word)
		}
	}
	return strings.Join(list, " ")
}

// Filter says which mailboxes a group is about (RFC 5465 §6).
type Filter uint8

// The filters.
const (
	Selected Filter = iota
	SelectedDelayed
	Inboxes
	Personal
	Subscribed
	Subtree   // Names, and what lies below them
	Mailboxes // Names
)

var filters = map[string]Filter{
	"SELECTED": Selected, "SELECTED-DELAYED": SelectedDelayed, "INBOXES": Inboxes, "PERSONAL": Personal,
	"SUBSCRIBED": Subscribed, "SUBTREE": Subtree, "MAILBOXES": Mailboxes,
}

// Group is some events of some mailboxes.
type Group struct {
	Filter Filter
	Names  []string // as the client wrote them; the caller cleans them
	Events Event
}

// Request is what NOTIFY asks for.
type Request struct {
	None   bool // no events at all
	Status bool // the state of the mailboxes is told at once
	Groups []Group

	// Selected are the events of the open mailbox; Delayed lets MessageExpunge
	// wait for a command that may tell it. New is what is fetched of each new
	// message; nil = nothing.
	Selected Event
	Delayed  bool
	New      *imapfetch.Plan
}

var (
	// ErrEvent refuses an event that is not supported: NO with BADEVENT.
	ErrEvent = errors.New("imapnotify: unsupported event")

	// ErrMany refuses what is too much: NO with NOTIFICATIONOVERFLOW.
	ErrMany = errors.New("imapnotify: too many groups or names")
)

// Mailbox is what is asked of a mailbox that is not open.
type Mailbox struct {
	Name       string // as the session writes it
	Own        bool   // lies in the personal namespace
	Subscribed bool
}

// Events are those that apply to a mailbox (RFC 5465 §6).
func (r *Request) Events(m Mailbox) (e Event) {
	for i := range r.Groups {
		if r.Groups[i].covers(m) {
			e |= r.Groups[i].Events
		}
	}
	return e
}

// Has reports whether some group asks for one of the events.
func (r *Request) Has(e Event) bool {
	return slices.ContainsFunc(r.Groups, func(g Group) bool { return g.Events&e != 0 })
}

func (g *Group) covers(m Mailbox) bool {
	switch g.Filter {
	case Inboxes, Personal: // mail may come into any of one's own
		return m.Own
	case Subscribed:
		return m.Subscribed
	case Subtree:
		return slices.ContainsFunc(g.Names, func(n string) bool { return n == m.Name || store.IsBelow(m.Name, n) })
	case Mailboxes:
		return slices.Contains(g.Names, m.Name)
	}
	return false
}
