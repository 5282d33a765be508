package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"iter"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// entriesPerPage bounds what is read at once: 64 KiB each at most.
const entriesPerPage = 100

// Entries implements store.Account.
func (h *handle) Entries(ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		owners, err := h.owners(ctx, q)
		if err != nil {
			yield(store.Entry{}, fail("entries", h.id, err))
			return
		}
		for _, o := range owners {
			for e, err := range h.entriesOf(ctx, o, q) {
				if err != nil {
					err = fail("entries", h.id, err)
				}
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// owner is the account or a mailbox.
type owner struct {
	id  store.MailboxID
	num int64 // 0 = the account
}

// owners are those whose entries are asked for, in order.
func (h *handle) owners(ctx context.Context, q store.EntryQuery) ([]owner, error) {
	a, err := h.account(ctx)
	if err != nil {
		return nil, err
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	if err := a.gone(); err != nil {
		return nil, err
	}
	if q.Since > 0 && q.Since < a.pub.purged {
		return nil, store.ErrResync
	}
	if !q.All && q.Mailbox.IsZero() {
		return []owner{{}}, nil
	}
	if !q.All {
		b := a.pub.boxes[q.Mailbox]
		if b == nil || b.Gone {
			return nil, store.ErrNoMailbox
		}
		return []owner{{b.ID, b.num}}, nil
	}
	out := []owner{{}}
	for id, b := range a.pub.boxes {
		if !b.Gone {
			out = append(out, owner{id, b.num})
		}
	}
	slices.SortFunc(out, func(x, y owner) int { return slices.Compare(x.id[:], y.id[:]) })
	return out, nil
}

// entriesOf reads the entries of one owner, page by page.
func (h *handle) entriesOf(ctx context.Context, o owner, q store.EntryQuery) iter.Seq2[store.Entry, error] {
	from, op := []byte(q.Prefix), ">="
	to := after(from)
	done := false
	return sqldb.Pages(func(last *store.Entry) ([]store.Entry, error) {
		if last != nil {
			from, op = []byte(last.Key), ">"
		}
		if done {
			return nil, nil
		}
		list, err := sqldb.Collect(ctx, h.q, scanEntry, `SELECT name, value, modseq, expires, gone FROM entry
			WHERE account = ? AND mailbox = ? AND name `+op+` ? AND name < ? AND modseq > ?
			AND (gone = 1 AND CAST(? AS {int}) > 0 OR gone = 0 AND (expires = 0 OR expires > ?)) ORDER BY name LIMIT CAST(? AS {int})`,
			h.num, o.num, from, to, int64(q.Since), int64(q.Since), time.Now().UnixNano(), int64(entriesPerPage))
		for i := range list {
			list[i].Mailbox = o.id
		}
		done = len(list) < entriesPerPage
		return list, err
	})
}

func scanEntry(r *sql.Rows) (e store.Entry, err error) {
	var name []byte
	var expires int64
	err = r.Scan(&name, &e.Value, &e.ModSeq, &expires, &e.Gone)
	e.Key = string(name)
	if expires != 0 {
		e.Expires = time.Unix(0, expires)
	}
	if !e.Gone && e.Value == nil {
		e.Value = []byte{}
	}
	return e, err
}

// after is the smallest key that is greater than all that start with prefix.
func after(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			end := bytes.Clone(prefix[:i+1])
			end[i]++
			return end
		}
	}
	return bytes.Repeat([]byte{0xff}, store.MaxEntryKey+1)
}
