package sqlstore

import (
	"context"
	"database/sql"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

const (
	sqlBlockAt   = `SELECT first, data FROM state WHERE account = ? AND mailbox = ? AND first <= ? ORDER BY first DESC LIMIT 1`
	sqlBlocks    = `SELECT first, data FROM state WHERE account = ? AND mailbox = ? AND first > ? ORDER BY first LIMIT CAST(? AS {int})`
	sqlPutBlock  = `INSERT INTO state (account, mailbox, first, data) VALUES (?, ?, ?, ?) ON CONFLICT (account, mailbox, first) DO UPDATE SET data = excluded.data`
	sqlDropBlock = `DELETE FROM state WHERE account = ? AND mailbox = ? AND first = ?`

	// blocksPerPage times blockMax stays below 1,000 messages.
	blocksPerPage = 10
)

// blockReader finds the blocks of one mailbox that hold UIDs of a set, in
// ascending order, a few at a time; nothing is held between two calls.
type blockReader struct {
	q            sqldb.Querier
	account, box int64
	want         store.UIDSet

	from  store.UID // UIDs below were looked at
	after store.UID // key of the last block read; 0 = none
	at    int       // nextIn's place in want
	page  int64     // blocks to read next
	pool  []*block  // reused from page to page when not nil
	done  bool
}

// next returns the next blocks, none at the end. They may hold UIDs that were
// not asked for.
func (r *blockReader) next(ctx context.Context) ([]*block, error) {
	for !r.done {
		u, ok := nextIn(r.want, &r.at, max(r.from, 1))
		if !ok {
			break
		}
		blocks, err := r.read(ctx, u)
		if err != nil {
			return nil, err
		}
		useful := blocks[:0]
		for _, b := range blocks {
			r.after = b.first
			if len(b.rows) > 0 && b.last() >= u && r.wants(b) {
				useful = append(useful, b)
			}
			r.from = max(r.from, b.last()+1) // not moved behind the greatest UID
		}
		if len(useful) > 0 {
			r.page = min(2*r.page, blocksPerPage)
			return useful, nil
		}
		r.page = 1
	}
	r.done = true
	return nil, nil
}

// read gets the block that would hold u when it lies behind those that were
// read, else the ones that follow them.
func (r *blockReader) read(ctx context.Context, u store.UID) ([]*block, error) {
	if r.page == 0 && r.want[0] == (store.UIDRange{First: 1, Last: 1<<32 - 1}) {
		r.page = blocksPerPage
	}
	if r.page <= 1 {
		r.page = 1
		blocks, err := r.collect(ctx, sqlBlockAt, r.account, r.box, int64(u))
		if err != nil || len(blocks) == 1 && (r.after == 0 || blocks[0].first > r.after) {
			return blocks, err
		}
	}
	blocks, err := r.collect(ctx, sqlBlocks, r.account, r.box, int64(r.after), r.page)
	r.done = r.done || int64(len(blocks)) < r.page
	return blocks, err
}

func (r *blockReader) collect(ctx context.Context, query string, args ...any) ([]*block, error) {
	n := 0
	return sqldb.Collect(ctx, r.q, func(rows *sql.Rows) (*block, error) {
		b := new(block)
		if n < len(r.pool) {
			b = r.pool[n]
		} else if r.pool != nil {
			r.pool = append(r.pool, b)
		}
		n++
		return b, scanBlock(rows, b)
	}, query, args...)
}

func (r *blockReader) wants(b *block) bool {
	i := 0
	u, ok := nextIn(r.want[r.at:], &i, b.rows[0].uid)
	return ok && u <= b.last()
}

func scanBlock(rows *sql.Rows, b *block) error {
	var first sqldb.Number
	var data sqldb.Octets
	if err := rows.Scan(&first, &data); err != nil {
		return err
	}
	return decodeBlock(b, store.UID(first), data)
}

// blocks reads the state that the batch has so far.
func (c *change) blocks(b *box, want store.UIDSet) (*blockReader, error) {
	if len(want) == 0 {
		return &blockReader{done: true}, nil
	}
	if err := c.a.flushTail(c.tx, b); err != nil {
		return nil, err
	}
	return &blockReader{q: c.tx, account: c.a.num, box: b.num, want: want}, nil
}

// writeBlock writes a block back; an empty one is removed. Blocks that grew too
// large are halved. Whoever writes another block than the tail drops the tail.
func writeBlock(tx *sqldb.Tx, account, mailbox int64, b *block) error {
	if len(b.rows) == 0 {
		b.dirty = false
		_, err := tx.Exec(sqlDropBlock, account, mailbox, int64(b.first))
		return err
	}
	for len(b.rows) > blockMax {
		upper := b.halve()
		if err := writeBlock(tx, account, mailbox, upper); err != nil {
			return err
		}
	}
	b.dirty = false
	_, err := tx.Exec(sqlPutBlock, account, mailbox, int64(b.first), b.encode(nil))
	return err
}

// flushTail writes what appends left in memory.
func (a *account) flushTail(tx *sqldb.Tx, b *box) error {
	if b.tail == nil || !b.tail.dirty {
		return nil
	}
	return writeBlock(tx, a.num, b.num, b.tail)
}

// appendRow puts the state of a new message, whose UID is the greatest of the
// mailbox, behind the last block. It is written before the commit, or before
// something else reads it.
func (c *change) appendRow(b *box, r row, keywords []string) error {
	if b.tail == nil {
		tail, ok, err := sqldb.One(c.tx.Context(), c.tx, func(rows *sql.Rows) (*block, error) {
			t := new(block)
			return t, scanBlock(rows, t)
		}, sqlBlockAt, c.a.num, b.num, int64(1<<32-1))
		if err != nil {
			return err
		}
		if !ok {
			tail = newBlock(r.uid)
		}
		b.tail = tail
	}
	if len(b.tail.rows) >= blockMax {
		if err := c.a.flushTail(c.tx, b); err != nil {
			return err
		}
		b.tail = newBlock(r.uid)
	}
	r.kind = b.tail.kindOf(keywords)
	b.tail.rows = append(b.tail.rows, r)
	b.tail.dirty = true
	return nil
}
