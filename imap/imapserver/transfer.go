package imapserver

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
)

// transfer copies or moves messages of the selected mailbox, and tells of the
// copies. Within an account the store does it in one change, by itself if the
// copies may have all flags. What a hold covers is not moved.
func (s *session) transfer(cmd *command, uids store.UIDSet, dest *place, move bool) error {
	if dest.in(s.sel.account) && dest.rights.Has(flagRights) {
		res, err := s.apply(dest.account, store.Copy{Source: s.sel.ID, UIDs: uids, Dest: dest.ID, Move: move})
		if err != nil {
			return tryCreate(err)
		}
		return s.tellCopied(cmd, move, res.Ops[0])
	}
	t := &anew{session: s, dest: dest, move: move}
	if err := t.prepare(cmd, uids); err != nil {
		return err
	}
	switch {
	case len(t.ops) == 0:
		return s.tellCopied(cmd, move, t.out)
	case move && dest.in(s.sel.account):
		return t.moveWithin(cmd)
	}
	return t.commit(cmd)
}

// anew appends the same bodies to another mailbox, and expunges here what is
// moved. Within an account that is one change. To another account the copies come
// first: after a crash in between there are two, never none.
type anew struct {
	session *session
	dest    *place
	move    bool
	ops     []store.Op
	meta    int // octets of descriptions in ops
	kept    int // octets of all else in ops
	out     store.OpResult
}

// The memory that a transfer may hold until its change is made. A message beyond
// the first is described again when somebody asks; beyond the second the command
// is refused.
const (
	maxTransferMeta   = 32 << 20
	maxTransferMemory = 64 << 20
)

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
	if t.meta += len(op.Meta); t.meta > maxTransferMeta {
		op.Meta = nil
	}
	if t.kept += keptOf(&op) - len(op.Meta); t.kept > maxTransferMemory {
		return store.ErrTooLarge
	}
	t.ops = append(t.ops, op)
	t.out.Source.Add(m.UID)
	return nil
}

// commit makes the copies, once, and expunges what is moved. Of the copies the
// client hears whatever becomes of the rest: it shall not make them again.
func (t *anew) commit(cmd *command) error {
	s := t.session
	res, err := s.applyChange(t.dest.account, store.Change{Once: "imap copy " + rand.Text(), Ops: t.ops})
	if err != nil {
		return tryCreate(err)
	}
	t.made(res.Ops)
	s.tellUIDs(cmd, t.move, &t.out)
	if !t.move {
		return nil
	}
	for part := range batches(t.out.Source, bulk) {
		res, err := s.apply(s.sel.account, store.Expunge{Mailbox: s.sel.ID, UIDs: part})
		if err != nil {
			return err
		}
		t.out.Held.AddSet(res.Ops[0].Held) // by a hold that came meanwhile
	}
	return heldBack(t.out.Held)
}

// moveWithin moves within the account: each message in one change, as many of
// them together as a change takes. The old ones go first, so that the quota sees
// no difference.
func (t *anew) moveWithin(cmd *command) (err error) {
	s := t.session
	source := t.out.Source
	t.out.Source = nil
	for part := range batches(source, store.MaxChange) {
		n := int(part.Len())
		ops := append([]store.Op{store.Expunge{Mailbox: s.sel.ID, UIDs: part}}, t.ops[:n]...)
		t.ops = t.ops[n:]
		var res store.Result
		res, err = s.applyChange(s.sel.account, store.Change{Once: "imap move " + rand.Text(), Ops: ops})
		if err != nil {
			break
		}
		t.out.Source.AddSet(part)
		t.out.Held.AddSet(res.Ops[0].Held) // by a hold that came meanwhile
		t.made(res.Ops[1:])
	}
	if len(t.out.Source) > 0 {
		s.tellUIDs(cmd, true, &t.out)
	}
	if err != nil {
		return tryCreate(err)
	}
	return heldBack(t.out.Held)
}

// made notes the copies that a change made.
func (t *anew) made(copies []store.OpResult) {
	for _, r := range copies {
		t.out.Dest.AddSet(r.Dest)
	}
	t.out.UIDValidity = copies[0].UIDValidity
}

// isHeld reports whether a hold keeps a message from being expunged.
func isHeld(holds []store.Hold, id store.MailboxID, m *store.Message) bool {
	now := time.Now()
	return slices.ContainsFunc(holds, func(h store.Hold) bool { return h.Covers(id, m.UID, m.Saved, now) })
}
