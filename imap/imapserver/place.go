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
// children only. Every command that names a mailbox comes through here.
func (s *session) find(name string) (place, error) {
	st, err := s.account.Refresh(s.ctx)
	if err != nil {
		return place{}, err
	}
	m := st.Named(name)
	if m == nil {
		return place{}, no(imap.CodeNonExistent, "No such mailbox")
	}
	return place{Mailbox: m, account: s.account, name: m.Name, rights: imap.RightsAll}, nil
}

// mailbox is find for a mailbox that holds messages.
func (s *session) mailbox(name string) (place, error) {
	p, err := s.find(name)
	if err == nil && p.NoSelect {
		return place{}, no(imap.CodeNonExistent, "No such mailbox")
	}
	return p, err
}

// need refuses what the user has no right to (RFC 4314 §4).
func (p *place) need(r imap.Rights) error {
	if !p.rights.Has(r) {
		return no(imap.CodeNoPerm, "Permission denied")
	}
	return nil
}
