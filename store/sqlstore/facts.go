package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// factSlack: UIDs this close to each other are read with one range query,
// though those between them are not wanted.
const factSlack = 8

// factReader reads facts of one mailbox, only the columns that are asked for.
// What it returns is valid until the next read.
type factReader struct {
	q            sqldb.Querier
	account, box int64
	fields       store.Fields

	query string
	dest  []any
	raw   rawFact
	out   []store.Message
	arena []byte // the octets of out
	zones map[int64]*time.Location
}

// rawFact is what a row is scanned into.
type rawFact struct {
	uid, received, zone, saved, size      sqldb.Number
	blob                                  sqldb.Text
	email, thread, cipher, prefix, metaOf sqldb.Octets
}

func (r *factReader) prepare() {
	f := &r.raw
	query := `SELECT uid`
	r.dest = []any{&f.uid}
	add := func(field store.Fields, columns string, dest ...any) {
		if r.fields&field != 0 {
			query += columns
			r.dest = append(r.dest, dest...)
		}
	}
	add(store.FieldDates, `, received, zone, saved`, &f.received, &f.zone, &f.saved)
	add(store.FieldIDs, `, email, thread`, &f.email, &f.thread)
	add(store.FieldContent, `, blob, size, cipher, prefix`, &f.blob, &f.size, &f.cipher, &f.prefix)
	add(store.FieldMeta, `, meta`, &f.metaOf)
	r.query = query + ` FROM fact WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid`
	r.zones = map[int64]*time.Location{0: time.UTC}
}

// read returns the facts of messages, in ascending order like uids.
// ErrCorrupt: one of them has none.
func (r *factReader) read(ctx context.Context, uids []store.UID) ([]store.Message, error) {
	if r.query == "" {
		r.prepare()
	}
	r.out, r.arena = slices.Grow(r.out[:0], len(uids)), r.arena[:0]
	for _, part := range split(uids, factSlack) {
		err := sqldb.Each(ctx, r.q, func(rows *sql.Rows) error {
			if err := rows.Scan(r.dest...); err != nil {
				return err
			}
			if n := len(r.out); n < len(uids) && store.UID(r.raw.uid) == uids[n] {
				r.keep()
			}
			return nil
		}, r.query, r.account, r.box, int64(part.First), int64(part.Last))
		if err != nil {
			return nil, err
		}
	}
	if n := len(r.out); n < len(uids) {
		return nil, fmt.Errorf("%w: message %d has no facts", store.ErrCorrupt, uids[n])
	}
	return r.out, nil
}

// keep appends the scanned row to out.
func (r *factReader) keep() {
	f := &r.raw
	m := store.Message{UID: store.UID(f.uid)}
	if r.fields&store.FieldDates != 0 {
		m.Received, m.Saved = time.Unix(int64(f.received), 0).In(r.zone(int64(f.zone))), time.Unix(int64(f.saved), 0)
	}
	copy(m.EmailID[:], f.email)
	copy(m.ThreadID[:], f.thread)
	m.Blob = blob.Ref(f.blob)
	m.Key, m.Prefix, m.Meta = r.store(f.cipher), r.store(f.prefix), r.store(f.metaOf)
	r.out = append(r.out, m)
}

// store copies octets into the arena; nil for none.
func (r *factReader) store(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	n := len(r.arena)
	r.arena = append(r.arena, b...)
	return r.arena[n:len(r.arena):len(r.arena)]
}

func (r *factReader) zone(offset int64) *time.Location {
	z := r.zones[offset]
	if z == nil {
		z = time.FixedZone("", int(offset))
		r.zones[offset] = z
	}
	return z
}

// Holds implements store.Store: a row of facts outlives its message by 24 h.
func (s *Store) Holds(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
	if s.wake.closed() {
		return nil, store.ErrClosed
	}
	var out []blob.Ref
	for _, ref := range refs {
		_, held, err := sqldb.One(ctx, s.db, sqldb.Int64, `SELECT 1 FROM fact WHERE blob = ? LIMIT 1`, string(ref))
		if err != nil {
			return nil, known(err)
		}
		if held {
			out = append(out, ref)
		}
	}
	return out, nil
}
