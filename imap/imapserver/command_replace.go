package imapserver

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// replace runs REPLACE and UID REPLACE (RFC 8508): a message comes, another
// goes, in one change. Only where the two lie in different accounts it is two,
// first the one that adds.
func (s *session) replace(cmd *command) error {
	if err := s.dec.SP(); err != nil {
		return err
	}
	number, err := imapwire.Take(s.dec, imapwire.ConsumeNZNumber)
	if err != nil {
		return err
	}
	if err := s.dec.SP(); err != nil {
		return err
	}
	name, err := s.readMailbox()
	if err != nil {
		return err
	}
	gone, err := s.replaced(cmd, number)
	if err != nil {
		return err
	}
	s.intake = &intake{gone: gone}
	defer func() { s.intake = nil }()
	if err := s.takeMessage(name); err != nil {
		return err
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	return s.commitReplace()
}

// replaced finds the message that goes.
func (s *session) replaced(cmd *command, number uint32) (*replacement, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	if err := s.sel.need(imap.RightDeleteMsg | imap.RightExpunge); err != nil {
		return nil, err
	}
	uids, err := s.sel.resolve(cmd, imap.NumSet{{Start: number, Stop: number}})
	if err != nil {
		return nil, err
	}
	t, err := s.fresh()
	if err != nil {
		return nil, err
	}
	row := t.Row(uids.Max())
	if row == nil {
		return nil, no(imap.CodeNonExistent, "No such message")
	}
	return &replacement{s.sel.account, row.UID, row.Size}, nil
}

// commitReplace carries it out, and names the new message in an untagged
// response, in front of the EXPUNGE of the old one (RFC 8508 §3.2). What is under
// a hold cannot be replaced: nothing is added then.
func (s *session) commitReplace() error {
	in := s.intake
	if err := s.replaceable(in.gone.uid); err != nil {
		return err
	}
	gone := store.Expunge{Mailbox: s.sel.ID, UIDs: store.UIDs(in.gone.uid)}
	var expunged store.OpResult
	if in.dest.in(s.sel.account) {
		// The old one goes first, so that the quota sees only the difference.
		res, err := s.apply(s.sel.account, append([]store.Op{gone}, in.ops...)...)
		if err != nil {
			return tryCreate(err)
		}
		expunged = res.Ops[0]
		s.tellReplacement(res.Ops[1])
	} else {
		res, err := s.apply(in.dest.account, in.ops...)
		if err != nil {
			return tryCreate(err)
		}
		s.tellReplacement(res.Ops[0]) // whatever becomes of the rest, it shall not come again
		if res, err = s.apply(s.sel.account, gone); err != nil {
			return err
		}
		expunged = res.Ops[0]
	}
	return heldBack(expunged.Held) // by a hold that came meanwhile
}

// tellReplacement names the new message.
func (s *session) tellReplacement(added store.OpResult) {
	s.enc.Raw("* OK [").Raw(appendUID([]store.OpResult{added})).Raw("] Replacement message ready\r\n")
}

// replaceable refuses a message that is under a hold.
func (s *session) replaceable(uid store.UID) error {
	a := s.sel.account.Store()
	holds, err := store.ListHolds(s.ctx, a)
	if err != nil || len(holds) == 0 {
		return err
	}
	for m, err := range a.Messages(s.ctx, s.sel.ID, store.Query{UIDs: store.UIDs(uid), Fields: store.FieldDates}) {
		if err != nil {
			return err
		}
		if isHeld(holds, s.sel.ID, m) {
			return store.ErrHeld
		}
	}
	return nil
}
