package imapserver

import (
	"errors"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapfetch"
	"github.com/mailstead/mailstead/internal/imapnotify"
)

// maxNotified bounds the mailboxes that one session is told of.
const maxNotified = 10_000

// notify runs NOTIFY (RFC 5465 §3.1). The sync behind it tells what has happened
// in the open mailbox.
func (s *session) notify(cmd *command) error {
	r, err := s.readNotify()
	if err != nil {
		return err
	}
	n := &notifier{request: r}
	l, err := s.listing()
	if err != nil {
		return err
	}
	if n.remember(s, l); len(n.told) > maxNotified {
		return errOverflow
	}
	s.stopNotify()
	s.notifier = n
	s.rewatch(l)
	return s.tellWatched(l)
}

// errOverflow refuses to watch more than a session may (RFC 5465 §5.8).
var errOverflow = no(imap.CodeNotificationOverflow, "Too much to watch")

// readNotify takes SP and what NOTIFY asks for, CRLF.
func (s *session) readNotify() (r imapnotify.Request, err error) {
	if err = s.dec.SP(); err != nil {
		return r, err
	}
	r, err = imapnotify.Parse(s.dec, imapfetch.Dialect{Rev2: s.has(rev2)}, s.readMailbox)
	if err == nil {
		err = s.dec.End()
	}
	switch {
	case errors.Is(err, imapnotify.ErrMany):
		return r, errOverflow
	case errors.Is(err, imapnotify.ErrEvent),
		err == nil && r.Has(imapnotify.MailboxMetadataChange|imapnotify.ServerMetadataChange) && !s.annotates():
		return r, no(imap.Code(string(imap.CodeBadEvent)+" ("+imapnotify.Supported(s.annotates())+")"), "Event not supported")
	}
	return r, err
}

// tellWatched tells the state of the mailboxes that are watched where that was
// asked for, and those that the user may see and not read.
func (s *session) tellWatched(l *listing) error {
	n := s.notifier
	for i := range l.names {
		p := l.place(l.names[i].Ref)
		if p == nil || p.NoSelect {
			continue
		}
		e := n.events(s, p, l.names[i].Subscribed)
		switch {
		case e == 0:
		case !p.rights.Has(imap.RightRead):
			s.deny(p.ID, p.name)
		case n.request.Status && e&imapnotify.Messages != 0 && !s.isOpen(p):
			if err := s.tellState(p, e, true); err != nil {
				return err
			}
		}
	}
	return nil
}
