package imapserver

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapresync"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// selectMailbox runs SELECT (RFC 3501 §6.3.1).
func (s *session) selectMailbox(cmd *command) error { return s.open(cmd, false) }

// examine runs EXAMINE (RFC 3501 §6.3.2).
func (s *session) examine(cmd *command) error { return s.open(cmd, true) }

func (s *session) open(cmd *command, readOnly bool) error {
	if err := s.dec.SP(); err != nil {
		return err
	}
	name, err := s.readMailbox()
	if err != nil {
		return err
	}
	params, err := imapresync.Parse(s.dec)
	if err != nil {
		return err
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	if params.QResync != nil && !s.has(qresync) {
		return bad("QRESYNC was not enabled")
	}
	// The mailbox open so far is closed even when this fails (RFC 3501 §6.3.1).
	s.closeForNext()
	if params.CondStore {
		s.turnOn(condstore)
	}
	m, err := s.mailbox(name)
	if err != nil {
		return err
	}
	t, err := m.account.Table(s.ctx, m.ID)
	if err != nil {
		return err
	}
	s.sel = &selected{place: m, readOnly: readOnly, flagsAt: t.ModSeq(), goneAt: t.ModSeq()}
	if err := s.tellMailbox(t, params.QResync); err != nil {
		s.deselect()
		return err
	}
	s.state = selectedState
	cmd.okCode = string(imap.CodeReadWrite)
	if readOnly {
		cmd.okCode = string(imap.CodeReadOnly)
	}
	return nil
}

// closeForNext closes the mailbox that is open, and says so: what comes behind
// belongs to the next one (RFC 7162 §3.2.11, RFC 9051 §7.1).
func (s *session) closeForNext() {
	if s.sel != nil {
		s.enc.Raw("* OK [CLOSED] Previous mailbox is closed\r\n")
	}
	s.deselect()
}

// tellMailbox sends what RFC 3501 §6.3.1 requires of SELECT, and then what
// happened since the client knew the mailbox as q says; nil = it does not say.
func (s *session) tellMailbox(t *view.Table, q *imapresync.QResync) error {
	sel := s.sel
	sel.told.Add(t.UIDs())
	var back *resync
	if q != nil && q.UIDValidity == sel.UIDValidity {
		r, err := s.lookBack(t, q)
		if err != nil {
			return err
		}
		back = r
	}
	s.tellFlags(t)
	if len(sel.told.UIDs()) > 0 {
		sel.recent = s.claimRecent(t, sel.told.UIDs())
	}
	s.enc.Raw("* ").Number(uint64(sel.told.Len())).Raw(" EXISTS\r\n")
	s.enc.Raw("* ").Number(uint64(sel.recentCount())).Raw(" RECENT\r\n")
	if seq := s.firstUnseen(t); seq > 0 {
		s.enc.Raw("* OK [UNSEEN ").Number(uint64(seq)).Raw("] First unseen message\r\n")
	}
	s.enc.Raw("* OK [UIDVALIDITY ").Number(uint64(sel.UIDValidity)).Raw("] UIDs valid\r\n")
	next := max(uint64(sel.UIDNext), uint64(t.MaxUID())+1)
	s.enc.Raw("* OK [UIDNEXT ").Number(next).Raw("] Predicted next UID\r\n")
	if s.has(condstore) {
		s.tellHighest(nil)
	}
	if back != nil {
		s.tellResync(t, back)
	}
	return nil
}

// firstUnseen is the sequence number of the first message without \Seen; 0 for
// none.
func (s *session) firstUnseen(t *view.Table) uint32 {
	for r := range t.Without(store.Seen, 1, t.MaxUID()) {
		return s.sel.told.Seq(r.UID)
	}
	return 0
}

// unselect runs UNSELECT (RFC 3691).
func (s *session) unselect(cmd *command) error {
	if err := s.dec.End(); err != nil {
		return err
	}
	s.deselect()
	return nil
}
