package imapserver

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
)

// transfer copies or moves messages of the selected mailbox. Within an account
// the store does it in one change, if the copies may have all flags. What a hold
// covers is not moved.
func (s *session) transfer(cmd *command, uids store.UIDSet, dest *place, move bool) (store.OpResult, error) {
	if dest.account == s.sel.account && dest.rights.Has(flagRights) {
		res, err := s.apply(dest.account, store.Copy{Source: s.sel.ID, UIDs: uids, Dest: dest.ID, Move: move})
		if err != nil {
			return store.OpResult{}, err
		}
		return res.Ops[0], nil
	}
	t := &anew{session: s, dest: dest, move: move}
	if err := t.prepare(cmd, uids); err != nil || len(t.ops) == 0 {
		return t.out, err
	}
	return t.out, t.commit()
}

// anew appends the same bodies to another account, and then, to move them,
// expunges the messages here: after a crash in between there are two copies,
// never none.
type anew struct {
	session *session
	dest    *place
	move    bool
	ops     []store.Op
	room    int // for the descriptions in ops
	out     store.OpResult
}

// maxTransferMemory bounds the descriptions that a transfer carries along: a
// message beyond is described again when somebody asks.
const maxTransferMemory = 32 << 20

// prepare reads the messages. It ends when the client is gone.
func (t *anew) prepare(cmd *command, uids store.UIDSet) error {
	s := t.session
	var holds []store.Hold
	if t.move {
		var err error
		if holds, err = store.ListHolds(s.ctx, s.sel.account.Store()); err != nil {
			return err
		}
	}
	r := s.newSearch(cmd)
	r.doing = "Copying"
	defer r.end()
	t.room = maxTransferMemory
	done, total := int64(0), uids.Len()
	q := store.Query{UIDs: uids, Fields: store.FieldDates | store.FieldIDs | store.FieldContent}
	for m, err := range s.sel.account.Store().Messages(r.ctx, s.sel.ID, q) {
		if err == nil {
			err = r.progress(done, total)
		}
		if err != nil {
			return err
		}
		done++
		if isHeld(holds, s.sel.ID, m) {
			t.out.Held.Add(m.UID)
			continue
		}
		if err := t.add(r.ctx, m); err != nil {
			return err
		}
	}
	t.out.Missing = uids.Minus(t.out.Source).Minus(t.out.Held)
	return r.ctx.Err()
}

// add prepares the copy of one message.
func (t *anew) add(ctx context.Context, m *store.Message) error {
	flags, keywords := granted(t.dest.rights, m.Flags, m.Keywords)
	op, err := store.PrepareAppend(ctx, t.session.srv.cfg.Store, store.NewMessage{
		Mailbox: t.dest.ID, Flags: flags, Keywords: slices.Clone(keywords), Received: m.Received,
		Blob: m.Blob, Key: slices.Clone(m.Key), Prefix: slices.Clone(m.Prefix),
	})
	if err != nil {
		return err
	}
	op.EmailID = m.EmailID
	if t.room -= len(op.Meta); t.room < 0 {
		op.Meta = nil
	}
	t.ops = append(t.ops, op)
	t.out.Source.Add(m.UID)
	return nil
}

// commit makes the copies, once, and expunges what is moved.
func (t *anew) commit() error {
	s := t.session
	res, err := s.applyChange(t.dest.account, store.Change{Once: "imap copy " + rand.Text(), Ops: t.ops})
	if err != nil {
		t.out = store.OpResult{}
		return err
	}
	for _, r := range res.Ops {
		t.out.Dest.AddSet(r.Dest)
	}
	t.out.UIDValidity = res.Ops[0].UIDValidity
	if !t.move {
		return nil
	}
	for part := range batches(t.out.Source, bulk) {
		res, err := s.apply(s.sel.account, store.Expunge{Mailbox: s.sel.ID, UIDs: part})
		if err != nil {
			t.out = store.OpResult{}
			return err
		}
		t.out.Held.AddSet(res.Ops[0].Held) // by a hold that came meanwhile
	}
	return nil
}

// isHeld reports whether a hold keeps a message from being expunged.
func isHeld(holds []store.Hold, id store.MailboxID, m *store.Message) bool {
	now := time.Now()
	return slices.ContainsFunc(holds, func(h store.Hold) bool { return h.Covers(id, m.UID, m.Saved, now) })
}
