package imapserver

import (
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// listArgs are the arguments of LIST.
type listArgs struct {
	patterns []string // with the reference in front, as the client wrote them

	subscribed, special bool // selection options: only such mailboxes
	tellSubscribed      bool // return option SUBSCRIBED
	root                bool // the empty pattern: only the delimiter is asked for
}

// list runs LIST (RFC 3501 §6.3.8) with the options of RFC 6154 §2.
func (s *session) list(cmd *command) error {
	a, err := s.readList()
	if err != nil {
		return err
	}
	if a.root {
		s.enc.Raw("* LIST (\\Noselect) \"/\" \"\"\r\n")
		return nil
	}
	st, err := s.account.Refresh(s.ctx)
	if err != nil {
		return err
	}
	match := compilePatterns(a.patterns)
	for _, m := range st.Mailboxes {
		children := hasChildren(st, m.Name)
		switch {
		case m.NoSelect && !children: // a subscription of what is not there
		case a.subscribed && !m.Subscribed, a.special && m.Role == "":
		case match(m.Name):
			s.tellName("LIST", m.Name, a.attributes(m, children))
		}
	}
	return nil
}

// attributes are what LIST says of a mailbox (RFC 3501 §7.2.2, RFC 3348).
func (a *listArgs) attributes(m *store.Mailbox, children bool) []string {
	attrs := make([]string, 0, 4)
	if m.NoSelect {
		attrs = append(attrs, string(imap.AttrNoSelect))
	}
	if children {
		attrs = append(attrs, string(imap.AttrHasChildren))
	} else {
		attrs = append(attrs, string(imap.AttrHasNoChildren))
	}
	if m.Role != "" {
		attrs = append(attrs, m.Role)
	}
	if m.Subscribed && (a.subscribed || a.tellSubscribed) {
		attrs = append(attrs, string(imap.AttrSubscribed))
	}
	return attrs
}

// hasChildren reports whether a mailbox lies below name.
func hasChildren(st *view.State, name string) bool {
	prefix := name + store.Separator
	i, _ := slices.BinarySearchFunc(st.Mailboxes, prefix, func(m *store.Mailbox, p string) int { return strings.Compare(m.Name, p) })
	return i < len(st.Mailboxes) && strings.HasPrefix(st.Mailboxes[i].Name, prefix)
}

func (s *session) tellName(response, name string, attrs []string) {
	s.enc.Raw("* ").Raw(response).SP().Flags(attrs).Raw(` "/" `).Mailbox(name, false).CRLF()
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
	match := compilePatterns(a.patterns)
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
			if !told[up] && match(up) && slices.ContainsFunc(a.patterns, func(p string) bool { return strings.HasSuffix(p, "%") }) {
				told[up] = true
				s.tellName("LSUB", up, []string{string(imap.AttrNoSelect)})
			}
		}
	}
	return nil
}

// compilePatterns returns a function that matches names in UTF-8.
func compilePatterns(patterns []string) func(name string) bool {
	var any, inbox []*imapwire.Pattern
	for _, p := range patterns {
		if isASCII(p) {
			var err error
			if p, err = imapwire.DecodeUTF7([]byte(p)); err != nil {
				continue // matches nothing
			}
		}
		if len(p) >= len(imap.Inbox) && strings.EqualFold(p[:len(imap.Inbox)], imap.Inbox) {
			p = imap.Inbox + p[len(imap.Inbox):]
		}
		any = append(any, imapwire.CompilePattern(p, imap.Delimiter))
		inbox = append(inbox, imapwire.CompilePattern(strings.ToUpper(p), imap.Delimiter))
	}
	return func(name string) bool {
		set := any
		if name == imap.Inbox {
			set = inbox
		}
		return slices.ContainsFunc(set, func(p *imapwire.Pattern) bool { return p.Match(name) })
	}
}
