package imapclient

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapresp"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// ListOptions of List. The zero value lists all mailboxes.
type ListOptions struct {
	Reference string
	Patterns  []string // in UTF-8; nil = "*"; more than one needs LIST-EXTENDED

	// What is listed (RFC 5258 §3.1, RFC 6154 §5.2). Remote, RecursiveMatch and
	// SpecialUse are left out where they are not offered.
	Subscribed     bool // only subscribed ones; by LSUB where LIST-EXTENDED is not offered
	Remote         bool
	RecursiveMatch bool
	SpecialUse     bool

	// What is told of each, where the server offers it; else left out.
	Children     bool
	Subscription bool              // imap.AttrSubscribed; by LSUB where LIST-EXTENDED is not offered
	Uses         bool              // special uses
	Status       []imap.StatusItem // by STATUS commands where LIST-STATUS is not offered
	MyRights     bool
	Metadata     []string
}

// List lists mailboxes, each once, in the order of the server.
func (c *Client) List(ctx context.Context, o ListOptions) (list []imap.ListEntry, err error) {
	err = c.run(ctx, func() (err error) {
		list, err = c.list(&o)
		return err
	})
	return list, err
}

func (c *Client) list(o *ListOptions) ([]imap.ListEntry, error) {
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
		err = lb.command(c.extendedList(o))
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

// plainList is LIST or LSUB of RFC 3501.
func (c *Client) plainList(verb string, o *ListOptions) *line {
	return c.command(verb).pattern(o.Reference).pattern(o.Patterns[0])
}

// pattern adds a space and a name with wildcards, which may be empty.
func (l *line) pattern(s string) *line {
	if s == "" {
		return l.text(` ""`)
	}
	return l.mailbox(s)
}

// extendedList is LIST of RFC 5258. It has no options, and so the form of RFC
// 3501, where none is needed.
func (c *Client) extendedList(o *ListOptions) *line {
	l := c.command("LIST")
	special := c.Has(imap.CapSpecialUse)
	options(l, []option{
		{"SUBSCRIBED", o.Subscribed},
		{"REMOTE", o.Remote},
		{"RECURSIVEMATCH", o.RecursiveMatch},
		{"SPECIAL-USE", o.SpecialUse && special},
	})
	l.pattern(o.Reference)
	if len(o.Patterns) == 1 {
		l.pattern(o.Patterns[0])
	} else {
		for i, p := range o.Patterns {
			l.text([]string{" (", " "}[min(i, 1)]).mailboxValue(p)
		}
		l.text(")")
	}
	returned := []option{
		{"CHILDREN", o.Children},
		{"SUBSCRIBED", o.Subscription},
		{"SPECIAL-USE", o.Uses && special},
		{"MYRIGHTS", o.MyRights && c.Has(imap.CapListMyRights)},
	}
	if len(o.Status) > 0 && c.Has(imap.CapListStatus) {
		returned = append(returned, option{"STATUS (" + statusNames(c, o.Status) + ")", true})
	}
	if len(o.Metadata) > 0 && c.Has(imap.CapListMetadata) {
		names := make([]string, len(o.Metadata))
		for i, n := range o.Metadata {
			names[i] = string(imapwire.AppendQuoted(nil, n))
		}
		returned = append(returned, option{"METADATA (" + strings.Join(names, " ") + ")", true})
	}
	if slices.ContainsFunc(returned, func(o option) bool { return o.on }) {
		l.text(" RETURN")
		options(l, returned)
	}
	return l
}

type option struct {
	name string
	on   bool
}

// options adds a space and those that are on, in parentheses; nothing where none
// is.
func options(l *line, list []option) {
	n := 0
	for _, o := range list {
		if !o.on {
			continue
		}
		if n++; n == 1 {
			l.text(" (")
		} else {
			l.text(" ")
		}
		l.text(o.name)
	}
	if n > 0 {
		l.text(")")
	}
}

// statusNames are the items that the server knows.
func statusNames(c *Client, items []imap.StatusItem) string {
	var b strings.Builder
	for _, i := range items {
		if need, ok := statusNeeds[i]; ok && !c.Has(need) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(i.String())
	}
	return b.String()
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

// statusNeeds are the capabilities that items need.
var statusNeeds = map[imap.StatusItem]imap.Capability{
	imap.StatusSize: imap.CapStatusSize, imap.StatusHighestModSeq: imap.CapCondStore,
	imap.StatusAppendLimit: imap.CapAppendLimit, imap.StatusMailboxID: imap.CapObjectID,
	imap.StatusDeletedStorage: imap.CapQuotaStorage,
}

// listing collects what LIST and the responses with it say.
type listing struct {
	c    *Client
	list []imap.ListEntry
	at   map[string]int // name → place in list
}

func (b *listing) command(l *line) error {
	_, err := b.c.do(l, b.take)
	return err
}

func (b *listing) take(r *response) (taken bool, err error) {
	switch r.name {
	case "LIST", "LSUB":
		e, err := imapresp.ParseList(r.args, b.c.mailboxName)
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
		s, err := imapresp.ParseMailboxStatus(r.args, b.c.mailboxName)
		if err != nil {
			return true, err
		}
		i, ok := b.at[s.Name]
		if ok {
			b.list[i].Status = s
		}
		return ok, nil
	case "MYRIGHTS":
		name, rights, err := imapresp.ParseNamed(r.args, b.c.mailboxName, 1)
		if i, ok := b.at[name]; ok && len(rights) == 1 {
			b.list[i].Rights = rights[0]
		}
		return true, err
	case "METADATA":
		name, entries, _, err := imapresp.ParseMetadata(r.args, b.c.mailboxName, b.c.limits.List)
		if i, ok := b.at[name]; ok {
			b.list[i].Metadata = append(b.list[i].Metadata, entries...)
		}
		return true, err
	}
	return false, nil
}

// subscriptions marks what LSUB lists.
func (b *listing) subscriptions(o *ListOptions) error {
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
func (b *listing) statuses(o *ListOptions) error {
	for i := range b.list {
		if !b.list[i].Selectable() {
			continue
		}
		s, err := b.c.status(b.list[i].Name, o.Status)
		if b.c.err != nil {
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
	err = c.run(ctx, func() (err error) {
		s, err = c.status(mailbox, items)
		return err
	})
	return s, err
}

func (c *Client) status(mailbox string, items []imap.StatusItem) (*imap.MailboxStatus, error) {
	s := &imap.MailboxStatus{Name: mailbox}
	names := statusNames(c, items)
	if names == "" {
		c.appendLimit(s, items)
		return s, nil
	}
	l := c.command("STATUS").mailbox(mailbox)
	l.long = true
	_, err := c.do(l.sp("("+names+")"), func(r *response) (bool, error) {
		if r.name != "STATUS" {
			return false, nil
		}
		got, err := imapresp.ParseMailboxStatus(r.args, c.mailboxName)
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
	if !c.Has(imap.CapNamespace) {
		return ns, fmt.Errorf("%w: %s", ErrNotOffered, imap.CapNamespace)
	}
	err = c.ask(ctx, func() *line { return c.command("NAMESPACE") }, "NAMESPACE", func(args []byte) (err error) {
		ns, err = imapresp.ParseNamespaces(args, c.mailboxName)
		return err
	})
	return ns, err
}
