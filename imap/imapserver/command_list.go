package imapserver

import (
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imaplist"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// list runs LIST (RFC 3501 §6.3.8) with the options of RFC 6154 §2.
func (s *session) list(cmd *command) error {
	a, err := s.readList()
	if err != nil {
		return err
	}
	if a.Root {
		s.enc.Raw("* LIST (\\Noselect) \"/\" \"\"\r\n")
		return nil
	}
	st, err := s.account.Refresh(s.ctx)
	if err != nil {
		return err
	}
	match := imaplist.Match(a.Patterns, s.asUTF8())
	for _, m := range st.Mailboxes {
		children := hasChildren(st, m.Name)
		switch {
		case m.NoSelect && !children: // a subscription of what is not there
		case a.Subscribed && !m.Subscribed, a.SpecialUse && m.Role == "":
		case match(m.Name):
			s.tellName("LIST", m.Name, a.Attributes(m, children))
		}
	}
	return nil
}

// readList takes SP and what LIST asks for, CRLF.
func (s *session) readList() (imaplist.Request, error) {
	if err := s.dec.SP(); err != nil {
		return imaplist.Request{}, err
	}
	r, err := imaplist.Parse(s.dec)
	if err != nil {
		return r, err
	}
	return r, s.dec.End()
}

// hasChildren reports whether a mailbox lies below name.
func hasChildren(st *view.State, name string) bool {
	prefix := name + store.Separator
	i, _ := slices.BinarySearchFunc(st.Mailboxes, prefix, func(m *store.Mailbox, p string) int { return strings.Compare(m.Name, p) })
	return i < len(st.Mailboxes) && strings.HasPrefix(st.Mailboxes[i].Name, prefix)
}

func (s *session) tellName(response, name string, attrs []string) {
	s.enc.Raw("* ").Raw(response).SP().Flags(attrs).Raw(` "/" `).Mailbox(name, s.asUTF8()).CRLF()
}

// lsub runs LSUB (RFC 3501 §6.3.9). Where "%" cuts off a subscribed name, the
// level above is told with \Noselect.
func (s *session) lsub(cmd *command) error {
	a, err := s.readList()
	if err != nil {
		return err
	}
	st, err := s.account.Refresh(s.ctx)
	if err != nil {
		return err
	}
	match := imaplist.Match(a.Patterns, s.asUTF8())
	told := make(map[string]bool)
	for _, m := range st.Mailboxes {
		if m.Subscribed && match(m.Name) {
			told[m.Name] = true
			var attrs []string
			if m.NoSelect {
				attrs = []string{string(imap.AttrNoSelect)}
			}
			s.tellName("LSUB", m.Name, attrs)
		}
	}
	for _, m := range st.Mailboxes {
		if !m.Subscribed || told[m.Name] {
			continue
		}
		for up := store.ParentName(m.Name); up != ""; up = store.ParentName(up) {
			if !told[up] && match(up) && slices.ContainsFunc(a.Patterns, func(p string) bool { return strings.HasSuffix(p, "%") }) {
				told[up] = true
				s.tellName("LSUB", up, []string{string(imap.AttrNoSelect)})
			}
		}
	}
	return nil
}
