package imapnotify

import (
	"errors"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/internal/imapfetch"
	"github.com/mailstead/mailstead/internal/imapscope"
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

// Group is some events of some mailboxes.
type Group struct {
	Scope  imapscope.Scope
	Events Event

	set *imapscope.Set // of Scope
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

// Events are those that apply to a mailbox (RFC 5465 §6).
func (r *Request) Events(m imapscope.Mailbox) (e Event) {
	for i := range r.Groups {
		if g := r.Groups[i].set; g.Names(m.Name) || g.Covers(m) {
			e |= r.Groups[i].Events
		}
	}
	return e
}

// Has reports whether some group asks for one of the events.
func (r *Request) Has(e Event) bool {
	return slices.ContainsFunc(r.Groups, func(g Group) bool { return g.Events&e != 0 })
}
