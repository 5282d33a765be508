package sqlstore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// readOnce returns the Result of a Change that was applied before; ok is false
// when it was not, or key is "".
func (s *Store) readOnce(ctx context.Context, q sqldb.Querier, account int64, key string) (r store.Result, ok bool, err error) {
	if key == "" {
		return r, false, nil
	}
	r, ok, err = sqldb.One(ctx, q, func(rows *sql.Rows) (store.Result, error) {
		var b sql.RawBytes
		if err := rows.Scan(&b); err != nil {
			return store.Result{}, err
		}
		return decodeResult(b)
	}, `SELECT result FROM once WHERE account = ? AND name = ?`, account, []byte(key))
	r.Repeated = ok
	return r, ok, err
}

func (c *change) writeOnce(key string, r store.Result) error {
	if key == "" || c.a.dropped {
		return nil
	}
	_, err := c.tx.Exec(`INSERT INTO once (account, name, at, result) VALUES (?, ?, ?, ?)`,
		c.a.num, []byte(key), c.now.Unix(), appendResult(nil, r))
	return err
}

// Versions of an encoded Result. The first has no Held; it is written where
// there is none, so that an earlier program reads it.
const (
	resultVersion     = 1
	resultVersionHeld = 2
)

// appendResult encodes a Result: version octet, ModSeq, number of Ops, and for
// each its ids, UIDVALIDITY and sets with their lengths.
func appendResult(dst []byte, r store.Result) []byte {
	version := byte(resultVersion)
	if slices.ContainsFunc(r.Ops, func(o store.OpResult) bool { return len(o.Held) > 0 }) {
		version = resultVersionHeld
	}
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, uint64(r.ModSeq))
	dst = binary.AppendUvarint(dst, uint64(len(r.Ops)))
	for i := range r.Ops {
		o := &r.Ops[i]
		for _, id := range [...][16]byte{o.Mailbox, o.EmailID, o.ThreadID} {
			dst = append(dst, id[:]...)
		}
		dst = binary.AppendUvarint(dst, uint64(o.UIDValidity))
		for _, set := range sets(o, version) {
			b := appendUIDs(nil, *set)
			dst = binary.AppendUvarint(dst, uint64(len(b)))
			dst = append(dst, b...)
		}
	}
	return dst
}

func decodeResult(b []byte) (r store.Result, err error) {
	d := decoder{b: b}
	v := d.octet()
	if v != resultVersion && v != resultVersionHeld {
		return r, fmt.Errorf("%w: result of version %d", store.ErrVersion, v)
	}
	r.ModSeq = store.ModSeq(d.uvarint())
	for n := d.count(); n > 0 && !d.bad; n-- {
		var o store.OpResult
		copy(o.Mailbox[:], d.take(16))
		copy(o.EmailID[:], d.take(16))
		copy(o.ThreadID[:], d.take(16))
		o.UIDValidity = store.UIDValidity(d.uvarint())
		for _, set := range sets(&o, v) {
			if *set, err = consumeUIDs(d.take(d.count())); err != nil {
				return r, err
			}
		}
		r.Ops = append(r.Ops, o)
	}
	if d.bad || len(d.b) != 0 {
		return r, fmt.Errorf("%w: malformed result", store.ErrCorrupt)
	}
	return r, nil
}

// sets are those that a version has, in their order.
func sets(o *store.OpResult, version byte) []*store.UIDSet {
	list := []*store.UIDSet{&o.Source, &o.Dest, &o.Changed, &o.Modified, &o.Missing, &o.Held}
	if version == resultVersion {
		return list[:5]
	}
	return list
}
