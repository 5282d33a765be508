package imapserver

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/acl"
	"github.com/mailstead/mailstead/store/view"
)

// Sharing lets users open their mailboxes to each other (RFC 4314). A mailbox of
// another account is reached as PREFIX/ACCOUNT/NAME: the prefix is that of the
// Other Users' Namespace for accounts of people, and that of the Shared Namespace
// for those listed in Accounts (RFC 2342 §3).
type Sharing struct {
	// Other is the prefix of the Other Users' Namespace; "" = "Other Users".
	Other string

	// Shared is the prefix of the Shared Namespace; "" = "Shared".
	Shared string

	// Accounts are those that belong to nobody alone. Only their mailboxes can be
	// given to acl.Anyone and acl.Authenticated: of those every user hears, and no
	// user can put mailboxes before everybody's eyes.
	Accounts []store.AccountID

	// Account finds the account that a client means by an identifier: another
	// case, another spelling. store.ErrNoAccount: nobody. nil = the identifier is
	// the account's id.
	Account func(ctx context.Context, identifier string) (store.AccountID, error)
}

func (c *Sharing) withDefaults() *Sharing {
	if c == nil {
		return nil
	}
	d := *c
	if d.Other == "" {
		d.Other = "Other Users"
	}
	if d.Shared == "" {
		d.Shared = "Shared"
	}
	return &d
}

// validate reports prefixes that cannot be told apart, or are no names.
func (c *Sharing) validate() error {
	if c == nil {
		return nil
	}
	d := c.withDefaults()
	for _, p := range []string{d.Other, d.Shared} {
		if store.ValidateName(p) != nil || p == store.Inbox || strings.HasPrefix(p, store.Inbox+store.Separator) {
			return errors.New("imapserver: Sharing has a prefix that is no mailbox name")
		}
	}
	if d.Other == d.Shared || store.IsBelow(d.Other, d.Shared) || store.IsBelow(d.Shared, d.Other) {
		return errors.New("imapserver: the prefixes of Sharing overlap")
	}
	return nil
}

// prefix is that of the namespace in which an account's mailboxes appear.
func (c *Sharing) prefix(owner store.AccountID) string {
	if slices.Contains(c.Accounts, owner) {
		return c.Shared
	}
	return c.Other
}

// sharing is what a session knows of other accounts; nil where nothing is
// shared. Books are brought up to their account when it moved.
type sharing struct {
	cfg    *Sharing
	books  *books
	own    *acl.Book
	others map[store.AccountID]*other
}

// other is an account that shares with the user.
type other struct {
	account *view.Account
	book    *acl.Book
}

// release gives back what the session holds of id's and of other accounts.
func (sh *sharing) release(id store.AccountID) {
	if sh == nil {
		return
	}
	for owner, o := range sh.others {
		o.account.Release()
		sh.books.release(owner)
	}
	sh.others = nil
	sh.books.release(id)
}

// foreignName is the name of another account's mailbox.
type foreignName struct {
	prefix string
	owner  store.AccountID
	rest   string // in the account; "" = the level of the account itself
}

// String is the name as the session writes it.
func (f foreignName) String() string {
	if f.rest == "" {
		return f.prefix + store.Separator + string(f.owner)
	}
	return f.prefix + store.Separator + string(f.owner) + store.Separator + f.rest
}

// foreign takes a clean name apart that lies in the namespace of others. ok is
// also true for names there that no account stands behind.
func (s *session) foreign(name string) (f foreignName, ok bool) {
	if s.sharing == nil {
		return f, false
	}
	for _, p := range []string{s.sharing.cfg.Other, s.sharing.cfg.Shared} {
		if name == p {
			return foreignName{prefix: p}, true
		}
		if store.IsBelow(name, p) {
			owner, rest, _ := strings.Cut(name[len(p)+1:], store.Separator)
			if clean, err := store.CleanName(rest); err == nil {
				rest = clean
			}
			if s.sharing.cfg.prefix(store.AccountID(owner)) != p {
				owner = "" // it stands in the other namespace
			}
			return foreignName{p, store.AccountID(owner), rest}, true
		}
	}
	return f, false
}

// owners are the accounts whose mailboxes the user may perhaps see: those that
// he was told of, and those that are shared with all.
func (s *session) owners() ([]store.AccountID, error) {
	if s.sharing == nil {
		return nil, nil
	}
	if err := s.readOwn(); err != nil {
		return nil, err
	}
	list := s.sharing.own.Owners()
	list = append(list, s.sharing.cfg.Accounts...)
	slices.Sort(list)
	list = slices.Compact(list)
	return slices.DeleteFunc(list, func(id store.AccountID) bool {
		return id == s.id || id == "" || store.ValidateName(string(id)) != nil || strings.Contains(string(id), store.Separator)
	}), nil
}

// readOwn brings the user's own book up to date.
func (s *session) readOwn() error {
	st, err := s.account.Refresh(s.ctx)
	if err != nil {
		return err
	}
	return s.sharing.own.Refresh(s.ctx, s.account.Store(), st.ModSeq)
}

// visit opens an account that shares with the user, as of now; nil for any
// other, whether it is there or not.
func (s *session) visit(owner store.AccountID) (*other, *view.State, error) {
	sh := s.sharing
	if owner == s.id || !slices.Contains(sh.cfg.Accounts, owner) {
		if err := s.readOwn(); err != nil {
			return nil, nil, err
		}
		if owner == s.id || !sh.own.HasOwner(owner) {
			return nil, nil, nil
		}
	}
	o := sh.others[owner]
	if o == nil {
		a, err := s.srv.views.Open(s.ctx, owner)
		if errors.Is(err, store.ErrNoAccount) {
			return nil, nil, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if sh.others == nil {
			sh.others = make(map[store.AccountID]*other)
		}
		o = &other{account: a, book: sh.books.open(owner)}
		sh.others[owner] = o
	}
	st, err := o.account.Refresh(s.ctx)
	if errors.Is(err, store.ErrNoAccount) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return o, st, o.book.Refresh(s.ctx, o.account.Store(), st.ModSeq)
}

// shares reports whether rights can be given.
func (s *session) shares() bool { return s.sharing != nil }

// annotates reports whether annotations can be kept.
func (s *session) annotates() bool { return s.entries }

// keepsEntries reports whether the store has entries, which is asked once.
func (s *Server) keepsEntries(ctx context.Context, a store.Account) (bool, error) {
	switch s.entries.Load() {
	case entriesKept:
		return true, nil
	case entriesNot:
		return false, nil
	}
	for _, err := range a.Entries(ctx, store.EntryQuery{Prefix: "acl/"}) {
		if errors.Is(err, store.ErrUnsupported) {
			s.entries.Store(entriesNot)
			return false, nil
		}
		if err != nil {
			return false, err
		}
		break
	}
	s.entries.Store(entriesKept)
	return true, nil
}

// What a Server knows of its store's entries; zero = nothing yet.
const (
	entriesKept = 1 + iota
	entriesNot
)

// refreshShared looks, before each command but those that only leave it, whether
// the user still may do what he could with the selected mailbox of another
// account.
func (s *session) refreshShared(v *verb) error {
	if s.sel == nil || s.own(&s.sel.place) || v.deselects() {
		return nil
	}
	return s.refresh()
}

// recheck takes over the rights that the user has now on the selected mailbox,
// where it is another account's. The session ends when he may not read it any
// more (RFC 4314 §5.1.1).
func (s *session) recheck() error {
	sel := s.sel
	if s.own(&sel.place) {
		return nil
	}
	o, _, err := s.visit(sel.account.ID())
	if err != nil {
		return err
	}
	var now acl.Rights
	if o != nil {
		now = o.book.List(sel.ID).Of(s.id)
	}
	switch {
	case now == sel.rights:
		return nil
	case !now.Has(acl.Read):
		s.bye("Selected mailbox is not shared any more")
		return no(imap.CodeNoPerm, "Permission denied")
	}
	sel.rights = now
	t, err := s.table()
	if err == nil {
		s.tellFlags(t)
	}
	return err
}
