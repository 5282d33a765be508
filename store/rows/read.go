package rows

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store"
)

// HoldFor is how long a blob is still held after its last message went
// (Store.Holds).
const HoldFor = 24 * time.Hour

// Mailboxes picks and orders what Account.Mailboxes returns out of all rows,
// tombstones included.
func Mailboxes(all iter.Seq[store.Mailbox], since store.ModSeq) (list []store.Mailbox) {
	for m := range all {
		if max(m.ModSeq, m.HighestModSeq) > since && (since > 0 || !m.Gone) {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(x, y store.Mailbox) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), slices.Compare(x.ID[:], y.ID[:]))
	})
	return list
}

// Usage adds up the rows that are no tombstones (I7).
func Usage(all iter.Seq[store.Mailbox], l store.Limits) store.Usage {
	u := store.Usage{Limits: l}
	for m := range all {
		if !m.Gone {
			u.Mailboxes++
			u.Messages += m.Messages
			u.Bytes += m.Bytes
		}
	}
	return u
}

// Wanted reports whether Account.Messages yields m, which may be a tombstone.
func Wanted(m *store.Message, q store.Query) bool {
	return m.ModSeq > q.Since && (!m.Gone || q.Since > 0) && (len(q.UIDs) == 0 || q.UIDs.Contains(m.UID))
}

// Show copies m into out with the parts that were asked for and no others. out
// shares nothing with m that a reader could change.
func Show(m, out *store.Message, f store.Fields) {
	*out = store.Message{UID: m.UID, ModSeq: m.ModSeq, Gone: m.Gone}
	if m.Gone {
		return
	}
	out.Flags, out.Keywords, out.Size = m.Flags, slices.Clone(m.Keywords), m.Size
	if f&store.FieldDates != 0 {
		out.Received, out.Saved = m.Received, m.Saved
	}
	if f&store.FieldIDs != 0 {
		out.EmailID, out.ThreadID = m.EmailID, m.ThreadID
	}
	if f&store.FieldContent != 0 {
		out.Blob, out.Key, out.Prefix = m.Blob, slices.Clone(m.Key), slices.Clone(m.Prefix)
	}
	if f&store.FieldMeta != 0 {
		out.Meta = slices.Clone(m.Meta)
	}
}

// Entries picks, copies and orders what Account.Entries yields out of all
// entries, tombstones included.
func Entries(all iter.Seq[store.Entry], q store.EntryQuery) (list []store.Entry) {
	now := time.Now()
	for e := range all {
		if (q.All || e.Mailbox == q.Mailbox) && strings.HasPrefix(e.Key, q.Prefix) && e.ModSeq > q.Since &&
			(e.Present(now) || e.Gone && q.Since > 0) {
			e.Value = slices.Clone(e.Value)
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(x, y store.Entry) int {
		return cmp.Or(slices.Compare(x.Mailbox[:], y.Mailbox[:]), cmp.Compare(x.Key, y.Key))
	})
	return list
}

// Each is the sequence of what list returns. list is called when a loop
// begins, and may lock; the loop body runs without and may call any method
// (I12). An error ends the sequence.
func Each[T any](ctx context.Context, list func() ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		values, err := list()
		for _, v := range values {
			if err = cmp.Or(err, ctx.Err()); err != nil || !yield(v, nil) {
				break
			}
		}
		if err != nil {
			yield(*new(T), err)
		}
	}
}
