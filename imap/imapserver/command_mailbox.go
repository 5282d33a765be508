package imapserver

import (
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/acl"
)

// create runs CREATE (RFC 3501 §6.3.3) with the USE parameter of RFC 6154 §3.
func (s *session) create(cmd *command) error {
	if err := s.dec.SP(); err != nil {
		return err
	}
	name, given, err := s.readCreatedGiven()
	if err != nil {
		return err
	}
	roles, err := s.readUse()
	if err != nil {
		return err
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	t, err := s.target(name)
	if err != nil {
		return err
	}
	ops := t.create()
	made := ops[len(t.missing)-1].(store.PutMailbox)
	if len(roles) > 0 {
		if !sameAccount(t.account, s.account) {
			return no(imap.CodeUseAttr, "Special uses are the owner's")
		}
		role, err := s.freeRole(roles)
		if err != nil {
			return err
		}
		made.Role = &role
		ops[len(t.missing)-1] = made
	}
	if _, err = s.apply(t.account, ops...); err == nil {
		s.tellRenamed(name, given)
	}
	if err == nil && s.offers(imap.CapObjectID) {
		cmd.okCode = string(imap.CodeMailboxID) + " (" + imap.FormatMailboxID(made.ID) + ")"
	}
	return err
}

// readUse takes [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"].
func (s *session) readUse() (roles []string, err error) {
	if !s.dec.Accept(' ') {
		return nil, nil
	}
	err = s.dec.List(func() error {
		if word, err := s.dec.Word(); err != nil || word != "USE" {
			return orBad(err, "Unknown parameter of CREATE")
		}
		if err := s.dec.SP(); err != nil {
			return err
		}
		return s.dec.List(func() error {
			b, err := imapwire.Take(s.dec, imapwire.ConsumeFlag)
			roles = append(roles, string(b))
			return err
		})
	})
	return roles, err
}

// orBad is err, or BAD with the text where there is none.
func orBad(err error, text string) error {
	if err != nil {
		return err
	}
	return bad(text)
}

// freeRole checks that a mailbox can be given these special uses: one that is
// known, and that no mailbox has yet.
func (s *session) freeRole(roles []string) (string, error) {
	i := slices.IndexFunc(imap.Roles(), func(a imap.Attr) bool { return strings.EqualFold(string(a), roles[0]) })
	if len(roles) > 1 || i < 0 {
		return "", no(imap.CodeUseAttr, "Special use not supported")
	}
	role := string(imap.Roles()[i])
	st, err := s.account.Refresh(s.ctx)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(st.Mailboxes, func(m *store.Mailbox) bool { return m.Role == role }) {
		return "", no(imap.CodeUseAttr, "Another mailbox has this special use")
	}
	return role, nil
}

// deleteMailbox runs DELETE (RFC 3501 §6.3.4).
func (s *session) deleteMailbox(cmd *command) error {
	m, err := s.namedMailbox(true)
	if err != nil {
		return err
	}
	if m.NoSelect {
		return no(imap.CodeCannot, "Name has inferior names")
	}
	if err := m.need(imap.RightDelete); err != nil {
		return err
	}
	ops := append([]store.Op{store.PutMailbox{ID: m.ID, Delete: true}}, s.listOf(&m).Forget(m.ID)...)
	if _, err := s.apply(m.account, ops...); err != nil {
		return err
	}
	if s.sel != nil && s.sel.ID == m.ID {
		s.deselect()
	}
	return nil
}

// rename runs RENAME (RFC 3501 §6.3.5).
func (s *session) rename(cmd *command) error {
	m, err := s.namedMailbox(false)
	if err != nil && s.isConnOrSyntax(err) {
		return err
	}
	if err := s.dec.SP(); err != nil {
		return err
	}
	to, given, rerr := s.readCreatedGiven()
	if rerr != nil {
		return rerr
	}
	if rerr := s.dec.End(); rerr != nil {
		return rerr
	}
	if err != nil {
		return err
	}
	if err := m.need(imap.RightDelete); err != nil {
		return err
	}
	t, err := s.target(to)
	switch {
	case err != nil:
		return err
	case !m.in(t.account):
		return no(imap.CodeCannot, "Not possible between accounts")
	case t.name == m.Name:
		return store.ErrExists
	case !s.own(&m) && m.Name == store.Inbox:
		return store.ErrInbox
	}
	if _, err = s.apply(m.account, store.PutMailbox{ID: m.ID, Name: t.name}); err == nil {
		s.tellRenamed(to, given)
	}
	return err
}

// isConnOrSyntax reports whether a command cannot be read on.
func (s *session) isConnOrSyntax(err error) bool { return isBad(err) || s.conn.failed() != nil }

// namedMailbox takes SP mailbox, with end also the end of the command, and
// returns the mailbox, which may be a name for its children only.
func (s *session) namedMailbox(end bool) (place, error) {
	if err := s.dec.SP(); err != nil {
		return place{}, err
	}
	name, err := s.readMailbox()
	if err != nil {
		return place{}, err
	}
	if end {
		if err := s.dec.End(); err != nil {
			return place{}, err
		}
	}
	return s.find(name)
}

// subscribe runs SUBSCRIBE (RFC 3501 §6.3.6).
func (s *session) subscribe(cmd *command) error { return s.setSubscribed(true) }

// unsubscribe runs UNSUBSCRIBE (RFC 3501 §6.3.7).
func (s *session) unsubscribe(cmd *command) error { return s.setSubscribed(false) }

// setSubscribed changes a subscription. That to a mailbox of another account is
// kept with the user, and can be ended when the mailbox or the right is gone
// (RFC 4314 §4).
func (s *session) setSubscribed(on bool) error {
	name, err := s.readLastMailbox()
	if err != nil {
		return err
	}
	p, err := s.find(name)
	if err == nil && on {
		err = p.need(imap.RightLookup)
	}
	f, foreign := s.foreign(name)
	switch {
	case err == nil && s.own(&p):
		if p.Subscribed == on {
			return nil
		}
		_, err = s.apply(p.account, store.PutMailbox{ID: p.ID, Subscribed: &on})
		return err
	case foreign && f.rest != "" && (err == nil || !on):
		_, err = s.apply(s.account, acl.Subscribe(f.owner, f.rest, on))
	}
	return err
}
