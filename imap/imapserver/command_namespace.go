package imapserver

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// namespace runs NAMESPACE (RFC 2342 §5). The namespaces of others are told when
// there is something in them for the user.
func (s *session) namespace(cmd *command) error {
	if err := s.dec.End(); err != nil {
		return err
	}
	others, shared, err := s.namespaces()
	if err != nil {
		return err
	}
	s.enc.Raw(`* NAMESPACE (("" "/"))`)
	for _, n := range []struct {
		there  bool
		prefix func(*Sharing) string
	}{
		{others, func(c *Sharing) string { return c.Other }},
		{shared, func(c *Sharing) string { return c.Shared }},
	} {
		if !n.there {
			s.enc.Raw(" NIL")
			continue
		}
		s.enc.Raw(" ((")
		s.tellPrefix(n.prefix(s.sharing.cfg) + store.Separator)
		s.enc.Raw(` "/"))`)
	}
	s.enc.CRLF()
	return nil
}

// tellPrefix sends a prefix as a string, which it has to be also where a mailbox
// name could be an atom.
func (s *session) tellPrefix(prefix string) {
	if !s.asUTF8() {
		s.enc.Text(imapwire.AppendUTF7(nil, prefix))
		return
	}
	_, _ = s.enc.Write(imapwire.AppendQuoted(nil, prefix))
}

// namespaces reports whether another user, and a shared account, lets the user
// see a mailbox.
func (s *session) namespaces() (others, shared bool, err error) {
	owners, err := s.owners()
	if err != nil {
		return false, false, err
	}
	for _, owner := range owners {
		there := &others
		if s.sharing.cfg.prefix(owner) == s.sharing.cfg.Shared {
			there = &shared
		}
		if *there {
			continue
		}
		if *there, err = s.shows(owner); err != nil {
			return false, false, err
		}
	}
	return others, shared, nil
}

// shows reports whether the user may see a mailbox of the account.
func (s *session) shows(owner store.AccountID) (bool, error) {
	o, st, err := s.visit(owner)
	if o == nil || err != nil {
		return false, err
	}
	for _, m := range st.Mailboxes {
		if !m.NoSelect && o.book.List(m.ID).Of(s.id).Has(imap.RightLookup) {
			return true, nil
		}
	}
	return false, nil
}
