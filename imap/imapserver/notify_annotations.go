package imapserver

import (
	"errors"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/internal/imapnotify"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// announceAnnotations tells which annotations changed (RFC 5465 §5.6, §5.7).
func (s *session) announceAnnotations(l *listing) error {
	n := s.notifier
	if !n.request.Has(imapnotify.MailboxMetadataChange | imapnotify.ServerMetadataChange) {
		return nil
	}
	for a, w := range n.watches {
		st := a.State()
		if st == nil || st.ModSeq <= w.annotations {
			continue
		}
		changed, err := s.changedAnnotations(a, w.annotations, n.own)
		if err != nil {
			return err
		}
		w.annotations = st.ModSeq
		if list := changed[store.MailboxID{}]; sameAccount(a, s.account) && n.request.Has(imapnotify.ServerMetadataChange) {
			s.tellAnnotations("", list)
		}
		for i := range l.places {
			p := &l.places[i]
			if !p.in(a) || n.told[p.ID].events&imapnotify.MailboxMetadataChange == 0 {
				continue
			}
			if _, err := s.annotated(p); err == nil { // as GETMETADATA (RFC 5464 §3.3)
				s.tellAnnotations(p.name, changed[p.ID])
			}
		}
	}
	return nil
}

// changedAnnotations are the names of the annotations of an account that changed
// after a mod-sequence, by mailbox: those that all may see, and the user's own.
// Where nobody remembers that far back, they are all that there are. What the
// session itself did in the user's account is left out; own are its changes.
func (s *session) changedAnnotations(a *view.Account, since store.ModSeq, own []store.ModSeq) (map[store.MailboxID][]string, error) {
	changed := make(map[store.MailboxID][]string)
	for _, private := range []bool{false, true} {
		prefix := s.annotationPrefix(private)
		q := store.EntryQuery{All: true, Prefix: prefix + "/", Since: since}
		for e, err := range a.Store().Entries(s.ctx, q) {
			if errors.Is(err, store.ErrResync) && since > 0 {
				return s.changedAnnotations(a, 0, nil)
			}
			if err != nil {
				return nil, err
			}
			if !sameAccount(a, s.account) || !slices.Contains(own, e.ModSeq) {
				changed[e.Mailbox] = append(changed[e.Mailbox], strings.TrimPrefix(e.Key, prefix))
			}
		}
	}
	return changed, nil
}

// tellAnnotations sends METADATA with names alone (RFC 5464 §4.4.2).
func (s *session) tellAnnotations(mailbox string, names []string) {
	if len(names) == 0 {
		return
	}
	s.enc.Raw("* METADATA ")
	if mailbox == "" {
		s.enc.Raw(`""`)
	} else {
		s.enc.Mailbox(mailbox, s.asUTF8())
	}
	for _, name := range names {
		s.enc.SP().Text([]byte(name))
	}
	s.enc.CRLF()
}
