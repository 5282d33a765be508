package imapserver

import (
	"errors"
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// poll is the sync point of a command.
func (s *session) poll(cmd *command) error {
	if cmd.verb.sync == syncRefresh || s.sel.stale {
		if err := s.refresh(); err != nil {
			return err
		}
	}
	t, err := s.table()
	if err != nil {
		return err
	}
	s.sync(t, cmd.verb.sync != syncGrowth, cmd.uid)
	s.sel.echo = echo{}
	return nil
}

// refresh brings the view up to the store.
func (s *session) refresh() error {
	if s.sel == nil {
		_, err := s.account.Refresh(s.ctx)
		return err
	}
	if _, err := s.sel.account.Refresh(s.ctx); err != nil {
		return err
	}
	s.sel.stale = false
	return nil
}

// table returns the messages of the selected mailbox. When somebody deleted the
// mailbox the session ends (RFC 2180 §3.3).
func (s *session) table() (*view.Table, error) {
	t, err := s.sel.account.Table(s.ctx, s.sel.ID)
	if errors.Is(err, store.ErrNoMailbox) {
		s.bye("Selected mailbox was deleted")
		return nil, no(imap.CodeNonExistent, "Selected mailbox was deleted")
	}
	return t, err
}

// sync tells the client what changed up to t: EXPUNGE where that is allowed,
// then EXISTS and RECENT, then changed flags.
func (s *session) sync(t *view.Table, expunge, uid bool) {
	sel := s.sel
	if expunge && t.ModSeq() > sel.goneAt {
		s.tellExpunged(t.Vanished(sel.goneAt, sel.told.UIDs()))
		sel.goneAt = t.ModSeq()
	}
	if sel.newKeywords(t) {
		s.tellFlags(t)
	}
	known := sel.told.LastUID()
	s.tellNew(t)
	if t.ModSeq() > sel.flagsAt {
		for r := range t.Changed(sel.flagsAt) {
			if r.UID > known {
				break
			}
			if !sel.echo.has(r) {
				s.tellRow(t, r, uid)
			}
		}
		sel.flagsAt = t.ModSeq()
	}
}

// tellExpunged sends EXPUNGE for each message, the last one first, so that no
// number is changed by the one sent before (RFC 3501 §7.4.1).
func (s *session) tellExpunged(gone store.UIDSet) {
	if len(gone) == 0 {
		return
	}
	sel := s.sel
	seqs := sel.told.Seqs(gone)
	for i := len(seqs) - 1; i >= 0; i-- {
		for n := seqs[i].Last; n >= seqs[i].First; n-- {
			s.enc.Raw("* ").Number(uint64(n)).Raw(" EXPUNGE\r\n")
		}
	}
	sel.told.Remove(gone)
	sel.recent = sel.recent.Minus(gone)
}

// tellNew sends EXISTS and RECENT when there are messages that the client does
// not know.
func (s *session) tellNew(t *view.Table) {
	sel := s.sel
	if t.MaxUID() <= sel.told.LastUID() {
		return
	}
	fresh := t.UIDsFrom(sel.told.LastUID() + 1)
	sel.told.Add(fresh)
	sel.recent.AddSet(s.claimRecent(t, fresh))
	s.enc.Raw("* ").Number(uint64(sel.told.Len())).Raw(" EXISTS\r\n")
	s.enc.Raw("* ").Number(uint64(sel.recentCount())).Raw(" RECENT\r\n")
}

// claimRecent returns the messages that are \Recent for this session
// (RFC 3501 §2.3.2): some of fresh, and perhaps some that the client is told of
// later. Where the store cannot say, none is.
func (s *session) claimRecent(t *view.Table, fresh store.UIDSet) store.UIDSet {
	sel := s.sel
	if sel.readOnly {
		return fresh.Intersect(store.UIDSet{{First: max(sel.account.RecentFrom(sel.ID), 1), Last: 1<<32 - 1}})
	}
	claimed, err := sel.account.ClaimRecent(s.ctx, sel.ID, t.MaxUID())
	if err != nil {
		s.conn.log.Warn("imap: claiming recent messages failed", "account", s.id, "err", err)
		return nil
	}
	return claimed
}

// appendFetch adds the start of a message's FETCH response, up to its opening
// parenthesis: by number, or by UID where the client counts no messages
// (RFC 9586 §3.3).
func (s *session) appendFetch(b []byte, uid store.UID) []byte {
	b = append(b, "* "...)
	if s.has(uidOnly) {
		b = strconv.AppendUint(b, uint64(uid), 10)
		return append(b, " UIDFETCH ("...)
	}
	b = strconv.AppendUint(b, uint64(s.sel.told.Seq(uid)), 10)
	return append(b, " FETCH ("...)
}

// tellRow sends the flags of one message that the client knows.
func (s *session) tellRow(t *view.Table, r *view.Row, uid bool) {
	if s.sel.told.Seq(r.UID) == 0 {
		return
	}
	b := s.appendFetch(s.enc.AvailableBuffer(), r.UID)
	if uid {
		b = append(b, "UID "...)
		b = strconv.AppendUint(b, uint64(r.UID), 10)
		b = append(b, ' ')
	}
	b = append(b, "FLAGS "...)
	b = s.sel.appendFlags(b, t, r)
	_, _ = s.enc.Write(append(b, ")\r\n"...))
}

// writable refuses changes of a mailbox opened by EXAMINE.
func (s *session) writable() error {
	if s.sel.readOnly {
		return no(imap.CodeReadOnly, "Mailbox is read-only")
	}
	return nil
}
