package imapaccount

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// Options of an Account.
type Options struct {
	// Name names the account for ever, without secrets: "imap://ann@host/".
	Name string

	// Dial makes a connection and logs in, as a Dialer does.
	Dial func(ctx context.Context) (*imapclient.Client, error)

	// MaxOpen is how many mailboxes may be open at a time, a connection each; 0 = 4.
	// A target may use as many again for a moment.
	MaxOpen int

	// Others lists mailboxes of other users and shared ones, too.
	Others bool

	// MaxName is the greatest length of a mailbox name in octets as it is sent;
	// 0 = 240.
	MaxName int

	// MaxMemory is how much of a message on its way into a target is kept in memory;
	// greater ones lie in a file of TempDir meanwhile. 0 = 256 KiB.
	MaxMemory int
	TempDir   string // "" = the system's
}

// Account is an account of an IMAP server. Its methods may be called from any
// number of goroutines. Make one with New, and close it.
type Account struct {
	o         Options
	delimiter rune   // 0 = names are flat
	prefix    string // of the personal namespace, with the delimiter at its end
	foreign   []string
	limit     int64 // APPENDLIMIT; 0 = not said
	uidPlus   bool

	mu   sync.Mutex
	idle []*imapclient.Client
}

// New connects, and learns how names are written. migrate.ErrLogin: the server
// refuses the login.
func New(ctx context.Context, o Options) (*Account, error) {
	a := &Account{o: o}
	if a.o.MaxOpen <= 0 {
		a.o.MaxOpen = 4
	}
	if a.o.MaxName <= 0 {
		a.o.MaxName = 240
	}
	if a.o.MaxMemory <= 0 {
		a.o.MaxMemory = 256 << 10
	}
	c, err := a.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer a.put(c)
	a.uidPlus = c.Has(imap.CapUIDPlus)
	if v, ok := c.CapabilityValue(imap.CapAppendLimit); ok {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 0 {
			a.limit = n
		}
	}
	return a, a.names(ctx, c)
}

// names learns the delimiter and the namespaces.
func (a *Account) names(ctx context.Context, c *imapclient.Client) error {
	list, err := c.List(ctx, imap.ListOptions{Patterns: []string{""}})
	if err != nil {
		return answer(err)
	}
	for i := range list {
		a.delimiter = list[i].Delimiter
	}
	if !c.Has(imap.CapNamespace) {
		return nil
	}
	ns, err := c.Namespace(ctx)
	var refused *imapclient.Error
	if errors.As(err, &refused) {
		return nil
	}
	if err != nil {
		return answer(err)
	}
	if len(ns.Personal) > 0 {
		a.prefix = ns.Personal[0].Prefix
		if ns.Personal[0].Delimiter != 0 {
			a.delimiter = ns.Personal[0].Delimiter
		}
	}
	if !a.o.Others {
		for _, n := range append(ns.Other, ns.Shared...) {
			if n.Prefix != "" && n.Prefix != a.prefix {
				a.foreign = append(a.foreign, n.Prefix)
			}
		}
	}
	return nil
}

func (a *Account) dial(ctx context.Context) (*imapclient.Client, error) {
	c, err := a.o.Dial(ctx)
	if err != nil {
		return nil, loginAnswer(err)
	}
	return c, nil
}

// get is a connection that nobody uses.
func (a *Account) get(ctx context.Context) (*imapclient.Client, error) {
	a.mu.Lock()
	n := len(a.idle)
	if n > 0 {
		c := a.idle[n-1]
		a.idle = a.idle[:n-1]
		a.mu.Unlock()
		if c.Noop(ctx) == nil {
			return c, nil
		}
		_ = c.Close() // it is lost
		return a.get(ctx)
	}
	a.mu.Unlock()
	return a.dial(ctx)
}

// put gives a connection back; one that is lost is closed.
func (a *Account) put(c *imapclient.Client) {
	if c == nil {
		return
	}
	if c.Err() != nil {
		_ = c.Close()
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.idle = append(a.idle, c)
}

// Name is that of the options.
func (a *Account) Name() string { return a.o.Name }

// MaxOpen is that of the options.
func (a *Account) MaxOpen() int { return a.o.MaxOpen }

// Close closes the connections.
func (a *Account) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, c := range a.idle {
		errs = append(errs, c.Close())
	}
	a.idle = nil
	return errors.Join(errs...)
}

// Keeper is nil: a server keeps no notes.
func (a *Account) Keeper() migrate.Keeper { return nil }

// Finish does nothing.
func (a *Account) Finish(context.Context) error { return nil }

// Rules are those of the server, as far as it tells.
func (a *Account) Rules() migrate.Rules {
	r := migrate.Rules{
		Forbidden: `*%`, MaxName: a.o.MaxName - len(a.prefix), MaxMessage: a.limit,
		Length: func(level string) int { return len(imapwire.AppendUTF7(nil, level)) },
	}
	if a.delimiter == 0 {
		r.MaxDepth = 1
	} else {
		r.Forbidden += string(a.delimiter)
	}
	return r
}

// path is the levels of a name on the wire; false: it is somebody else's.
func (a *Account) path(name string, delimiter rune) ([]string, bool) {
	for _, p := range a.foreign {
		if strings.HasPrefix(name, p) || name+string(delimiter) == p {
			return nil, false
		}
	}
	if a.prefix != "" && len(name) > len(a.prefix) && strings.EqualFold(name[:len(a.prefix)], a.prefix) {
		name = name[len(a.prefix):]
	}
	if delimiter == 0 {
		return []string{name}, true
	}
	return strings.Split(name, string(delimiter)), true
}

// wireName is the way back.
func (a *Account) wireName(path []string) string {
	if a.delimiter == 0 {
		return strings.Join(path, "_")
	}
	name := strings.Join(path, string(a.delimiter))
	if strings.EqualFold(path[0], store.Inbox) {
		return name
	}
	return a.prefix + name
}

// Mailboxes lists the mailboxes with their numbers.
func (a *Account) Mailboxes(ctx context.Context) ([]migrate.Mailbox, error) {
	c, err := a.get(ctx)
	if err != nil {
		return nil, err
	}
	defer a.put(c)
	list, err := c.List(ctx, imap.ListOptions{Subscription: true, Uses: true, Status: statusItems(c)})
	if err != nil {
		return nil, answer(err)
	}
	var out []migrate.Mailbox
	for i := range list {
		e := &list[i]
		path, ours := a.path(e.Name, e.Delimiter)
		if !ours {
			continue
		}
		m := migrate.Mailbox{
			Path: path, Key: e.Name, Messages: -1, Bytes: -1, Hint: e.Name,
			Subscribed: e.Has(imap.AttrSubscribed), NoSelect: !e.Selectable(),
		}
		for _, attr := range e.Attrs {
			if role := migrate.CleanRole(string(attr)); role != "" {
				m.Role = role
			}
		}
		if e.Status != nil {
			numbers(&m, e.Status)
		}
		out = append(out, m)
	}
	return out, nil
}

func statusItems(c *imapclient.Client) []imap.StatusItem {
	items := []imap.StatusItem{imap.StatusMessages, imap.StatusUIDNext, imap.StatusUIDValidity}
	if c.Has(imap.CapCondStore) {
		items = append(items, imap.StatusHighestModSeq)
	}
	if c.Has(imap.CapStatusSize) {
		items = append(items, imap.StatusSize)
	}
	return items
}

// numbers fills in what a STATUS response says.
func numbers(m *migrate.Mailbox, s *imap.MailboxStatus) {
	if s.Has(imap.StatusMessages) {
		m.Messages = int64(s.Messages)
	}
	if s.Has(imap.StatusSize) {
		m.Bytes = s.Size
	}
	m.UIDValidity, m.UIDNext = s.UIDValidity, s.UIDNext
	if s.UIDValidity != 0 {
		m.Validity = strconv.FormatUint(uint64(s.UIDValidity), 10)
	}
	if s.HighestModSeq > 0 && s.UIDNext > 0 && s.Has(imap.StatusMessages) {
		m.State = fmt.Sprintf("%d/%d/%d", s.HighestModSeq, s.UIDNext, s.Messages)
	}
}

// Put makes a mailbox, gives it a special use where the server can, and subscribes
// to it.
func (a *Account) Put(ctx context.Context, m migrate.Mailbox) (migrate.Mailbox, error) {
	c, err := a.get(ctx)
	if err != nil {
		return m, err
	}
	defer a.put(c)
	name := a.wireName(m.Path)
	status, err := a.create(ctx, c, name, m.Role)
	if err != nil {
		return m, err
	}
	if m.Subscribed {
		if err := c.Subscribe(ctx, name); err != nil && c.Err() != nil {
			return m, answer(err) // a refusal loses no mail
		}
	}
	path, _ := a.path(name, a.delimiter)
	out := migrate.Mailbox{Path: path, Key: name, Role: m.Role, Subscribed: m.Subscribed, Messages: -1, Bytes: -1, Hint: name}
	numbers(&out, status)
	return out, nil
}

// create makes a mailbox that is not there. What STATUS can tell of is there.
func (a *Account) create(ctx context.Context, c *imapclient.Client, name, role string) (*imap.MailboxStatus, error) {
	s, err := c.Status(ctx, name, statusItems(c)...)
	if err == nil {
		a.use(ctx, c, name, role)
		return s, nil
	}
	if c.Err() != nil {
		return nil, answer(err)
	}
	var uses []imap.Attr
	if role != "" {
		uses = []imap.Attr{imap.Attr(role)}
	}
	_, err = c.Create(ctx, name, uses...)
	if err != nil && len(uses) > 0 && c.Err() == nil {
		_, err = c.Create(ctx, name) // it may be the use that it refuses (RFC 6154 §3)
	}
	if err != nil && imapclient.Code(err) != imap.CodeAlreadyExists {
		return nil, answer(err)
	}
	s, err = c.Status(ctx, name, statusItems(c)...)
	return s, answer(err)
}

// use gives a mailbox a special use (RFC 6154 §5.4). A server that cannot loses no
// mail.
func (a *Account) use(ctx context.Context, c *imapclient.Client, name, role string) {
	if role != "" && c.Has(imap.CapMetadata) {
		_ = c.SetMetadata(ctx, name, imap.MetadataEntry{Name: "/private/specialuse", Value: []byte(role)})
	}
}

// loginAnswer judges an error of Dial.
func loginAnswer(err error) error {
	var refused *imapclient.Error
	if errors.As(err, &refused) && !refused.Temporary() && (refused.Command == "AUTHENTICATE" || refused.Command == "LOGIN") {
		return fmt.Errorf("%w: %w", migrate.ErrLogin, err)
	}
	if errors.Is(err, imapclient.ErrNoAuth) || errors.Is(err, imapclient.ErrTLSRequired) {
		return fmt.Errorf("%w: %w", migrate.ErrLogin, err)
	}
	return answer(err)
}

// answer adds migrate's error to a refusal.
func answer(err error) error {
	var refused *imapclient.Error
	if !errors.As(err, &refused) || refused.Temporary() {
		return err
	}
	as := migrate.ErrRefused
	switch imapclient.Code(err) {
	case imap.CodeNonExistent, imap.CodeTryCreate:
		as = migrate.ErrNoMailbox
	case imap.CodeNoPerm, imap.CodePrivacyRequired:
		as = migrate.ErrPermission
	case imap.CodeOverQuota:
		as = migrate.ErrQuota
	case imap.CodeTooBig, imap.CodeLimit:
		as = migrate.ErrTooLarge
	case imap.CodeCannot:
		as = migrate.ErrName
	case imap.CodeAuthenticationFailed, imap.CodeAuthorizationFailed, imap.CodeExpired:
		as = migrate.ErrLogin
	}
	return fmt.Errorf("%w: %w", as, err)
}
