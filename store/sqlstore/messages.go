package sqlstore

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/mailstead/mailstead/store"
)

// Messages implements store.Account. It reads a page of blocks, and the facts
// of their messages where fields are asked for, then runs the loop body for
// each; nothing is held meanwhile.
func (h *handle) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	return func(yield func(*store.Message, error) bool) {
		w := walk{handle: h, id: id, query: q, yield: yield}
		if err := w.run(ctx); err != nil {
			yield(nil, failBox("messages", h.id, id, err))
		}
	}
}

// walk is one call of Messages.
type walk struct {
	*handle
	id    store.MailboxID
	query store.Query
	yield func(*store.Message, error) bool

	box    int64
	want   store.UIDSet
	graves []grave // tombstones not yet shown
	found  []found // of the page
	facts  factReader
	uids   []store.UID
	out    store.Message
}

// found is a message of the page that matches.
type found struct {
	*row
	keywords []string
}

func (w *walk) run(ctx context.Context) error {
	if err := w.prepare(ctx); err != nil {
		return err
	}
	r := &blockReader{q: w.q, account: w.num, box: w.box, want: w.want, pool: []*block{}, done: len(w.want) == 0}
	for {
		blocks, err := r.next(ctx)
		if err != nil {
			return err
		}
		// The cleaner may be at work on the rows of a deleted mailbox. Whether
		// another node deleted it is asked at the end: what was shown was there.
		look := w.glance
		if len(blocks) == 0 && w.store.shared() {
			look = w.now
		}
		if b, err := look(ctx, w.id); err != nil || b.Gone {
			return first(err, store.ErrNoMailbox)
		}
		if len(blocks) == 0 {
			w.bury(maxUID)
			return nil
		}
		w.match(blocks)
		if err := w.readFacts(ctx); err != nil {
			return err
		}
		if !w.page() {
			return nil
		}
	}
}

// now is shown without the purge mark.
func (w *walk) now(ctx context.Context, id store.MailboxID) (shownBox, error) {
	b, _, err := w.shown(ctx, id)
	return b, err
}

// prepare finds out which UIDs may match.
func (w *walk) prepare(ctx context.Context) error {
	b, purged, err := w.shown(ctx, w.id)
	if err != nil || b.Gone {
		return first(err, store.ErrNoMailbox)
	}
	w.box = b.num
	w.facts = factReader{q: w.q, account: w.num, box: b.num, fields: w.query.Fields}
	if b.UIDNext <= 1 {
		return nil
	}
	// Messages newer than this call are left out.
	w.want = store.UIDSet{{First: 1, Last: b.UIDNext - 1}}
	if len(w.query.UIDs) > 0 {
		w.want = w.query.UIDs.Intersect(w.want)
	}
	if w.query.Since == 0 {
		return nil
	}
	if w.query.Since < purged {
		return store.ErrResync
	}
	if err := w.readChanges(ctx); err != nil {
		return err
	}
	_, purged, err = w.shown(ctx, w.id)
	if err == nil && w.query.Since < purged { // rows may have been missing
		err = store.ErrResync
	}
	return err
}

// grave is a range of expunged messages.
type grave struct {
	store.UIDRange
	modSeq store.ModSeq
}

// readChanges limits the walk to what the log names. Where that is much, the
// state itself is read instead: it has the ModSeq of every message.
func (w *walk) readChanges(ctx context.Context) error {
	all := w.want
	err := w.readLog(ctx, w.box, logGone, w.query.Since, func(l logged) bool {
		for _, r := range l.uids.Intersect(all) {
			w.graves = append(w.graves, grave{r, l.modSeq})
		}
		return true
	})
	if err != nil {
		return err
	}
	slices.SortFunc(w.graves, func(x, y grave) int { return cmp.Compare(x.First, y.First) })
	var changed store.UIDSet
	rows := 0
	err = w.readLog(ctx, w.box, logChanged, w.query.Since, func(l logged) bool {
		rows += len(l.uids)
		changed.AddSet(l.uids)
		return rows < changedMax
	})
	if err == nil && rows < changedMax {
		w.want = changed.Intersect(all)
	}
	return err
}

// match picks the messages of the page.
func (w *walk) match(blocks []*block) {
	w.found = w.found[:0]
	at := 0
	for _, bl := range blocks {
		for i := range bl.rows {
			r := &bl.rows[i]
			u, ok := nextIn(w.want, &at, r.uid)
			if !ok {
				return
			}
			if u == r.uid && r.modSeq > w.query.Since {
				w.found = append(w.found, found{r, bl.kinds[r.kind]})
			}
		}
	}
}

// readFacts reads the facts of the page's messages where fields are asked for.
func (w *walk) readFacts(ctx context.Context) error {
	if w.query.Fields == 0 || len(w.found) == 0 {
		return nil
	}
	w.uids = w.uids[:0]
	for _, f := range w.found {
		w.uids = append(w.uids, f.uid)
	}
	if w.query.Fields&store.FieldMeta == 0 {
		_, err := w.facts.read(ctx, w.uids)
		return err
	}
	// In this order nothing is missed that is written meanwhile.
	offers := w.store.metas.find(w.num, w.box, w.uids)
	out, err := w.facts.read(ctx, w.uids)
	if err != nil {
		return err
	}
	for i, o := range offers {
		if o != nil && (len(out[i].Meta) == 0 || out[i].Meta[0] <= o.meta[0]) {
			out[i].Meta = o.meta
		}
	}
	return nil
}

// page shows the messages found, and the tombstones before them.
func (w *walk) page() bool {
	for i, f := range w.found {
		if !w.bury(f.uid) {
			return false
		}
		w.out = store.Message{}
		if w.query.Fields != 0 {
			w.out = w.facts.out[i]
		}
		w.out.UID, w.out.ModSeq, w.out.Flags, w.out.Size = f.uid, f.modSeq, f.flags, f.size
		w.out.Keywords = f.keywords
		if !w.yield(&w.out, nil) {
			return false
		}
	}
	return true
}

// bury shows the tombstones below a UID.
func (w *walk) bury(below store.UID) bool {
	for len(w.graves) > 0 && w.graves[0].First < below {
		g := &w.graves[0]
		u := g.First
		if g.First == g.Last {
			w.graves = w.graves[1:]
		} else {
			g.First++
		}
		w.out = store.Message{UID: u, ModSeq: g.modSeq, Gone: true}
		if !w.yield(&w.out, nil) {
			return false
		}
	}
	return true
}
