package imaptest

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/imap"
)

// Message is one message of a Mailbox.
type Message struct {
	UID    imap.UID
	Flags  []string // as they are sent: `\Seen`, "$Forwarded"
	ModSeq imap.ModSeq
	Date   time.Time // INTERNALDATE
	Body   string    // header and text, with CRLF
}

// Box is a mailbox of an Account. A test may set its fields before the server
// serves it, and within Account.Change.
type Box struct {
	Name          string // UTF-8
	Attrs         []string
	UIDValidity   imap.UIDValidity
	UIDNext       imap.UID
	HighestModSeq imap.ModSeq
	NoModSeq      bool // it keeps no mod-sequences (RFC 7162 §3.1.2.2)
	Messages      []Message

	gone []Message // those that were there
}

// Account is what a Server serves: mailboxes that a test changes while clients
// are connected. The zero value has no mailbox. It may be used by many
// goroutines.
type Account struct {
	mu      sync.Mutex
	boxes   map[string]*Box
	changed chan struct{} // closed at each change; nil = nobody waits
}

// NewAccount has the mailbox INBOX.
func NewAccount() *Account {
	a := &Account{}
	a.Create(imap.Inbox)
	return a
}

// Create adds a mailbox, unless it is there.
func (a *Account) Create(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.boxes == nil {
		a.boxes = make(map[string]*Box)
	}
	if a.boxes[name] == nil {
		a.boxes[name] = &Box{Name: name, UIDValidity: imap.UIDValidity(1000 + len(a.boxes)), UIDNext: 1, HighestModSeq: 1}
	}
	a.wakeLocked()
}

// Change calls f with a mailbox that nobody else uses meanwhile; it is created
// when it is not there. f must not call methods of the Account.
func (a *Account) Change(name string, f func(b *Box)) {
	a.Create(name)
	a.mu.Lock()
	defer a.mu.Unlock()
	f(a.boxes[name])
	a.wakeLocked()
}

// Append adds a message and returns its UID.
func (a *Account) Append(name, body string, flags ...string) (uid imap.UID) {
	a.Change(name, func(b *Box) { uid = b.add(Message{Body: body, Flags: flags}) })
	return uid
}

// SetFlags replaces the flags of a message, if it is there.
func (a *Account) SetFlags(name string, uid imap.UID, flags ...string) {
	a.Change(name, func(b *Box) { b.setFlags(uid, flags) })
}

// Expunge removes messages.
func (a *Account) Expunge(name string, uids ...imap.UID) {
	a.Change(name, func(b *Box) { b.remove(imap.UIDSet(nil), uids...) })
}

// Renumber gives a mailbox a new UIDValidity and its messages new UIDs from 1.
func (a *Account) Renumber(name string) {
	a.Change(name, func(b *Box) {
		b.UIDValidity++
		b.UIDNext, b.gone = 1, nil
		for i := range b.Messages {
			b.Messages[i].UID = b.UIDNext
			b.UIDNext++
		}
	})
}

// Flags tells the flags of all messages by UID, sorted.
func (a *Account) Flags(name string) map[imap.UID][]string {
	all := make(map[imap.UID][]string)
	a.read(name, func(b *Box) {
		for _, m := range b.Messages {
			all[m.UID] = slices.Sorted(slices.Values(m.Flags))
		}
	})
	return all
}

// read calls f with a mailbox, if it is there.
func (a *Account) read(name string, f func(b *Box)) (ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if strings.EqualFold(name, imap.Inbox) {
		name = imap.Inbox
	}
	b := a.boxes[name]
	if b != nil {
		f(b)
	}
	return b != nil
}

// update is read for a change.
func (a *Account) update(name string, f func(b *Box)) (ok bool) {
	ok = a.read(name, f)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wakeLocked()
	return ok
}

// drop removes a mailbox.
func (a *Account) drop(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.boxes, name)
	a.wakeLocked()
}

// names are those of all mailboxes, sorted.
func (a *Account) names() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.boxes))
}

// wait returns a channel that is closed at the next change.
func (a *Account) wait() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.changed == nil {
		a.changed = make(chan struct{})
	}
	return a.changed
}

func (a *Account) wakeLocked() {
	if a.changed != nil {
		close(a.changed)
		a.changed = nil
	}
}

func (b *Box) nextModSeq() imap.ModSeq {
	b.HighestModSeq++
	return b.HighestModSeq
}

func (b *Box) add(m Message) imap.UID {
	m.UID, m.ModSeq = b.UIDNext, b.nextModSeq()
	m.Flags = slices.Clone(m.Flags)
	if m.Date.IsZero() {
		m.Date = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	}
	b.UIDNext++
	b.Messages = append(b.Messages, m)
	return m.UID
}

func (b *Box) find(uid imap.UID) *Message {
	for i := range b.Messages {
		if b.Messages[i].UID == uid {
			return &b.Messages[i]
		}
	}
	return nil
}

func (b *Box) setFlags(uid imap.UID, flags []string) {
	if m := b.find(uid); m != nil {
		m.Flags, m.ModSeq = slices.Clone(flags), b.nextModSeq()
	}
}

// remove takes messages out: those of set and uids.
func (b *Box) remove(set imap.UIDSet, uids ...imap.UID) {
	modseq := b.HighestModSeq + 1
	b.Messages = slices.DeleteFunc(b.Messages, func(m Message) bool {
		if !set.Contains(m.UID) && !slices.Contains(uids, m.UID) {
			return false
		}
		b.HighestModSeq = modseq
		b.gone = append(b.gone, Message{UID: m.UID, ModSeq: modseq})
		return true
	})
}

// last is the greatest UID; 0 = no messages.
func (b *Box) last() imap.UID {
	if len(b.Messages) == 0 {
		return 0
	}
	return b.Messages[len(b.Messages)-1].UID
}

// vanished are those of set that went away behind since.
func (b *Box) vanished(set imap.UIDSet, since imap.ModSeq) (gone imap.UIDSet) {
	for _, m := range b.gone {
		if m.ModSeq > since && set.Contains(m.UID) {
			gone.Add(m.UID)
		}
	}
	return gone
}
