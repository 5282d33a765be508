package imapserver

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// place is a mailbox as this session reaches it: one of its user, or of another
// account that shares it.
type place struct {
	*store.Mailbox
	account *view.Account
	name    string      // as this session writes it: with the prefix of its namespace
	rights  imap.Rights // of the session's user
}

// find returns the mailbox of that name as of now, which may be a name for its
// children only. Every command that names a mailbox comes through here. A
// mailbox on which the user has no right at all is not there (RFC 4314 §6).
func (s *session) find(name string) (place, error) {
	st, err := s.account.Refresh(s.ctx)
	if err != nil {
		return place{}, err
	}
	if m := st.Named(name); m != nil {
		return s.ownPlace(st, m)
	}
	if f, ok := s.foreign(name); ok {
		return s.foreignPlace(f)
	}
	return place{}, errNoSuch()
}

func errNoSuch() error { return no(imap.CodeNonExistent, "No such mailbox") }

// ownPlace is a mailbox of the user.
func (s *session) ownPlace(st *view.State, m *store.Mailbox) (place, error) {
	p := place{Mailbox: m, account: s.account, name: m.Name, rights: imap.RightsAll}
	if s.sharing == nil {
		return p, nil
	}
	if err := s.sharing.own.Refresh(s.ctx, s.account.Store(), st.ModSeq); err != nil {
		return place{}, err
	}
	p.rights = s.sharing.own.List(m.ID).OfOwner(s.id)
	return p, nil
}

// foreignPlace is a mailbox of another account.
func (s *session) foreignPlace(f foreignName) (place, error) {
	o, st, err := s.visit(f.owner)
	if err != nil {
		return place{}, err
	}
	if o == nil {
		return place{}, errNoSuch()
	}
	m := st.Named(f.rest)
	if m == nil {
		return place{}, errNoSuch()
	}
	p := place{Mailbox: m, account: o.account, name: f.String(), rights: o.book.List(m.ID).Of(s.id)}
	if p.rights == 0 {
		return place{}, errNoSuch()
	}
	return p, nil
}

// own reports whether the mailbox is the user's.
func (s *session) own(p *place) bool { return p.in(s.account) }

// in reports whether the mailbox lies in that account.
func (p *place) in(a *view.Account) bool { return sameAccount(p.account, a) }

// sameAccount reports whether two handles are of one account; it compares ids, as
// a handle may be opened anew.
func sameAccount(a, b *view.Account) bool { return a.ID() == b.ID() }

// mailbox is find for a mailbox that holds messages.
func (s *session) mailbox(name string) (place, error) {
	p, err := s.find(name)
	if err == nil && p.NoSelect {
		return place{}, errNoSuch()
	}
	return p, err
}

// need refuses what the user has no right to (RFC 4314 §4). To whom LIST does
// not show the mailbox it is not there (§6).
func (p *place) need(r imap.Rights) error {
	switch {
	case p.rights.Has(r):
		return nil
	case !p.rights.Has(imap.RightLookup):
		return errNoSuch()
	}
	return no(imap.CodeNoPerm, "Permission denied")
}
