package imapserver

import (
	"slices"
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imaplist"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// status runs STATUS (RFC 3501 §6.3.10).
func (s *session) status(cmd *command) error {
	if err := s.dec.SP(); err != nil {
		return err
	}
	name, err := s.readMailbox()
	if err != nil {
		return err
	}
	if err := s.dec.SP(); err != nil {
		return err
	}
	items, err := imaplist.ParseStatusItems(s.dec)
	if err != nil {
		return err
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	p, err := s.mailbox(name)
	if err != nil {
		return err
	}
	if err := p.need(imap.RightRead); err != nil {
		return err
	}
	s.noticeModSeq(items)
	line, err := s.appendStatus(nil, &p, items)
	if err == nil {
		_, _ = s.enc.Write(line)
	}
	return err
}

// noticeModSeq takes a client that asks for mod-sequences for one that knows them
// (RFC 7162 §3.1).
func (s *session) noticeModSeq(items []imap.StatusItem) {
	if slices.Contains(items, imap.StatusHighestModSeq) {
		s.turnOn(condstore)
	}
}

// appendStatus adds the STATUS response of a mailbox.
func (s *session) appendStatus(b []byte, p *place, items []imap.StatusItem) ([]byte, error) {
	b = append(b, "* STATUS "...)
	b = imapwire.AppendMailbox(b, p.name, s.asUTF8())
	b = append(b, " ("...)
	for i, item := range items {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(append(b, item.String()...), ' ')
		var err error
		if b, err = s.appendStatusValue(b, p, item); err != nil {
			return nil, err
		}
	}
	return append(b, ")\r\n"...), nil
}

func (s *session) appendStatusValue(b []byte, p *place, item imap.StatusItem) ([]byte, error) {
	var n uint64
	var err error
	switch item {
	case imap.StatusMessages:
		n = uint64(p.Messages)
	case imap.StatusRecent:
		n, err = s.countRecent(p)
	case imap.StatusUIDNext:
		n = uint64(p.UIDNext)
	case imap.StatusUIDValidity:
		n = uint64(p.UIDValidity)
	case imap.StatusUnseen:
		n = uint64(p.Unseen)
	case imap.StatusDeleted:
		n = uint64(p.Deleted)
	case imap.StatusSize:
		n = uint64(p.Bytes)
	case imap.StatusHighestModSeq:
		n = uint64(p.HighestModSeq)
	case imap.StatusDeletedStorage:
		n, err = s.deletedOctets(p)
	case imap.StatusMailboxID:
		return append(append(append(b, '('), imap.FormatMailboxID(p.ID)...), ')'), nil
	case imap.StatusAppendLimit:
		limit := s.srv.cfg.Limits.MaxMessageBytes
		if limit < 0 {
			return append(b, "NIL"...), nil
		}
		n = uint64(limit)
	}
	return strconv.AppendUint(b, n, 10), err
}

// countRecent counts the messages that no session was told of.
func (s *session) countRecent(p *place) (n uint64, err error) {
	from := max(p.account.RecentFrom(p.ID), 1)
	if from >= p.UIDNext {
		return 0, nil
	}
	q := store.Query{UIDs: store.UIDSet{{First: from, Last: 1<<32 - 1}}}
	for _, err := range p.account.Store().Messages(s.ctx, p.ID, q) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// deletedOctets is the size of the messages with \Deleted (RFC 9208 §4.1.4).
func (s *session) deletedOctets(p *place) (n uint64, err error) {
	if p.Deleted == 0 {
		return 0, nil
	}
	t, err := p.account.Table(s.ctx, p.ID)
	if err != nil {
		return 0, err
	}
	for r := range t.With(store.Deleted, 1, t.MaxUID()) {
		n += uint64(r.Size)
	}
	return n, nil
}
