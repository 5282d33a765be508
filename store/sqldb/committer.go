package sqldb

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
)

// maxRetries is how often a batch that met another transaction is tried again.
const maxRetries = 10

// committer runs the Work of a DB; all its methods run on one goroutine.
type committer struct {
	db  *DB
	ses session
}

// errRerun: the batch was undone and has to run again.
var errRerun = errors.New("sqldb: run again")

func (c *committer) loop() {
	defer close(c.db.stopped)
	defer c.ses.drop()
	var batch []*item
	for {
		batch = c.db.waiting.take(batch[:0])
		if len(batch) == 0 {
			return
		}
		c.run(batch)
		clear(batch)
	}
}

// run brings every item of the batch to its outcome.
func (c *committer) run(batch []*item) {
	if c.db.poisoned.Load() {
		finish(batch, ErrPoisoned)
		return
	}
	for retries := 0; len(batch) > 0; {
		bad, err := c.attempt(batch)
		switch {
		case err == nil:
			return
		case errors.Is(err, errRerun):
			c.db.stats.reruns.Add(1)
			batch = slices.DeleteFunc(slices.Clone(batch), func(it *item) bool { return it == bad })
			bad.done <- bad.err
		case is(c.db.dialect.Retry, err) && retries < maxRetries:
			c.db.stats.reruns.Add(1)
			retries++
		default:
			finish(batch, err)
			return
		}
	}
}

// attempt runs the batch in one transaction. With errRerun the item returned
// has failed alone; any other error is that of all.
func (c *committer) attempt(batch []*item) (*item, error) {
	if err := c.ses.begin(); err != nil {
		return nil, err
	}
	tx := &Tx{ses: &c.ses}
	if bad, err := c.doAll(tx, batch); err != nil {
		c.undo(tx)
		if is(c.db.dialect.Retry, err) || is(c.db.dialect.Systemic, err) {
			return nil, err
		}
		bad.err = err
		return bad, errRerun
	}
	if err := c.commit(tx); err != nil {
		return nil, err
	}
	for _, f := range tx.after {
		f()
	}
	for _, it := range batch {
		if it.err == nil {
			c.db.stats.works.Add(1)
		}
		it.done <- it.err
	}
	return nil, nil
}

// doAll runs each Do and the hooks before the commit. A Do that refused before
// its first write keeps its error in the item and costs nothing; that it was
// judged on what the others wrote makes it wait for their commit.
func (c *committer) doAll(tx *Tx, batch []*item) (bad *item, err error) {
	for _, it := range batch {
		writes := tx.writes
		tx.owner = it
		it.err = protect(func() error { return it.Do(tx) })
		if it.err == nil {
			continue
		}
		if tx.writes != writes || is(c.db.dialect.Retry, it.err) || is(c.db.dialect.Systemic, it.err) {
			return it, it.err
		}
	}
	for i := 0; i < len(tx.before); i++ {
		h := tx.before[i]
		tx.owner = h.owner
		if err := protect(func() error { return h.do(tx) }); err != nil {
			return h.owner, err
		}
	}
	return nil, nil
}

// commit ends the transaction. An error that does not prove that nothing was
// committed poisons the DB (I5).
func (c *committer) commit(tx *Tx) error {
	if tx.writes == 0 {
		c.ses.rollback()
		return nil
	}
	err := c.ses.commit()
	if err == nil {
		c.db.stats.commits.Add(1)
		return nil
	}
	c.undo(tx)
	if is(c.db.dialect.NotCommitted, err) || is(c.db.dialect.Retry, err) {
		return err
	}
	c.db.poisoned.Store(true)
	c.db.log.Error("commit failed with unknown outcome; no further writes", "error", err)
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}

func (c *committer) undo(tx *Tx) {
	c.ses.rollback()
	for _, f := range slices.Backward(tx.undo) {
		f()
	}
}

// finish gives an error to all, also to those who had refused: what they were
// judged on is gone.
func finish(batch []*item, err error) {
	for _, it := range batch {
		it.done <- err
	}
}

// protect turns a panic into an error.
func protect(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", ErrPanic, p, debug.Stack())
		}
	}()
	return f()
}
