package imapserver

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imaplist"
	"github.com/mailstead/mailstead/internal/imapresync"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// selectMailbox runs SELECT (RFC 3501 §6.3.1).
func (s *session) selectMailbox(cmd *command) error { return s.open(cmd, false) }

// examine runs EXAMINE (RFC 3501 §6.3.2).
func (s *session) examine(cmd *command) error { return s.open(cmd, true) }

func (s *session) open(cmd *command, readOnly bool) error {
	name, given, params, err := s.readSelect()
	if err != nil {
		return err
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
	if err := m.need(imap.RightRead); err != nil {
		return err
	}
	readOnly = readOnly || !m.rights.HasAny(flagRights|imap.RightInsert|imap.RightExpunge) // RFC 4314 §5.2
	t, err := m.account.Table(s.ctx, m.ID)
	if err != nil {
		return err
	}
	s.sel = &selected{place: m, readOnly: readOnly, flagsAt: t.ModSeq(), goneAt: t.ModSeq()}
	if err := s.tellMailbox(t, params.QResync, given); err != nil {
		s.deselect()
		return err
	}
	s.state = selectedState
	s.watch(s.sel.account)
	cmd.okCode = string(imap.CodeReadWrite)
	if readOnly {
		cmd.okCode = string(imap.CodeReadOnly)
	}
	return nil
}

// readSelect takes SP mailbox [SP select-params] CRLF; given is the name as the
// client wrote it.
func (s *session) readSelect() (name, given string, params imapresync.Request, err error) {
	if err = s.dec.SP(); err != nil {
		return "", "", params, err
	}
	if name, given, err = s.readGiven(); err != nil {
		return "", "", params, err
	}
	if params, err = imapresync.Parse(s.dec); err != nil {
		return "", "", params, err
	}
	switch q := params.QResync; {
	case q != nil && !s.has(qresync):
		err = bad("QRESYNC was not enabled")
	case q != nil && q.Seqs != nil && s.has(uidOnly):
		err = errNumbers
	default:
		err = s.dec.End()
	}
	return name, given, params, err
}

// closeForNext closes the mailbox that is open, and says so: what comes behind
// belongs to the next one (RFC 7162 §3.2.11, RFC 9051 §7.1).
func (s *session) closeForNext() {
	if s.sel != nil {
		s.enc.Raw("* OK [CLOSED] Previous mailbox is closed\r\n")
	}
	s.deselect()
}

// tellPlace sends the LIST response of a mailbox, with OLDNAME where the client
// wrote its name in another way (RFC 9051 §6.3.2, §6.3.9.7).
func (s *session) tellPlace(p *place, given string) {
	n := imaplist.Name{Exists: true, Role: p.Role}
	if !s.own(p) {
		n.Role = ""
	}
	s.enc.Raw("* LIST ").Flags((&imaplist.Request{}).Attributes(&n, s.hasChildren(p))).Raw(` "/" `).Mailbox(p.name, s.asUTF8())
	if given != p.name {
		s.enc.Raw(` ("OLDNAME" (`).Mailbox(given, s.asUTF8()).Raw("))")
	}
	s.enc.CRLF()
}

// tellMailbox sends what RFC 3501 §6.3.1 requires of SELECT, and then what
// happened since the client knew the mailbox as q says; nil = it does not say.
func (s *session) tellMailbox(t *view.Table, q *imapresync.QResync, given string) error {
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
	s.tellCount(t, sel.told.UIDs())
	if s.has(rev2) {
		s.tellPlace(&sel.place, given)
	} else if seq := s.firstUnseen(t); seq > 0 && !s.has(uidOnly) {
		s.enc.Raw("* OK [UNSEEN ").Number(uint64(seq)).Raw("] First unseen message\r\n")
	}
	s.enc.Raw("* OK [UIDVALIDITY ").Number(uint64(sel.UIDValidity)).Raw("] UIDs valid\r\n")
	next := max(uint64(sel.UIDNext), uint64(t.MaxUID())+1)
	s.enc.Raw("* OK [UIDNEXT ").Number(next).Raw("] Predicted next UID\r\n")
	s.enc.Raw("* OK [MAILBOXID (").Raw(imap.FormatMailboxID(sel.ID)).Raw(")] Mailbox id\r\n") // RFC 8474 §4.2
	if s.authorizes() {
		s.enc.Raw("* OK [URLMECH INTERNAL] How URLs are authorized\r\n") // RFC 4467 §8
	}
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
