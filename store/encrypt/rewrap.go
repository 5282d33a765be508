package encrypt

import (
	"context"
	"errors"
	"slices"

	"github.com/mailstead/mailstead/store"
)

// RewrapStats tells what a Rewrap did, in messages and entries.
type RewrapStats struct {
	Seen      int64 // were looked at
	Rewrapped int64 // had another key than the current one
	Plain     int64 // are not encrypted, and stay so
	Lost      int64 // cannot be decrypted: damaged, or their key is gone
}

// rewrapBatch bounds what one commit writes, so that deliveries pass.
const rewrapBatch = 100

// maxRewrap bounds the passes over an account that is busy.
const maxRewrap = 100

// Rewrap wraps the data keys of an account anew, and encrypts its entries
// anew, under the current master key. No body is read or written, no ModSeq
// taken, and the account is in use meanwhile. What was rewrapped is durable, so
// a Rewrap that was interrupted goes on where it was: the next one passes over
// what has the current key. progress, when not nil, is called after each
// batch; it must not block. store.ErrUnsupported: the store below has no
// KeyWriter. An error that joins those of single messages comes after all
// others were rewrapped.
func (s *Store) Rewrap(ctx context.Context, id store.AccountID, progress func(RewrapStats)) (RewrapStats, error) {
	a, err := s.open(ctx, id)
	if err != nil {
		return RewrapStats{}, err
	}
	r := rewrap{account: a, progress: progress}
	if _, ok := store.As[store.KeyWriter](a.Account); !ok {
		return r.stats, a.fail("rewrap", store.MailboxID{}, 0, store.ErrUnsupported)
	}
	if r.wrap, err = s.keys.wrapper(ctx, string(id)); err != nil {
		return r.stats, a.fail("rewrap", store.MailboxID{}, 0, err)
	}
	if err := r.run(ctx); err != nil {
		return r.stats, err
	}
	return r.stats, errors.Join(r.lost...)
}

// rewrap is one Rewrap.
type rewrap struct {
	*account
	wrap     *wrapper
	progress func(RewrapStats)
	stats    RewrapStats
	batch    []store.KeyChange
	lost     []error // the first few
}

// run makes a pass over all, and then over what changed meanwhile: a message
// that was copied to where the pass had been kept its key. It ends when nothing
// changed during a pass.
func (r *rewrap) run(ctx context.Context) error {
	since := store.ModSeq(0)
	for range maxRewrap {
		boxes, now, err := r.Mailboxes(ctx, 0)
		if err != nil {
			return err
		}
		if err := r.pass(ctx, boxes, since); errors.Is(err, store.ErrResync) {
			since = 0
			continue
		} else if err != nil {
			return err
		}
		_, after, err := r.Mailboxes(ctx, 0)
		if err != nil {
			return err
		}
		if after == now {
			return nil
		}
		since = now
	}
	return r.fail("rewrap", store.MailboxID{}, 0, store.ErrTemporary)
}

func (r *rewrap) pass(ctx context.Context, boxes []store.Mailbox, since store.ModSeq) error {
	for i := range boxes {
		if boxes[i].NoSelect {
			continue
		}
		if err := r.mailbox(ctx, boxes[i].ID, since); err != nil && !errors.Is(err, store.ErrNoMailbox) {
			return err
		}
	}
	for e, err := range r.Account.Entries(ctx, store.EntryQuery{All: true, Since: since}) {
		if err != nil {
			return err
		}
		if err := r.entry(ctx, &e); err != nil {
			return err
		}
	}
	return r.flush(ctx)
}

// mailbox looks at the messages of a mailbox, expunged ones too, or at those
// that changed.
func (r *rewrap) mailbox(ctx context.Context, id store.MailboxID, since store.ModSeq) error {
	list := store.ListKeys(ctx, r.Account, id, nil)
	if since > 0 {
		list = r.Account.Messages(ctx, id, store.Query{Since: since, Fields: store.FieldContent})
	}
	for m, err := range list {
		if err != nil {
			return err
		}
		if m.Gone { // its row was seen where it was
			continue
		}
		if err := r.message(ctx, id, m); err != nil {
			return err
		}
	}
	return nil
}

func (r *rewrap) message(ctx context.Context, id store.MailboxID, m *store.Message) error {
	r.stats.Seen++
	if len(m.Key) == 0 {
		r.stats.Plain++
		return nil
	}
	w, err := r.rowWrapped(m)
	if err == nil && w.id == r.wrap.id {
		return nil
	}
	ref := r.s.inner(m.Blob)
	var data dataKey
	if err == nil {
		data, err = r.s.keys.unwrap(ctx, &w, ref)
	}
	if err != nil {
		return r.lose(ctx, r.fail("rewrap", id, m.UID, err))
	}
	wrap := r.wrap
	if w.scope == "" {
		if wrap, err = r.s.keys.wrapper(ctx, ""); err != nil {
			return r.fail("rewrap", id, m.UID, err)
		}
	}
	fresh := append(wrap.wrap(data, ref, w.flags), m.Key[w.size:]...)
	return r.write(ctx, store.KeyChange{Mailbox: id, UID: m.UID, Old: slices.Clone(m.Key), New: fresh})
}

func (r *rewrap) entry(ctx context.Context, e *store.Entry) error {
	if e.Gone {
		return nil
	}
	r.stats.Seen++
	id, _, err := entryKey(e.Value)
	switch {
	case errors.Is(err, ErrPlain):
		r.stats.Plain++
		return nil
	case err == nil && id == r.wrap.id:
		return nil
	}
	at := entryOf{r.id, e.Mailbox, e.Key}
	value, err := r.s.keys.openEntry(ctx, at, e.Value)
	if err != nil {
		return r.lose(ctx, r.fail("rewrap entry", e.Mailbox, 0, err))
	}
	fresh, err := r.s.keys.sealEntry(ctx, at, value)
	if err != nil {
		return r.fail("rewrap entry", e.Mailbox, 0, err)
	}
	return r.write(ctx, store.KeyChange{Mailbox: e.Mailbox, Entry: e.Key, Old: e.Value, New: fresh})
}

// lose notes what cannot be decrypted, and goes on, unless ctx ended.
func (r *rewrap) lose(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if r.stats.Lost++; len(r.lost) < 10 {
		r.lost = append(r.lost, err)
	}
	return nil
}

func (r *rewrap) write(ctx context.Context, c store.KeyChange) error {
	r.batch = append(r.batch, c)
	if len(r.batch) < rewrapBatch {
		return nil
	}
	return r.flush(ctx)
}

func (r *rewrap) flush(ctx context.Context) error {
	if len(r.batch) == 0 {
		return nil
	}
	if err := store.WriteKeys(ctx, r.Account, r.batch); err != nil {
		return err
	}
	r.stats.Rewrapped += int64(len(r.batch))
	r.batch = r.batch[:0]
	if r.progress != nil {
		r.progress(r.stats)
	}
	return nil
}

// Uses counts, over all accounts, what each master key encrypts: messages and
// entries. The id "" stands for what is not encrypted, and what cannot be read
// is an error. A key that nothing uses, here and in the queue (see KeyIDOf),
// can be removed from the ring once no backup needs it. That of the index is
// always in use.
func (s *Store) Uses(ctx context.Context) (map[KeyID]int64, error) {
	uses := make(map[KeyID]int64)
	for info, err := range s.Accounts(ctx, "") {
		if err != nil {
			return nil, err
		}
		a, err := s.open(ctx, info.ID)
		if err == nil {
			err = a.uses(ctx, uses)
		}
		if err != nil && !errors.Is(err, store.ErrNoAccount) { // dropped meanwhile
			return nil, err
		}
	}
	return uses, nil
}

func (a *account) uses(ctx context.Context, uses map[KeyID]int64) error {
	boxes, _, err := a.Mailboxes(ctx, 0)
	if err != nil {
		return err
	}
	for i := range boxes {
		if boxes[i].NoSelect {
			continue
		}
		if err := a.usesIn(ctx, boxes[i].ID, uses); err != nil && !errors.Is(err, store.ErrNoMailbox) {
			return err
		}
	}
	for e, err := range a.Account.Entries(ctx, store.EntryQuery{All: true}) {
		if err != nil {
			return err
		}
		id, _, err := entryKey(e.Value)
		if err != nil && !errors.Is(err, ErrPlain) {
			return a.fail("entry", e.Mailbox, 0, err)
		}
		uses[id]++
	}
	return nil
}

func (a *account) usesIn(ctx context.Context, id store.MailboxID, uses map[KeyID]int64) error {
	for m, err := range store.ListKeys(ctx, a.Account, id, nil) {
		if err != nil {
			return err
		}
		if len(m.Key) == 0 {
			uses[""]++
			continue
		}
		w, err := consumeKey(m.Key)
		if err != nil {
			return a.fail("keys", id, m.UID, err)
		}
		uses[w.id]++
	}
	return nil
}
