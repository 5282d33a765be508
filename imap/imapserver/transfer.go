package imapserver

import (
	"crypto/rand"
	"errors"
	"slices"

	"github.com/mailstead/mailstead/store"
)

// transfer copies or moves messages of the selected mailbox. Within an account
// the store does it in one change, if the copies may have all flags.
func (s *session) transfer(uids store.UIDSet, dest *place, move bool) (store.OpResult, error) {
	if dest.account == s.sel.account && dest.rights.Has(flagRights) {
		res, err := s.apply(dest.account, store.Copy{Source: s.sel.ID, UIDs: uids, Dest: dest.ID, Move: move})
		if err != nil {
			return store.OpResult{}, err
		}
		return res.Ops[0], nil
	}
	return s.transferAnew(uids, dest, move)
}

// maxTransferMemory bounds the descriptions that transferAnew carries along: a
// message beyond is described again when somebody asks.
const maxTransferMemory = 32 << 20

// transferAnew appends the same bodies to another account, and then, to move
// them, expunges the messages here: after a crash in between there are two
// copies, never none.
func (s *session) transferAnew(uids store.UIDSet, dest *place, move bool) (out store.OpResult, err error) {
	q := store.Query{UIDs: uids, Fields: store.FieldDates | store.FieldIDs | store.FieldContent}
	var ops []store.Op
	room := maxTransferMemory
	for m, err := range s.sel.account.Store().Messages(s.ctx, s.sel.ID, q) {
		if err != nil {
			return out, err
		}
		flags, keywords := granted(dest.rights, m.Flags, m.Keywords)
		op, err := store.PrepareAppend(s.ctx, s.srv.cfg.Store, store.NewMessage{
			Mailbox: dest.ID, Flags: flags, Keywords: slices.Clone(keywords), Received: m.Received,
			Blob: m.Blob, Key: slices.Clone(m.Key), Prefix: slices.Clone(m.Prefix),
		})
		if err != nil {
			return out, err
		}
		op.EmailID = m.EmailID
		if room -= len(op.Meta); room < 0 {
			op.Meta = nil
		}
		ops = append(ops, op)
		out.Source.Add(m.UID)
	}
	out.Missing = uids.Minus(out.Source)
	if len(ops) == 0 {
		return out, nil
	}
	res, err := s.applyOnce(dest, ops)
	if err != nil {
		return store.OpResult{}, err
	}
	for _, r := range res.Ops {
		out.Dest.AddSet(r.Dest)
	}
	out.UIDValidity = res.Ops[0].UIDValidity
	if !move {
		return out, nil
	}
	for part := range batches(out.Source, bulk) {
		if _, err := s.apply(s.sel.account, store.Expunge{Mailbox: s.sel.ID, UIDs: part}); err != nil {
			return store.OpResult{}, err
		}
	}
	return out, nil
}

// applyOnce hands a change to the store of a place, again where its outcome is
// unknown: it happens once.
func (s *session) applyOnce(p *place, ops []store.Op) (res store.Result, err error) {
	s.sel.stale = true
	c := store.Change{Once: "imap copy " + rand.Text(), Ops: ops}
	for range 3 {
		if res, err = p.account.Store().Apply(s.ctx, c); !errors.Is(err, store.ErrUnknown) {
			break
		}
	}
	if err == nil {
		s.sel.note(res)
	}
	return res, err
}
