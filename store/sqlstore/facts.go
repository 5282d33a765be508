package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

const (
	factColumns  = `SELECT uid, email, thread, received, zone, saved, blob, size, cipher, prefix`
	factRange    = ` FROM fact WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid`
	sqlFacts     = factColumns + `, NULL` + factRange
	sqlFactsMeta = factColumns + `, meta` + factRange

	// factSlack: UIDs this close to each other are read with one range query,
	// though those between them are not wanted.
	factSlack = 8
)

// readFacts returns the facts of the page's messages, in their order; nil when
// none are asked for.
func (w *walk) readFacts(ctx context.Context) ([]store.Message, error) {
	if w.query.Fields == 0 || len(w.found) == 0 {
		return nil, nil
	}
	query := sqlFacts
	if w.query.Fields&store.FieldMeta != 0 {
		query = sqlFactsMeta
	}
	uids := make([]store.UID, len(w.found))
	for i, f := range w.found {
		uids[i] = f.uid
	}
	out := make([]store.Message, 0, len(uids))
	for _, r := range split(uids, factSlack) {
		list, err := sqldb.Collect(ctx, w.store.db, scanFact, query, w.num, w.box, int64(r.First), int64(r.Last))
		if err != nil {
			return nil, err
		}
		for i := range list {
			if list[i].UID == uids[len(out)] {
				out = append(out, list[i].Message)
			}
			if len(out) == len(uids) {
				return out, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: message %d has no facts", store.ErrCorrupt, uids[len(out)])
}

// storedFact is a row of facts.
type storedFact struct {
	store.Message
	blobSize int64
}

func scanFact(r *sql.Rows) (f storedFact, err error) {
	var email, thread sql.RawBytes
	var received, zone, saved int64
	err = r.Scan(&f.UID, &email, &thread, &received, &zone, &saved, (*string)(&f.Blob), &f.blobSize, &f.Key, &f.Prefix, &f.Meta)
	copy(f.EmailID[:], email)
	copy(f.ThreadID[:], thread)
	f.Received, f.Saved = time.Unix(received, 0).In(zoneOf(zone)), time.Unix(saved, 0)
	return f, err
}

func zoneOf(offset int64) *time.Location {
	if offset == 0 {
		return time.UTC
	}
	return time.FixedZone("", int(offset))
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
