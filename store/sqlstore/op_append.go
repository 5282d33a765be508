package sqlstore

import (
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

const sqlFact = `INSERT INTO fact (account, mailbox, uid, email, thread, received, zone, saved, blob, size, cipher, prefix, meta)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// append carries out an Append.
func (c *change) append(op *store.Append) (store.OpResult, error) {
	if err := c.accepts(); err != nil {
		return store.OpResult{}, err
	}
	b, err := c.a.holds(op.Mailbox)
	if err != nil {
		return store.OpResult{}, err
	}
	size := op.Size + int64(len(op.Prefix))
	if err := c.room(size, 1, op.IgnoreQuota); err != nil {
		return store.OpResult{}, err
	}
	if b.UIDNext == maxUID {
		return store.OpResult{}, store.ErrLimit
	}
	keywords, err := store.CleanKeywords(op.Keywords)
	if err != nil {
		return store.OpResult{}, err
	}
	f := fact{uid: b.UIDNext, email: op.EmailID, saved: c.now, Append: op}
	if err := c.identify(&f); err != nil {
		return store.OpResult{}, err
	}
	r := row{uid: f.uid, flags: op.Flags, size: size, modSeq: c.take()}
	c.edit(b)
	b.UIDNext++
	if err := c.appendRow(b, r, keywords); err != nil {
		return store.OpResult{}, err
	}
	return c.added(b, &r, &f)
}

// maxUID is never given out, so that UIDNext has a value.
const maxUID = 1<<32 - 1

// fact is a message's row of facts.
type fact struct {
	uid    store.UID
	email  store.EmailID
	thread store.ThreadID
	saved  time.Time
	*store.Append
}

// identify fills in the EmailID and the ThreadID that are missing.
func (c *change) identify(f *fact) (err error) {
	if f.email == (store.EmailID{}) {
		f.email = store.NewEmailID()
	}
	if f.thread == (store.ThreadID{}) {
		f.thread, err = c.findThread(f.Append)
	}
	if f.thread == (store.ThreadID{}) {
		f.thread = store.ThreadID(f.email)
	}
	return err
}

// added writes the facts of a message whose state is in place.
func (c *change) added(b *box, r *row, f *fact) (store.OpResult, error) {
	if err := c.writeFact(b, f); err != nil {
		return store.OpResult{}, err
	}
	if err := c.indexThread(b, f); err != nil {
		return store.OpResult{}, err
	}
	c.count(b, r, 1)
	if r.modSeq == c.modSeq {
		c.marksOf(b).changed.Add(r.uid)
	}
	res := here(b)
	res.Dest.Add(r.uid)
	res.EmailID, res.ThreadID = f.email, f.thread
	return res, nil
}

// writeFact writes the row of facts, and adopts the blob in the same
// transaction. A copy needs no adoption: it has its Ref from such a row.
func (c *change) writeFact(b *box, f *fact) error {
	received := f.Received
	if received.IsZero() {
		received = c.now
	}
	_, zone := received.Zone()
	meta := f.Meta
	if len(meta) > store.MaxMeta {
		meta = nil
	}
	if err := blob.Adopt(c.tx.Context(), c.s.blobs, c.tx, f.Blob); err != nil {
		return err
	}
	_, err := c.tx.Exec(sqlFact, c.a.num, b.num, int64(f.uid), f.email[:], f.thread[:],
		received.Unix(), int64(zone), f.saved.Unix(), string(f.Blob), f.Size, f.Key, f.Prefix, meta)
	return err
}
