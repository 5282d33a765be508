package imapserver

import (
	"maps"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imaplist"
	"github.com/mailstead/mailstead/internal/imapnotify"
	"github.com/mailstead/mailstead/internal/imapscope"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// maxOwn bounds notifier.own: of older changes the client hears after all.
const maxOwn = 100

// notifier is what a client that used NOTIFY wants to know (RFC 5465), and what
// it knows: of each mailbox that is watched the last state, however much happens
// to it.
type notifier struct {
	request imapnotify.Request
	told    map[store.MailboxID]watched
	watches map[*view.Account]*accountWatch
	own     []store.ModSeq           // of changes that this session made since it looked last
	denied  map[store.MailboxID]bool // those told with \NoAccess
}

// watched is a mailbox as the client knows it.
type watched struct {
	*store.Mailbox
	account    *view.Account
	name       string
	events     imapnotify.Event
	subscribed bool
}

// accountWatch wakes the session, and says up to where annotations were told.
type accountWatch struct {
	*view.Watch
	annotations store.ModSeq
}

// wants are the events of the open mailbox that the client wants: all of them,
// until it used NOTIFY.
func (s *session) wants() imapnotify.Event {
	if s.notifier == nil {
		return imapnotify.Messages
	}
	return s.notifier.request.Selected
}

// events are those that the client wants of a mailbox that is not open.
func (n *notifier) events(s *session, p *place, subscribed bool) imapnotify.Event {
	return n.request.Events(imapscope.Mailbox{Name: p.name, Own: s.own(p), Subscribed: subscribed})
}

// made notes a change of this session, of which it is not told (RFC 5465 §5). n
// may be nil.
func (n *notifier) made(at store.ModSeq, ops []store.Op) {
	if n == nil || len(n.request.Groups) == 0 {
		return
	}
	if len(n.own) == maxOwn {
		n.own = n.own[maxOwn/2:]
	}
	n.own = append(n.own, at)
	for _, op := range ops {
		if op, ok := op.(store.PutMailbox); ok && op.Delete {
			delete(n.told, op.ID)
		}
	}
}

// remember takes the mailboxes that are watched as they are for what the client
// knows.
func (n *notifier) remember(s *session, l *listing) {
	n.told = make(map[store.MailboxID]watched)
	for i := range l.names {
		p := l.place(l.names[i].Ref)
		if p == nil || p.NoSelect {
			continue
		}
		if e := n.events(s, p, l.names[i].Subscribed); e != 0 {
			n.told[p.ID] = watched{p.Mailbox, p.account, p.name, e, l.names[i].Subscribed}
		}
	}
}

// rewatch has the session woken by every account that it sees mailboxes of.
func (s *session) rewatch(l *listing) {
	s.watch(s.account)
	if s.sel != nil {
		s.watch(s.sel.account)
	}
	for i := range l.places {
		if _, ok := s.notifier.told[l.places[i].ID]; ok {
			s.watch(l.places[i].account)
		}
	}
}

// watch has the session woken by an account, where it used NOTIFY.
func (s *session) watch(a *view.Account) {
	n := s.notifier
	if n == nil || n.request.None || n.watches[a] != nil {
		return
	}
	if n.watches == nil {
		n.watches = make(map[*view.Account]*accountWatch)
	}
	w := &accountWatch{Watch: a.Watch(s.conn.wake)}
	if st := a.State(); st != nil {
		w.annotations = st.ModSeq
	}
	n.watches[a] = w
}

// stopNotify ends what NOTIFY began.
func (s *session) stopNotify() {
	if s.notifier != nil {
		for _, w := range s.notifier.watches {
			w.Stop()
		}
		s.notifier = nil
	}
}

// announce tells what happened while no command was in progress.
func (s *session) announce() {
	n := s.notifier
	if n == nil || n.request.None {
		return
	}
	err := s.announceOpen()
	if err == nil && s.state != logout {
		err = s.announceOthers()
	}
	if err == errOverflow {
		s.enc.Raw("* OK [").Raw(string(imap.CodeNotificationOverflow)).Raw("] Too much to watch\r\n")
		s.stopNotify()
		s.notifier = &notifier{request: imapnotify.Request{None: true}}
		return
	}
	if err != nil && s.state != logout {
		s.conn.log.Warn("imap: NOTIFY failed", "account", s.id, "err", err)
	}
}

// announceOpen tells what happened in the open mailbox.
func (s *session) announceOpen() error {
	if s.sel == nil || s.wants() == 0 {
		return nil
	}
	t, err := s.fresh()
	if err != nil {
		return err
	}
	expunge := s.wants()&imapnotify.MessageExpunge != 0 && !s.notifier.request.Delayed
	s.sync(t, expunge, true)
	s.tellPoint(nil)
	return nil
}

// announceOthers tells what happened to the other mailboxes.
func (s *session) announceOthers() error {
	n := s.notifier
	if len(n.request.Groups) == 0 {
		return nil
	}
	l, err := s.listing()
	if err != nil {
		return err
	}
	before, denied := n.told, maps.Clone(n.denied)
	if n.remember(s, l); len(n.told) > maxNotified {
		return errOverflow
	}
	c := changes{session: s, listing: l, before: before}
	if err := c.tell(); err != nil {
		n.told, n.denied = before, denied // rather twice than never
		return err
	}
	s.rewatch(l)
	if err := s.announceAnnotations(l); err != nil {
		return err
	}
	n.own = nil
	return nil
}

// changes tells the difference of two listings.
type changes struct {
	session *session
	listing *listing
	before  map[store.MailboxID]watched

	affected []string    // mailboxes whose children came or went
	renamed  [][2]string // old and new names, with all below them
}

// tell tells all of it.
func (c *changes) tell() error {
	l := c.listing
	for i := range l.names {
		if p := l.place(l.names[i].Ref); p != nil {
			if err := c.mailbox(&l.names[i], p); err != nil {
				return err
			}
		}
	}
	if err := c.deleted(); err != nil {
		return err
	}
	c.parents()
	return nil
}

// mailbox tells what happened to one that is there.
func (c *changes) mailbox(name *imaplist.Name, p *place) error {
	s := c.session
	now, ok := s.notifier.told[p.ID]
	if !ok {
		return nil
	}
	old, known := c.before[p.ID]
	own := s.own(p) && slices.Contains(s.notifier.own, p.ModSeq)
	opened := c.access(name, p)
	if opened {
		old.Mailbox = &store.Mailbox{UIDValidity: p.UIDValidity, UIDNext: 1} // what happened meanwhile was not told
	}
	switch {
	case own, opened && known, opened && now.events&imapnotify.MailboxName == 0:
	case opened:
		c.affected = append(c.affected, store.ParentName(p.name))
	case !known && now.events&imapnotify.MailboxName != 0:
		s.tellChanged(name, p, p.name)
		c.affected = append(c.affected, store.ParentName(p.name))
	case known && old.name != p.name:
		if now.events&imapnotify.MailboxName != 0 && !c.below(old.name, p.name) {
			s.tellChanged(name, p, old.name)
		}
		c.renamed = append(c.renamed, [2]string{old.name, p.name})
	case known && old.subscribed != now.subscribed && now.events&imapnotify.SubscriptionChange != 0:
		s.tellChanged(name, p, p.name)
	}
	if !known {
		old.Mailbox = &store.Mailbox{UIDValidity: p.UIDValidity, UIDNext: 1}
	}
	if s.isOpen(p) || !p.rights.Has(imap.RightRead) || now.events&imapnotify.Messages == 0 || !moved(old.Mailbox, p.Mailbox) {
		return nil
	}
	return s.tellState(p, now.events&s.told(old.Mailbox, p.Mailbox), false)
}

// moved reports whether something happened to the messages of a mailbox.
func moved(old, now *store.Mailbox) bool {
	return old.UIDValidity != now.UIDValidity || old.UIDNext != now.UIDNext || old.Messages != now.Messages ||
		old.HighestModSeq != now.HighestModSeq
}

// told is what may have happened between two states.
func (s *session) told(old, now *store.Mailbox) (e imapnotify.Event) {
	if old.UIDNext != now.UIDNext || old.Messages != now.Messages {
		e |= imapnotify.MessageNew | imapnotify.MessageExpunge
	}
	if old.UIDValidity != now.UIDValidity || old.Unseen != now.Unseen || s.has(condstore) {
		e |= imapnotify.FlagChange
	}
	return e
}

// below reports whether a rename is that of a mailbox above, which was told.
func (c *changes) below(old, now string) bool {
	return slices.ContainsFunc(c.renamed, func(r [2]string) bool {
		return store.IsBelow(old, r[0]) && now == r[1]+old[len(r[0]):]
	})
}

// deleted tells which mailboxes are gone, or may not be seen any more.
func (c *changes) deleted() error {
	s := c.session
	gone := make(map[string]string) // attributes by name
	for id, old := range c.before {
		if _, ok := s.notifier.told[id]; ok || c.there(id) {
			continue
		}
		denied, err := s.isDenied(id, &old)
		if err != nil {
			return err
		}
		var attrs []string
		if old.events&imapnotify.MailboxName != 0 {
			attrs = append(attrs, string(imap.AttrNonExistent))
			c.affected = append(c.affected, store.ParentName(old.name))
		}
		if denied {
			attrs = append(attrs, string(imap.AttrNoAccess))
		}
		if attrs != nil {
			gone[old.name] = strings.Join(attrs, " ")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(gone)) {
		s.tellList(gone[name], name)
	}
	return nil
}

// tellList sends LIST with attributes alone.
func (s *session) tellList(attributes, name string) {
	s.enc.Raw("* LIST (").Raw(attributes).Raw(`) "/" `).Mailbox(name, s.asUTF8()).CRLF()
}

// there reports whether a mailbox is in the listing, watched or not.
func (c *changes) there(id store.MailboxID) bool {
	return slices.ContainsFunc(c.listing.places, func(p place) bool { return p.ID == id && !p.NoSelect })
}

// parents tells the mailboxes whose children came or went (RFC 5465 §5.4).
func (c *changes) parents() {
	slices.Sort(c.affected)
	for _, name := range slices.Compact(c.affected) {
		i, ok := slices.BinarySearchFunc(c.listing.names, name, func(n imaplist.Name, want string) int { return strings.Compare(n.Name, want) })
		if !ok {
			continue
		}
		if p := c.listing.place(c.listing.names[i].Ref); p != nil && c.session.notifier.told[p.ID].events&imapnotify.MailboxName != 0 {
			c.session.tellChanged(&c.listing.names[i], p, p.name)
		}
	}
}

// tellChanged sends LIST for a mailbox that had the name old.
func (s *session) tellChanged(name *imaplist.Name, p *place, old string) {
	r := imaplist.Request{Extended: true, ReturnSubscribed: true}
	s.enc.Raw("* LIST ").Flags(r.Attributes(name, s.hasChildren(p))).Raw(` "/" `).Mailbox(p.name, s.asUTF8())
	if old != p.name {
		s.enc.Raw(` ("OLDNAME" (`).Mailbox(old, s.asUTF8()).Raw("))")
	}
	s.enc.CRLF()
}

// tellState sends STATUS with what the events ask for (RFC 5465 §3.1, §5.1..§5.3);
// all: the first time.
func (s *session) tellState(p *place, e imapnotify.Event, all bool) error {
	var items []imap.StatusItem
	if e&(imapnotify.MessageNew|imapnotify.MessageExpunge) != 0 {
		items = append(items, imap.StatusMessages, imap.StatusUIDNext)
	}
	if e&imapnotify.FlagChange != 0 && !all {
		items = append(items, imap.StatusUnseen)
	}
	if len(items) == 0 {
		return nil
	}
	items = append(items, imap.StatusUIDValidity)
	if s.has(condstore) || all && e&imapnotify.FlagChange != 0 {
		items = append(items, imap.StatusHighestModSeq)
	}
	b, err := s.appendStatus(nil, p, items)
	if err == nil {
		_, _ = s.enc.Write(b)
	}
	return err
}

// isOpen reports whether p is the open mailbox.
func (s *session) isOpen(p *place) bool { return s.sel != nil && s.sel.ID == p.ID }
