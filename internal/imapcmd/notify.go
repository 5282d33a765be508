package imapcmd

import (
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/imap"
)

// Notify adds one event group (RFC 5465 §8).
func (l *Line) Notify(g *imap.NotifyGroup) *Line {
	l.Text(" (").Word(g.Filter)
	if len(g.Mailboxes) > 0 {
		Each(l, g.Mailboxes, func(m string) { l.MailboxValue(m) })
	}
	if len(g.Events) == 0 {
		return l.Text(" NONE)")
	}
	Each(l, g.Events, func(e string) {
		l.Word(e)
		if g.Items != nil && strings.EqualFold(e, "MessageNew") {
			if g.Items.ChangedSince != 0 || g.Items.Partial != (imap.PartialRange{}) {
				l.Fail(fmt.Errorf("%w: modifiers of NOTIFY", ErrArgument))
			}
			l.FetchItems(g.Items)
		}
	})
	return l.Text(")")
}
