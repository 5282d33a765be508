package imapserver

import (
	"errors"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imaplist"
	"github.com/mailstead/mailstead/store"
)

// deny tells that a mailbox is watched for the time when the user may read it
// (RFC 5465 §3.1, §5.9).
func (s *session) deny(id store.MailboxID, name string) {
	s.notifier.noteDenied(id)
	s.tellList(string(imap.AttrNoAccess), name)
}

func (n *notifier) noteDenied(id store.MailboxID) {
	if n.denied == nil {
		n.denied = make(map[store.MailboxID]bool)
	}
	n.denied[id] = true
}

// access tells when the user lost or got the right to read a mailbox that he may
// see. It reports whether he got it.
func (c *changes) access(name *imaplist.Name, p *place) (opened bool) {
	s := c.session
	may, denied := p.rights.Has(imap.RightRead), s.notifier.denied[p.ID]
	switch {
	case may && denied:
		delete(s.notifier.denied, p.ID)
		s.tellChanged(name, p, p.name)
		return true
	case !may && !denied:
		s.deny(p.ID, p.name)
	}
	return false
}

// isDenied reports whether a mailbox that is not listed any more is there still,
// and only the user's right to see it is gone.
func (s *session) isDenied(id store.MailboxID, old *watched) (bool, error) {
	if sameAccount(old.account, s.account) {
		return false, nil
	}
	st, err := old.account.Refresh(s.ctx)
	if errors.Is(err, store.ErrNoAccount) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if st.Mailbox(id) == nil {
		delete(s.notifier.denied, id)
		return false, nil
	}
	s.notifier.noteDenied(id)
	return true, nil
}
