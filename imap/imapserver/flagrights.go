package imapserver

import (
	"slices"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// flagRights are the rights to change flags. All flags of a mailbox are shared by
// who sees it, \Seen too: these are the "shared flag rights" of RFC 4314 §5.2.
const flagRights = imap.RightSeen | imap.RightWrite | imap.RightDeleteMsg

// changeable are the system flags that the rights let the user change, and
// whether keywords are among what he may (RFC 4314 §4).
func changeable(r imap.Rights) (flags store.Flags, keywords bool) {
	if r.Has(imap.RightSeen) {
		flags |= store.Seen
	}
	if r.Has(imap.RightDeleteMsg) {
		flags |= store.Deleted
	}
	if r.Has(imap.RightWrite) {
		flags |= store.AllFlags &^ (store.Seen | store.Deleted)
	}
	return flags, r.Has(imap.RightWrite)
}

// granted is what of the flags a new message may have. To lack a right is no
// error there (RFC 4314 §4).
func granted(r imap.Rights, flags store.Flags, keywords []string) (store.Flags, []string) {
	may, words := changeable(r)
	if !words {
		keywords = nil
	}
	return flags & may, keywords
}

// within turns what STORE asks for into what the user may do: as it is, where he
// may change all flags. all are the keywords of the mailbox. NO where nothing is
// left of what was asked for (RFC 4314 §4).
func (a *storeArgs) within(r imap.Rights, all []string) error {
	op := store.SetFlags{Mode: a.mode, Flags: a.flags, Keywords: a.keywords}
	a.ops = []store.SetFlags{op}
	if r.Has(flagRights) {
		return nil
	}
	denied := no(imap.CodeNoPerm, "Permission denied")
	if !r.HasAny(flagRights) {
		return denied
	}
	may, words := changeable(r)
	op.Flags, op.Keywords = granted(r, a.flags, a.keywords)
	if a.mode != store.FlagsReplace {
		if op.Flags == 0 && len(op.Keywords) == 0 && (a.flags != 0 || len(a.keywords) > 0) {
			return denied
		}
		a.ops[0] = op
		return nil
	}
	// Replacing would touch the flags that are not his.
	op.Mode = store.FlagsAdd
	rest := store.SetFlags{Mode: store.FlagsRemove, Flags: may &^ a.flags}
	if words {
		rest.Keywords = slices.DeleteFunc(slices.Clone(all), func(k string) bool {
			return slices.ContainsFunc(a.keywords, func(keep string) bool { return store.SameKeyword(k, keep) })
		})
	}
	a.ops = []store.SetFlags{op, rest}
	return nil
}

// setFlags carries STORE out on some messages and returns those that lost
// UNCHANGEDSINCE. Two steps are one change, unless the second one would take the
// first for a change by somebody else.
func (s *session) setFlags(a *storeArgs, uids store.UIDSet) (modified store.UIDSet, err error) {
	var ops []store.Op
	for _, op := range a.ops {
		op.Mailbox, op.UIDs, op.UnchangedSince = s.sel.ID, uids, a.since
		if a.since != nil && len(ops) > 0 {
			res, err := s.apply(s.sel.account, ops...)
			if err != nil {
				return nil, err
			}
			modified = res.Ops[0].Modified.Clone()
			op.UIDs, op.UnchangedSince = uids.Minus(modified), nil
			ops = nil
		}
		ops = append(ops, op)
	}
	res, err := s.apply(s.sel.account, ops...)
	if err != nil {
		return nil, err
	}
	modified.AddSet(res.Ops[0].Modified)
	return modified, nil
}
