package imapserver

import (
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imaplist"
	"github.com/mailstead/mailstead/store"
)

// listing is all names that the session's user may see, in order.
type listing struct {
	names  []imaplist.Name
	places []place // by Name.Ref
}

// place is the mailbox of a name; nil where there is none.
func (l *listing) place(ref int) *place {
	if ref < 0 {
		return nil
	}
	return &l.places[ref]
}

// listing collects the user's own mailboxes and those of others that he has the
// right l on, which are the user's own subscriptions too.
func (s *session) listing() (*listing, error) {
	st, err := s.account.Refresh(s.ctx)
	if err != nil {
		return nil, err
	}
	l := &listing{names: make([]imaplist.Name, 0, len(st.Mailboxes)), places: make([]place, 0, len(st.Mailboxes))}
	for _, m := range st.Mailboxes {
		p, err := s.ownPlace(st, m)
		if err != nil {
			return nil, err
		}
		l.add(p, m.Subscribed, m.Role)
	}
	owners, err := s.owners()
	if err != nil || len(owners) == 0 {
		return l, err
	}
	for _, owner := range owners {
		if err := s.listOwner(l, owner); err != nil {
			return nil, err
		}
	}
	l.sort()
	return l, nil
}

func (l *listing) add(p place, subscribed bool, role string) {
	l.names = append(l.names, imaplist.Name{
		Name: p.name, Exists: !p.NoSelect, NoSelect: !p.rights.Has(imap.RightRead), Subscribed: subscribed, Role: role, Ref: len(l.places),
	})
	l.places = append(l.places, p)
}

// listOwner adds the mailboxes of another account that the user may see, and
// those that he is subscribed to and are not there. The special uses are the
// owner's, not the user's.
func (s *session) listOwner(l *listing, owner store.AccountID) error {
	f := foreignName{prefix: s.sharing.cfg.prefix(owner), owner: owner}
	o, st, err := s.visit(owner)
	if err != nil {
		return err
	}
	book := s.sharing.own
	var seen []string
	if o != nil {
		for _, m := range st.Mailboxes {
			p := place{Mailbox: m, account: o.account, rights: o.book.List(m.ID).Of(s.id)}
			if !p.rights.Has(imap.RightLookup) || m.NoSelect {
				continue
			}
			f.rest = m.Name
			p.name = f.String()
			seen = append(seen, m.Name)
			l.add(p, book.Subscribed(owner, m.Name), "")
		}
	}
	for _, name := range book.Subscriptions(owner) {
		if _, ok := slices.BinarySearch(seen, name); !ok {
			f.rest = name
			l.names = append(l.names, imaplist.Name{Name: f.String(), Subscribed: true, Ref: -1})
		}
	}
	return nil
}

// sort brings the names in order. A mailbox of the user's own goes before one of
// another that has the same name.
func (l *listing) sort() {
	slices.SortStableFunc(l.names, func(a, b imaplist.Name) int { return strings.Compare(a.Name, b.Name) })
	l.names = slices.CompactFunc(l.names, func(a, b imaplist.Name) bool { return a.Name == b.Name })
}

// hasChildren reports whether a mailbox that the user may see lies below p.
func (s *session) hasChildren(p *place) bool {
	st := p.account.State()
	if st == nil {
		return false
	}
	prefix := p.Name + store.Separator
	from, _ := slices.BinarySearchFunc(st.Mailboxes, prefix, func(m *store.Mailbox, name string) int { return strings.Compare(m.Name, name) })
	for _, m := range st.Mailboxes[from:] {
		if !strings.HasPrefix(m.Name, prefix) {
			break
		}
		below := place{Mailbox: m, account: p.account}
		if !m.NoSelect && (s.own(&below) || s.listOf(&below).Of(s.id).Has(imap.RightLookup)) {
			return true
		}
	}
	return false
}
