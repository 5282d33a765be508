package imapserver

import (
	"slices"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/acl"
	"github.com/mailstead/mailstead/store/view"
)

// target is a name that a mailbox is about to get: by CREATE, or by RENAME.
type target struct {
	account *view.Account
	name    string // in the account
	missing []string
	inherit acl.List // of the nearest mailbox above (RFC 4314 §4)
}

// target finds where a name will lie, and refuses it where the user may not
// create below the nearest mailbox that is there. At the top of an account only
// its user may.
func (s *session) target(name string) (target, error) {
	if err := creatable(name); err != nil {
		return target{}, err
	}
	t := target{account: s.account, name: name}
	st, err := s.account.Refresh(s.ctx)
	if err != nil {
		return t, err
	}
	book := (*acl.Book)(nil)
	rights := func(l acl.List) imap.Rights { return l.OfOwner(s.id) }
	if f, ok := s.foreign(name); ok && st.Named(name) == nil {
		o, others, err := s.visit(f.owner)
		if err != nil {
			return t, err
		}
		if o == nil || f.rest == "" {
			return t, no(imap.CodeNoPerm, "Permission denied")
		}
		t.account, t.name, st, book = o.account, f.rest, others, o.book
		rights = func(l acl.List) imap.Rights { return l.Of(s.id) }
	} else if s.sharing != nil {
		if err := s.readOwn(); err != nil {
			return t, err
		}
		book = s.sharing.own
	}
	return t, t.below(st, book, rights)
}

// below looks for the nearest mailbox above, and what is missing under it.
func (t *target) below(st *view.State, book *acl.Book, rights func(acl.List) imap.Rights) error {
	t.missing = []string{t.name}
	if book == nil {
		return nil
	}
	for up := store.ParentName(t.name); up != ""; up = store.ParentName(up) {
		m := st.Named(up)
		if m == nil {
			t.missing = append(t.missing, up)
		}
		if m != nil && !m.NoSelect {
			t.inherit = book.List(m.ID)
			break
		}
	}
	if !rights(t.inherit).Has(imap.RightCreate) {
		return no(imap.CodeNoPerm, "Permission denied")
	}
	switch {
	case len(t.inherit) == 0:
		t.missing = t.missing[:1] // the store makes the others
	case len(t.inherit)*len(t.missing) > book.Room():
		return store.ErrLimit
	}
	slices.Reverse(t.missing)
	return nil
}

// create are the Ops that make the mailbox and the levels above it that are
// missing, each with the rights of the mailbox they lie under.
func (t *target) create() []store.Op {
	var boxes, rights []store.Op
	for _, name := range t.missing {
		op := store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: name}
		boxes = append(boxes, op)
		rights = append(rights, t.inherit.Inherit(op.ID)...)
	}
	return append(boxes, rights...)
}

// listOf is the access control list of a mailbox as it was read last.
func (s *session) listOf(p *place) acl.List {
	switch {
	case s.sharing == nil:
		return nil
	case s.own(p):
		return s.sharing.own.List(p.ID)
	}
	for _, o := range s.sharing.others {
		if p.in(o.account) {
			return o.book.List(p.ID)
		}
	}
	return nil
}
