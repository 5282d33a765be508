package imapserver

import (
	"errors"
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapnotify"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// poll is the sync point of a command.
func (s *session) poll(cmd *command) error {
	if cmd.sync == syncRefresh || s.sel.stale {
		if err := s.refresh(); err != nil {
			return err
		}
	}
	t, err := s.table()
	if err != nil {
		return err
	}
	expunge := cmd.sync != syncGrowth && (cmd.verb.expunges() || s.wants()&imapnotify.MessageExpunge != 0)
	s.sync(t, expunge, cmd.uid)
	s.sel.echo = echo{}
	s.tellPoint(cmd)
	return nil
}

// tellPoint sends HIGHESTMODSEQ where sync found that to be due.
func (s *session) tellPoint(cmd *command) {
	if s.sel.pointDue {
		s.sel.pointDue = false
		s.tellHighest(cmd)
	}
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
	return s.recheck()
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
	gone := t.Vanished(sel.goneAt, sel.told.UIDs())
	s.expungeContexts(t)
	if expunge {
		s.tellExpunged(gone)
	}
	if expunge || len(gone) == 0 {
		sel.goneAt = max(sel.goneAt, t.ModSeq())
	}
	if sel.newKeywords(t) {
		s.tellFlags(t)
	}
	known := sel.told.LastUID()
	var fresh store.UIDSet
	if s.wants()&imapnotify.MessageNew != 0 {
		fresh = s.tellNew(t)
	}
	s.judgeContexts(t)
	s.fetchNews(t, fresh)
	s.tellChanges(t, known, uid)
	s.updateContexts()
	// The client takes the greatest MODSEQ that it was shown for the point up to
	// which it knows all (RFC 7162 §6). That has to be put right while something
	// below it was not told: an expunge that waits, or what happened while t was
	// read, of which t may hold one part; and once the expunges were told.
	if s.has(condstore) && (expunge && len(gone) > 0 || sel.shown > min(sel.goneAt, sel.flagsAt)) {
		sel.pointDue = true
	}
}

// tellExpunged sends EXPUNGE for each message, the last one first, so that no
// number is changed by the one sent before (RFC 3501 §7.4.1).
func (s *session) tellExpunged(gone store.UIDSet) {
	if len(gone) == 0 {
		return
	}
	sel := s.sel
	if s.has(qresync | uidOnly) {
		s.tellVanished("", gone)
	} else {
		s.tellNumbers(sel.told.Seqs(gone))
	}
	sel.told.Remove(gone)
	sel.recent = sel.recent.Minus(gone)
}

// tellChanges sends the flags of messages that changed, of those up to the UID
// known: the others were told just now. What the client does not want to hear
// waits until it does (RFC 5465 §3.1).
func (s *session) tellChanges(t *view.Table, known store.UID, uid bool) {
	sel := s.sel
	if t.ModSeq() <= sel.flagsAt {
		return
	}
	items := imap.FetchFlags
	if uid || s.notifier != nil { // RFC 5465 §5.1
		items |= imap.FetchUID
	}
	for r := range t.Changed(sel.flagsAt) {
		switch {
		case r.UID > known:
		case s.wants()&imapnotify.FlagChange == 0:
			return
		case !sel.echo.has(r):
			s.tellRow(t, r, items)
		}
	}
	sel.flagsAt = t.ModSeq()
}

// tellNumbers sends EXPUNGE for each sequence number, the last one first.
func (s *session) tellNumbers(seqs store.UIDSet) {
	for i := len(seqs) - 1; i >= 0; i-- {
		for n := seqs[i].Last; n >= seqs[i].First; n-- {
			s.enc.Raw("* ").Number(uint64(n)).Raw(" EXPUNGE\r\n")
		}
	}
}

// tellNew tells of the messages that the client does not know, which it returns.
func (s *session) tellNew(t *view.Table) store.UIDSet {
	sel := s.sel
	if t.MaxUID() <= sel.told.LastUID() {
		return nil
	}
	fresh := t.UIDsFrom(sel.told.LastUID() + 1)
	sel.told.Add(fresh)
	s.tellCount(t, fresh)
	return fresh
}

// tellCount sends EXISTS, and RECENT to a client that may know of it; fresh are
// messages told for the first time. IMAP4rev2 has no \Recent: there a message
// stays recent for others (RFC 9051 Appendix E).
func (s *session) tellCount(t *view.Table, fresh store.UIDSet) {
	sel := s.sel
	s.enc.Raw("* ").Number(uint64(sel.told.Len())).Raw(" EXISTS\r\n")
	if s.has(rev2) {
		return
	}
	if len(fresh) > 0 {
		sel.recent.AddSet(s.claimRecent(t, fresh))
	}
	s.enc.Raw("* ").Number(uint64(sel.recentCount())).Raw(" RECENT\r\n")
}

// claimRecent returns the messages that are \Recent for this session
// (RFC 3501 §2.3.2): some of fresh, and perhaps some that the client is told of
// later. Where the store cannot say, none is.
func (s *session) claimRecent(t *view.Table, fresh store.UIDSet) store.UIDSet {
	sel := s.sel
	if sel.readOnly || !s.own(&sel.place) { // what is new stays new for the owner
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

// tellRow sends the state of one message that the client knows, unasked: UID and
// FLAGS where items has them. With CONDSTORE it has the UID and MODSEQ always
// (RFC 7162 §3.2.4), with IMAP4rev2 the UID (RFC 9051 §7.5.2).
func (s *session) tellRow(t *view.Table, r *view.Row, items imap.FetchItem) {
	if s.sel.told.Seq(r.UID) == 0 {
		return
	}
	b := s.appendFetch(s.enc.AvailableBuffer(), r.UID)
	from := len(b)
	if !s.has(uidOnly) && (items&imap.FetchUID != 0 || s.has(condstore|rev2)) {
		b = append(b, "UID "...)
		b = strconv.AppendUint(b, uint64(r.UID), 10)
	}
	if items&imap.FetchFlags != 0 {
		b = append(space(b, from), "FLAGS "...)
		b = s.sel.appendFlags(b, t, r)
	}
	if s.has(condstore) {
		b = s.sel.appendModSeq(space(b, from), r)
	}
	_, _ = s.enc.Write(append(b, ")\r\n"...))
}

// writable refuses changes of a mailbox opened by EXAMINE.
func (s *session) writable() error {
	if s.sel.readOnly {
		return no(imap.CodeReadOnly, "Mailbox is read-only")
	}
	return nil
}
