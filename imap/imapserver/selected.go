package imapserver

import (
	"slices"
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapseq"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// selected is the open mailbox as its client knows it.
type selected struct {
	place
	readOnly bool

	told   imapseq.Map  // the messages that the client knows
	recent store.UIDSet // those that are \Recent for this session, and more

	// What the client was told stands as of these mod-sequences: all flags,
	// and all expunges. They differ after a command that may not send EXPUNGE.
	flagsAt, goneAt store.ModSeq

	// highest is the last HIGHESTMODSEQ that was told, shown the greatest MODSEQ
	// of any message. pointDue: the next sync point tells HIGHESTMODSEQ.
	highest, shown store.ModSeq
	pointDue       bool

	saved    store.UIDSet // what "$" means (RFC 5182); some may be expunged
	contexts []*searchContext
	made     store.UIDSet // messages that this session put here and was not told of yet

	keywords []string // of the last FLAGS response
	stale    bool     // this session changed something: look at the store
	echo     echo
}

// echo is what a command told on its own, so that the sync behind it does not
// repeat it.
type echo struct {
	uids  store.UIDSet
	table *view.Table // in which the flags told stand
}

// note remembers the messages that a change of this session put into the mailbox.
// sel may be nil.
func (sel *selected) note(res store.Result) {
	if sel == nil {
		return
	}
	for i := range res.Ops {
		if res.Ops[i].Mailbox == sel.ID {
			sel.made.AddSet(res.Ops[i].Dest)
		}
	}
}

// has reports whether the row's state was told.
func (e *echo) has(r *view.Row) bool {
	if e.table == nil || !e.uids.Contains(r.UID) {
		return false
	}
	old := e.table.Row(r.UID)
	return old != nil && old.ModSeq == r.ModSeq
}

// resolve turns the set of a command into UIDs that the client knows; nil is
// "$", see readSet.
func (sel *selected) resolve(cmd *command, set imap.NumSet) (store.UIDSet, error) {
	if set == nil {
		return sel.saved.Intersect(sel.told.UIDs()), nil
	}
	if !cmd.uid {
		uids, ok := sel.told.Resolve(set)
		if !ok {
			return nil, bad("No such message")
		}
		return uids, nil
	}
	last := sel.told.LastUID()
	if last == 0 {
		return nil, nil
	}
	return set.Resolve(uint32(last)).Intersect(sel.told.UIDs()), nil
}

// appendFlags adds the flag list of a message in parentheses.
func (sel *selected) appendFlags(dst []byte, t *view.Table, r *view.Row) []byte {
	dst = append(dst, '(')
	from := len(dst)
	dst = imap.AppendFlagNames(dst, r.Flags())
	for _, k := range t.Keywords(r.KeywordSet()) {
		if len(dst) > from {
			dst = append(dst, ' ')
		}
		dst = append(dst, k...)
	}
	if len(sel.recent) > 0 && sel.recent.Contains(r.UID) {
		if len(dst) > from {
			dst = append(dst, ' ')
		}
		dst = append(dst, imap.FlagRecent...)
	}
	return append(dst, ')')
}

// appendModSeq adds the MODSEQ item of a message.
func (sel *selected) appendModSeq(dst []byte, r *view.Row) []byte {
	sel.shown = max(sel.shown, r.ModSeq)
	dst = append(dst, "MODSEQ ("...)
	dst = strconv.AppendUint(dst, uint64(r.ModSeq), 10)
	return append(dst, ')')
}

// recentCount is the RECENT of the client.
func (sel *selected) recentCount() int64 { return sel.recent.Intersect(sel.told.UIDs()).Len() }

// newKeywords reports whether t has keywords that the client was not told of.
func (sel *selected) newKeywords(t *view.Table) bool {
	all := t.AllKeywords()
	if len(all) == len(sel.keywords) && (len(all) == 0 || &all[0] == &sel.keywords[0]) {
		return false
	}
	for _, k := range all {
		if !slices.Contains(sel.keywords, k) {
			return true
		}
	}
	return false
}

// tellFlags sends FLAGS and PERMANENTFLAGS (RFC 3501 §7.2.6, §7.1): what the user
// has the right to change (RFC 4314 §5.1.1).
func (s *session) tellFlags(t *view.Table) {
	sel := s.sel
	sel.keywords = t.AllKeywords()
	s.enc.Raw("* FLAGS (").Raw(flagList(store.AllFlags, sel.keywords)).Raw(")\r\n* OK [PERMANENTFLAGS (")
	if may, keywords := changeable(sel.rights); !sel.readOnly {
		if keywords {
			s.enc.Raw(flagList(may, append(slices.Clip(sel.keywords), `\*`)))
		} else {
			s.enc.Raw(flagList(may, nil))
		}
	}
	s.enc.Raw(")] Flags that can be changed\r\n")
}

func flagList(flags store.Flags, keywords []string) string {
	list := imap.AppendFlagNames(nil, flags)
	for _, k := range keywords {
		list = append(space(list, 0), k...)
	}
	return string(list)
}
