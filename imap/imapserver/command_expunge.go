package imapserver

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// expunge runs EXPUNGE (RFC 3501 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1). The
// sync behind it sends the EXPUNGE responses.
func (s *session) expunge(cmd *command) error {
	var set imap.NumSet
	if cmd.uid {
		if err := s.dec.SP(); err != nil {
			return err
		}
		var err error
		if set, err = s.readSet(); err != nil {
			return err
		}
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	if err := s.writable(); err != nil {
		return err
	}
	if err := s.sel.need(imap.RightExpunge); err != nil {
		return err
	}
	t, err := s.fresh()
	if err != nil {
		return err
	}
	s.sync(t, true, cmd.uid)
	// No message goes that the client never heard of; after NOTIFY without
	// MessageNew there may be some.
	uids := s.deletedUIDs(t).Intersect(s.sel.told.UIDs())
	if cmd.uid {
		named, err := s.sel.resolve(cmd, set)
		if err != nil {
			return err
		}
		uids = s.capped(cmd, uids.Intersect(named))
	}
	if err := s.expungeDeleted(uids); err != nil {
		return err
	}
	cmd.expunged = len(uids) > 0 && s.has(qresync)
	return nil
}

// fresh returns the messages of the selected mailbox as of now.
func (s *session) fresh() (*view.Table, error) {
	if err := s.refresh(); err != nil {
		return nil, err
	}
	return s.table()
}

// deletedUIDs are the messages with \Deleted.
func (s *session) deletedUIDs(t *view.Table) store.UIDSet {
	var uids store.UIDSet
	for r := range t.With(store.Deleted, 1, t.MaxUID()) {
		uids.Add(r.UID)
	}
	return uids
}

// expungeDeleted removes those of uids that still have \Deleted.
func (s *session) expungeDeleted(uids store.UIDSet) error {
	for part := range batches(uids, bulk) {
		if _, err := s.apply(s.sel.account, store.Expunge{Mailbox: s.sel.ID, UIDs: part, OnlyDeleted: true}); err != nil {
			return err
		}
	}
	return nil
}

// closeMailbox runs CLOSE (RFC 3501 §6.4.2).
func (s *session) closeMailbox(cmd *command) error {
	if err := s.dec.End(); err != nil {
		return err
	}
	defer s.deselect()
	if s.sel.readOnly || !s.sel.rights.Has(imap.RightExpunge) { // RFC 4314 §4
		return nil
	}
	t, err := s.fresh()
	if err != nil {
		return err
	}
	return s.expungeDeleted(s.deletedUIDs(t))
}
