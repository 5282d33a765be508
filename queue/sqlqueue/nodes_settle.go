package sqlqueue

import (
	"fmt"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/sqldb"
)

// doShared is the Work of a Settle where several nodes lease: a lease is claimed
// by deleting its row, in the transaction that writes the outcome. The row of
// the job comes first: who picks or edits locks in this order, too.
func (t *settlement) doShared(tx *sqldb.Tx) error {
	t.lost = nil
	for i := range t.outcomes {
		o := &t.outcomes[i]
		b := t.s.batch(tx)
		was, there, err := b.load(o.Token.Job)
		if err != nil {
			return err
		}
		edited, valid, err := sqldb.One(tx.Context(), tx, sqldb.Int64, t.s.nodes.sql.claim, t.s.text(o.Token.Job), int64(o.Token.Fence))
		switch {
		case err != nil:
			return err
		case !valid:
			t.lost = fmt.Errorf("%w: %s", queue.ErrLeaseLost, o.Token.Job)
			continue
		case there && len(o.Remaining) == 0:
			err = b.forget(&was)
		case there:
			err = t.keepShared(b, &was, o, edited)
		}
		if err != nil {
			return err
		}
		b.write(o.Entries)
		if err := t.s.insert(tx, t.next[i]); err != nil {
			return err
		}
	}
	return nil
}

// keepShared writes a job that goes on. What an operator changed during the
// lease stands in the record already, and stays.
func (t *settlement) keepShared(b *batch, was *columns, o *queue.Outcome, edited int64) error {
	j, damage := t.s.job(was)
	if damage != nil {
		return nil // I3
	}
	hold, due := j.Hold, j.Due
	o.Apply(j)
	if edited&editedHold != 0 {
		j.Hold = hold
	}
	if edited&editedDue != 0 {
		j.Due = due
	}
	return b.replace(was, j)
}

// noteEdit tells the lease on a job, where there is one, what was changed.
func (n *nodes) noteEdit(tx *sqldb.Tx, c *columns, e *queue.Edit) error {
	bits := int64(0)
	switch {
	case e.Hold != nil:
		bits = editedHold
	case e.Due != nil:
		bits = editedDue
	case e.Bounce != nil:
		bits = editedHold | editedDue
	default:
		return nil // an outcome does not touch the rest
	}
	_, err := tx.Exec(n.sql.edited, bits, c.id)
	return err
}

// known adds a key of Job.Once, or reports that it was used before. It waits
// for another node that is about to use it.
func (n *nodes) known(tx *sqldb.Tx, key string) (bool, error) {
	res, err := tx.Exec(n.sql.once, key)
	if err != nil {
		return false, err
	}
	rows, err := res.RowsAffected()
	return rows == 0, err
}
