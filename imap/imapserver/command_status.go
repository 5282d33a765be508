package imapserver

import (
	"slices"

	"github.com/mailstead/mailstead/imap"
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
	items, err := s.readStatusItems()
	if err != nil {
		return err
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	m, err := s.mailbox(name)
	if err != nil {
		return err
	}
	return s.tellStatus(&m, items)
}

// readStatusItems takes "(" status-att *(SP status-att) ")".
func (s *session) readStatusItems() (items []imap.StatusItem, err error) {
	err = s.dec.List(func() error {
		word, err := s.dec.Word()
		if err != nil {
			return err
		}
		item, ok := imap.ParseStatusItem(word)
		if !ok {
			return bad("Unknown item of STATUS")
		}
		items = append(items, item)
		return nil
	})
	if err == nil && len(items) == 0 {
		return nil, bad("Nothing to tell")
	}
	if slices.Contains(items, imap.StatusHighestModSeq) {
		s.turnOn(condstore) // RFC 7162 §3.1
	}
	return items, err
}

// tellStatus sends the STATUS response of a mailbox.
func (s *session) tellStatus(m *place, items []imap.StatusItem) error {
	values := make([]uint64, len(items))
	for i, item := range items {
		switch item {
		case imap.StatusMessages:
			values[i] = uint64(m.Messages)
		case imap.StatusRecent:
			n, err := s.countRecent(m)
			if err != nil {
				return err
			}
			values[i] = n
		case imap.StatusUIDNext:
			values[i] = uint64(m.UIDNext)
		case imap.StatusUIDValidity:
			values[i] = uint64(m.UIDValidity)
		case imap.StatusUnseen:
			values[i] = uint64(m.Unseen)
		case imap.StatusHighestModSeq:
			values[i] = uint64(m.HighestModSeq)
		}
	}
	s.enc.Raw("* STATUS ").Mailbox(m.name, s.asUTF8()).Raw(" (")
	for i, item := range items {
		if i > 0 {
			s.enc.SP()
		}
		s.enc.Raw(item.String()).SP().Number(values[i])
	}
	s.enc.Raw(")\r\n")
	return nil
}

// countRecent counts the messages that no session was told of.
func (s *session) countRecent(m *place) (n uint64, err error) {
	from := max(m.account.RecentFrom(m.ID), 1)
	if from >= m.UIDNext {
		return 0, nil
	}
	q := store.Query{UIDs: store.UIDSet{{First: from, Last: 1<<32 - 1}}}
	for _, err := range m.account.Store().Messages(s.ctx, m.ID, q) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}
