package imapserver

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// expunge runs EXPUNGE (RFC 3501 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1). The
// sync behind it sends the EXPUNGE responses.
func (s *session) expunge(cmd *command) error {
	var set imap.NumSet
	if cmd.uid {
		if err := s.dec.SP(); err != nil {
			return err
		}
		w, err := imapwire.Take(s.dec, imapwire.ConsumeSeqSet)
		if err != nil {
			return err
		}
		set = imap.NumSet(w)
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	if err := s.writable(); err != nil {
		return err
	}
	uids, err := s.deletedUIDs()
	if err != nil {
		return err
	}
	if cmd.uid {
		named, err := s.sel.resolve(cmd, set)
		if err != nil {
			return err
		}
		uids = uids.Intersect(named)
	}
	return s.expungeDeleted(uids)
}

// deletedUIDs are the messages with \Deleted that the client knows. One that
// it was never told of is not expunged behind its back.
func (s *session) deletedUIDs() (store.UIDSet, error) {
	if err := s.refresh(); err != nil {
		return nil, err
	}
	t, err := s.table()
	if err != nil {
		return nil, err
	}
	var uids store.UIDSet
	for r := range t.Rows(1, t.MaxUID()) {
		if r.Flags()&store.Deleted != 0 {
			uids.Add(r.UID)
		}
	}
	return uids.Intersect(s.sel.told.uids), nil
}

// expungeDeleted removes those of uids that still have \Deleted.
func (s *session) expungeDeleted(uids store.UIDSet) error {
	for part := range batches(uids, store.MaxChange) {
		if _, err := s.apply(store.Expunge{Mailbox: s.sel.id, UIDs: part, OnlyDeleted: true}); err != nil {
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
	if s.sel.readOnly {
		return nil
	}
	uids, err := s.deletedUIDs()
	if err != nil {
		return err
	}
	return s.expungeDeleted(uids)
}
