package imaplist

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// Attributes are what LIST says of a mailbox (RFC 3501 §7.2.2, RFC 3348, RFC
// 6154 §2); children says whether mailboxes lie below it.
func (r *Request) Attributes(m *store.Mailbox, children bool) []string {
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
	if m.Subscribed && (r.Subscribed || r.ReturnSubscribed) {
		attrs = append(attrs, string(imap.AttrSubscribed))
	}
	return attrs
}
