package imapserver

import (
	"errors"
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapresync"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// vanishedLine bounds the ranges of one VANISHED response.
const vanishedLine = 1000

// A resync is what happened since a client was here last (RFC 7162 §3.2.5.1).
type resync struct {
	gone  store.UIDSet // of what it knows
	since store.ModSeq // rows that changed later are told
	known store.UIDSet // and are among these
}

// lookBack finds out what a client that comes back has to be told. A mod-sequence
// of the future is not one of this mailbox: then everything is told.
func (s *session) lookBack(t *view.Table, q *imapresync.QResync) (*resync, error) {
	sel := s.sel
	r := &resync{since: q.Since, known: q.Known(sel.lastUID(t))}
	if r.since > t.ModSeq() {
		r.since = 0
	}
	var present store.UIDSet
	asked := r.known
	if q.Seqs != nil {
		if agreed := sel.told.Agreed(q.Seqs, q.UIDs); agreed > 0 {
			present = store.UIDSet{{First: 1, Last: agreed}}
		}
	}
	gone, err := s.goneSince(t, r.since, asked.Minus(present))
	r.gone = gone
	return r, err
}

// lastUID is the greatest UID that the mailbox gave out, as far as is known.
func (sel *selected) lastUID(t *view.Table) store.UID {
	return max(sel.UIDNext, t.MaxUID()+1, sel.told.LastUID()+1) - 1
}

// tellResync sends VANISHED (EARLIER), and then what changed.
func (s *session) tellResync(t *view.Table, r *resync) {
	s.tellVanished(" (EARLIER)", r.gone)
	for row := range t.Changed(r.since) {
		if r.known.Contains(row.UID) {
			s.tellRow(t, row, imap.FetchUID|imap.FetchFlags)
		}
	}
}

// goneSince is what of asked was expunged after a mod-sequence, without what the
// client still counts: that will be told in its place. Where nobody remembers
// that far back, it is all of asked that is not there (RFC 7162 §3.2.6).
func (s *session) goneSince(t *view.Table, since store.ModSeq, asked store.UIDSet) (store.UIDSet, error) {
	told := s.sel.told.UIDs()
	asked = asked.Minus(told)
	if len(asked) == 0 || since == 0 {
		return asked, nil
	}
	if gone, ok := t.Gone(since); ok {
		return gone.Intersect(asked), nil
	}
	var gone store.UIDSet
	q := store.Query{UIDs: asked, Since: since}
	for m, err := range s.sel.account.Store().Messages(s.ctx, s.sel.ID, q) {
		switch {
		case errors.Is(err, store.ErrResync):
			return asked, nil
		case err != nil:
			return nil, err
		case m.Gone:
			gone.Add(m.UID)
		}
	}
	return gone, nil
}

// tellVanished sends VANISHED (RFC 7162 §3.2.10).
func (s *session) tellVanished(tag string, gone store.UIDSet) {
	for len(gone) > 0 {
		n := min(len(gone), vanishedLine)
		s.enc.Raw("* VANISHED").Raw(tag).SP().Raw(gone[:n].String()).CRLF()
		gone = gone[n:]
	}
}

// highest is the mod-sequence up to which the client was told of every change:
// from there it may come back and misses nothing (RFC 7162 §6). While an EXPUNGE
// has to wait it stays below that of the expunge; it never goes down.
func (s *session) highest() store.ModSeq {
	sel := s.sel
	v := max(sel.HighestModSeq, sel.shown)
	if st := sel.account.State(); st != nil {
		if m := st.Mailbox(sel.ID); m != nil {
			v = max(v, m.HighestModSeq)
		}
	}
	sel.highest = max(sel.highest, min(v, sel.flagsAt, sel.goneAt))
	return sel.highest
}

// tellHighest sends HIGHESTMODSEQ: in the tagged OK of EXPUNGE (RFC 7162 §3.2.7),
// else untagged.
func (s *session) tellHighest(cmd *command) {
	code := highestCode(s.highest())
	if cmd != nil && cmd.expunged && cmd.okCode == "" {
		cmd.okCode = code
		return
	}
	s.enc.Raw("* OK [").Raw(code).Raw("] Highest\r\n")
}

func highestCode(v store.ModSeq) string {
	return string(imap.CodeHighestMod) + " " + strconv.FormatUint(uint64(v), 10)
}

// changedSince is what of uids changed after a mod-sequence.
func changedSince(t *view.Table, since store.ModSeq, uids store.UIDSet) store.UIDSet {
	var out store.UIDSet
	for row := range t.Changed(since) {
		if uids.Contains(row.UID) {
			out.Add(row.UID)
		}
	}
	return out
}

// greatestModSeq is that of all messages of uids that are there; 0 = none is.
func greatestModSeq(t *view.Table, uids store.UIDSet) (v store.ModSeq) {
	for _, r := range uids {
		for row := range t.Rows(r.First, r.Last) {
			v = max(v, row.ModSeq)
		}
	}
	return v
}
