package sqlstore

import (
	"context"
	"database/sql"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Kinds of log rows.
const (
	logChanged = 0 // messages that came or got another state
	logGone    = 1 // messages that were expunged
)

const sqlLog = `INSERT INTO log (account, mailbox, kind, modseq, seq, at, uids) VALUES (?, ?, ?, ?, ?, ?, ?)`

// marks is what a Change did to one mailbox so far.
type marks struct {
	box           *box
	changed, gone store.UIDSet
}

// marksOf returns the marks of a mailbox, to be written at the end of the
// Change: one row of each kind, however many Ops it has.
func (c *change) marksOf(b *box) *marks {
	for i := range c.marks {
		if c.marks[i].box == b {
			return &c.marks[i]
		}
	}
	c.marks = append(c.marks, marks{box: b})
	return &c.marks[len(c.marks)-1]
}

// writeLog writes the marks.
func (c *change) writeLog() error {
	for _, m := range c.marks {
		if m.box.Gone {
			continue // its log goes with it
		}
		if changed := m.changed.Minus(m.gone); len(changed) > 0 {
			if err := c.logRow(m.box, logChanged, c.modSeq, 0, changed); err != nil {
				return err
			}
		}
		if len(m.gone) == 0 {
			continue
		}
		if err := c.logRow(m.box, logGone, c.modSeq, 0, m.gone); err != nil {
			return err
		}
		if err := c.discard(m.box.num, m.gone); err != nil {
			return err
		}
	}
	return nil
}

// logRow writes one row. seq tells rows of imported messages apart, which
// bring their own ModSeq.
func (c *change) logRow(b *box, kind int, at store.ModSeq, seq store.UID, uids store.UIDSet) error {
	c.buf = appendUIDs(c.buf[:0], uids)
	_, err := c.tx.Exec(sqlLog, c.a.num, b.num, int64(kind), int64(at), int64(seq), c.now.Unix(), c.buf)
	return err
}

// logPage bounds the log rows read at once; changedMax those of kind
// logChanged, beyond which reading the whole state is cheaper.
const (
	logPage    = 1000
	changedMax = 4000
)

// logged is one log row as it is read back.
type logged struct {
	modSeq store.ModSeq
	seq    int64
	uids   store.UIDSet
}

func scanLogged(r *sql.Rows) (l logged, err error) {
	var b sql.RawBytes
	if err = r.Scan(&l.modSeq, &l.seq, &b); err != nil {
		return l, err
	}
	l.uids, err = consumeUIDs(b)
	return l, err
}

// readLog passes the rows of one kind behind since to add, in order; add ends
// the reading by returning false.
func (h *handle) readLog(ctx context.Context, mailbox int64, kind int, since store.ModSeq, add func(logged) bool) error {
	pages := sqldb.Pages(func(last *logged) ([]logged, error) {
		modSeq, seq := since, int64(1<<62)
		if last != nil {
			modSeq, seq = last.modSeq, last.seq
		}
		return sqldb.Collect(ctx, h.q, scanLogged, `SELECT modseq, seq, uids FROM log
			WHERE account = ? AND mailbox = ? AND kind = ? AND modseq >= ? AND (modseq > ? OR seq > ?)
			ORDER BY modseq, seq LIMIT CAST(? AS {int})`,
			h.num, mailbox, int64(kind), int64(modSeq), int64(modSeq), seq, int64(logPage))
	})
	for l, err := range pages {
		if err != nil {
			return err
		}
		if !add(l) {
			return nil
		}
	}
	return nil
}
