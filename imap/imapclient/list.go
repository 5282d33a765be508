package imapclient

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient/quirk"
	"github.com/mailstead/mailstead/internal/imapcmd"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// List lists mailboxes, each once, in the order of the server.
func (c *Client) List(ctx context.Context, o imap.ListOptions) (list []imap.ListEntry, err error) {
	return asking(ctx, c, "", func() ([]imap.ListEntry, error) { return c.list(&o) })
}

func (c *Client) list(o *imap.ListOptions) ([]imap.ListEntry, error) {
	if len(o.Patterns) == 0 {
		o.Patterns = []string{"*"}
	}
	extended := c.Has(imap.CapListExtended)
	if !extended && len(o.Patterns) > 1 {
		return nil, fmt.Errorf("%w: %s", ErrNotOffered, imap.CapListExtended)
	}
	lb := &listing{c: c, at: map[string]int{}}
	var err error
	switch {
	case extended:
		err = lb.extended(o)
	case o.Subscribed:
		err = lb.command(c.plainList("LSUB", o))
		for i := range lb.list {
			lb.list[i].Attrs = append(lb.list[i].Attrs, imap.AttrSubscribed)
		}
	default:
		err = lb.command(c.plainList("LIST", o))
		if err == nil && o.Subscription {
			err = lb.subscriptions(o)
		}
	}
	if err == nil && len(o.Status) > 0 && (!extended || !c.Has(imap.CapListStatus)) {
		err = lb.statuses(o)
	}
	for i := range lb.list {
		if s := lb.list[i].Status; s != nil {
			c.appendLimit(s, o.Status)
		}
	}
	return lb.list, err
}

// apart is what of items STATUS may ask for in one command, and whether MAILBOXID
// has to be asked for in a command of its own.
func (c *Client) apart(items []imap.StatusItem) (together []imap.StatusItem, lone bool) {
	if len(items) < 2 || !slices.Contains(items, imap.StatusMailboxID) || !c.Has(imap.CapObjectID) {
		return items, false
	}
	known, _ := quirk.Of(quirk.Facts{Host: c.host, Greeting: c.greets, ID: c.serverID, Capabilities: c.Capabilities()})
	if !known.LoneMailboxID {
		return items, false
	}
	together = slices.DeleteFunc(slices.Clone(items), func(i imap.StatusItem) bool { return i == imap.StatusMailboxID })
	return together, true
}

// takeMailboxID takes what was asked for alone.
func takeMailboxID(to, from *imap.MailboxStatus) {
	if to != nil && from != nil && from.Has(imap.StatusMailboxID) {
		to.MailboxID = from.MailboxID
		to.Note(imap.StatusMailboxID)
	}
}

// plainList is LIST or LSUB of RFC 3501.
func (c *Client) plainList(verb string, o *imap.ListOptions) *line {
	return c.command(verb).Pattern(o.Reference).Pattern(o.Patterns[0])
}

// appendLimit is the limit of all mailboxes, where the server announces one; then
// STATUS does not tell it (RFC 7889 §3).
func (c *Client) appendLimit(s *imap.MailboxStatus, items []imap.StatusItem) {
	if v, ok := c.CapabilityValue(imap.CapAppendLimit); ok && v != "" && slices.Contains(items, imap.StatusAppendLimit) {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			s.AppendLimit = n
			s.Note(imap.StatusAppendLimit)
		}
	}
}

// listing collects what LIST and the responses with it say.
type listing struct {
	c    *Client
	list []imap.ListEntry
	at   map[string]int // name → place in list
}

func (b *listing) command(l *line) error {
	_, err := b.c.conn.Do(l, b.take)
	return err
}

func (b *listing) take(r *response) (taken bool, err error) {
	switch r.Name {
	case "LIST", "LSUB":
		e, err := imapresp.ParseList(r.Args, b.c.mailboxName)
		if err != nil {
			return true, err
		}
		if i, ok := b.at[e.Name]; ok {
			b.list[i] = e
			return true, nil
		}
		if len(b.list) >= b.c.limits.List {
			return true, imapresp.ErrTooMany
		}
		b.at[e.Name] = len(b.list)
		b.list = append(b.list, e)
		return true, nil
	case "STATUS":
		s, err := imapresp.ParseMailboxStatus(r.Args, b.c.mailboxName)
		if err != nil {
			return true, err
		}
		i, ok := b.at[s.Name]
		if ok {
			b.list[i].Status = s
		}
		return ok, nil
	case "MYRIGHTS":
		name, rights, err := imapresp.ParseNamed(r.Args, b.c.mailboxName, 1)
		if i, ok := b.at[name]; ok && len(rights) == 1 {
			b.list[i].Rights = rights[0]
		}
		return true, err
	case "METADATA":
		name, entries, _, err := imapresp.ParseMetadata(r.Args, b.c.mailboxName, b.c.limits.List)
		if i, ok := b.at[name]; ok {
			b.list[i].Metadata = append(b.list[i].Metadata, entries...)
		}
		return true, err
	}
	return false, nil
}

// extended is LIST of RFC 5258.
func (b *listing) extended(o *imap.ListOptions) error {
	all := o.Status
	defer func() { o.Status = all }()
	var lone bool
	o.Status, lone = b.c.apart(all)
	if err := b.command(b.c.command("LIST").List(o, b.c.Has)); err != nil || !lone || !b.c.Has(imap.CapListStatus) {
		return err
	}
	ids := &listing{c: b.c, at: map[string]int{}}
	only := *o
	only.Status, only.Metadata, only.MyRights = []imap.StatusItem{imap.StatusMailboxID}, nil, false
	if err := ids.command(b.c.command("LIST").List(&only, b.c.Has)); err != nil {
		return err
	}
	for _, e := range ids.list {
		if i, ok := b.at[e.Name]; ok {
			takeMailboxID(b.list[i].Status, e.Status)
		}
	}
	return nil
}

// subscriptions marks what LSUB lists.
func (b *listing) subscriptions(o *imap.ListOptions) error {
	subscribed := &listing{c: b.c, at: map[string]int{}}
	if err := subscribed.command(b.c.plainList("LSUB", o)); err != nil {
		return err
	}
	for _, s := range subscribed.list {
		if i, ok := b.at[s.Name]; ok && !s.Has(imap.AttrNoSelect) { // else one below it is subscribed
			b.list[i].Attrs = append(b.list[i].Attrs, imap.AttrSubscribed)
		}
	}
	return nil
}

// statuses asks for the status of each. One that the server refuses stays
// without.
func (b *listing) statuses(o *imap.ListOptions) error {
	for i := range b.list {
		if !b.list[i].Selectable() {
			continue
		}
		s, err := b.c.askStatus(b.list[i].Name, o.Status)
		if b.c.Err() != nil {
			return err
		}
		if err == nil {
			b.list[i].Status = s
		}
	}
	return nil
}

// Status asks for numbers of a mailbox that is not selected; those that the
// server does not know are left out (RFC 9051 §6.3.11).
func (c *Client) Status(ctx context.Context, mailbox string, items ...imap.StatusItem) (s *imap.MailboxStatus, err error) {
	return asking(ctx, c, "", func() (*imap.MailboxStatus, error) { return c.askStatus(mailbox, items) })
}

func (c *Client) askStatus(mailbox string, items []imap.StatusItem) (*imap.MailboxStatus, error) {
	together, lone := c.apart(items)
	s, err := c.askItems(mailbox, together)
	if err != nil || !lone {
		return s, err
	}
	id, err := c.askItems(mailbox, []imap.StatusItem{imap.StatusMailboxID})
	if err != nil {
		return nil, err
	}
	takeMailboxID(s, id)
	return s, nil
}

// askItems is STATUS.
func (c *Client) askItems(mailbox string, items []imap.StatusItem) (*imap.MailboxStatus, error) {
	s := &imap.MailboxStatus{Name: mailbox}
	names := imapcmd.StatusNames(items, c.Has)
	if names == "" {
		c.appendLimit(s, items)
		return s, nil
	}
	l := c.command("STATUS").Mailbox(mailbox)
	l.Long = true
	_, err := c.conn.Do(l.SP("("+names+")"), func(r *response) (bool, error) {
		if r.Name != "STATUS" {
			return false, nil
		}
		got, err := imapresp.ParseMailboxStatus(r.Args, c.mailboxName)
		if err != nil || !sameMailbox(got.Name, mailbox) {
			return false, err
		}
		s = got
		return true, nil
	})
	c.appendLimit(s, items)
	return s, err
}

// sameMailbox compares names; INBOX is known in any case (RFC 9051 §5.1).
func sameMailbox(a, b string) bool {
	return a == b || strings.EqualFold(a, imap.Inbox) && strings.EqualFold(b, imap.Inbox)
}

// Namespace asks where mailboxes are (RFC 2342). ErrNotOffered without
// NAMESPACE.
func (c *Client) Namespace(ctx context.Context) (ns imap.Namespaces, err error) {
	return asking(ctx, c, imap.CapNamespace, func() (ns imap.Namespaces, err error) {
		err = c.ask(c.command("NAMESPACE"), "NAMESPACE", func(args []byte) (err error) {
			ns, err = imapresp.ParseNamespaces(args, c.mailboxName)
			return err
		})
		return ns, err
	})
}
