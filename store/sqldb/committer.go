package sqldb

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

// maxRetries is how often a batch that met another transaction is tried again.
const maxRetries = 10

// maxLost is how often a batch whose connection was lost is tried again.
const maxLost = 2

// committer runs the Work of a line; all its methods run on one goroutine.
type committer struct {
	db      *DB
	waiting *line
	ses     session
	begun   bool // the last attempt had a transaction
}

// errRerun: the batch was undone and has to run again.
var errRerun = errors.New("sqldb: run again")

func (c *committer) loop() {
	defer c.ses.drop()
	var batch []*item
	for {
		batch = c.waiting.take(batch[:0])
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
	for retries, lost := 0, 0; len(batch) > 0; {
		bad, err := c.attempt(batch)
		switch {
		case err == nil:
			return
		case errors.Is(err, errRerun):
			c.db.stats.reruns.Add(1)
			batch = slices.DeleteFunc(slices.Clone(batch), func(it *item) bool { return it == bad })
			bad.done <- bad.err
		case errors.Is(err, ErrUnknown):
			finish(batch, err)
			return
		case is(c.db.dialect.Retry, err) && retries < maxRetries:
			c.db.stats.reruns.Add(1)
			retries++
		case is(c.db.dialect.Lost, err) && c.begun && lost < maxLost:
			c.db.stats.reruns.Add(1)
			lost++
		default:
			finish(batch, err)
			return
		}
	}
}

// attempt runs the batch in one transaction. With errRerun the item returned
// has failed alone; any other error is that of all.
func (c *committer) attempt(batch []*item) (*item, error) {
	c.begun = false
	if err := c.ses.begin(); err != nil {
		return nil, err
	}
	c.begun = true
	tx := &Tx{ses: &c.ses}
	if err := lockAll(tx, batch); err != nil {
		c.undo(tx)
		return nil, fmt.Errorf("%w: lock: %w", ErrSystemic, err)
	}
	if bad, err := c.doAll(tx, batch); err != nil {
		c.undo(tx)
		if c.db.dialect.whole(err) {
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
		aborted := c.ses.aborted()
		if it.err == nil && !aborted {
			continue
		}
		if it.err == nil {
			it.err = ErrAborted
		}
		if tx.writes != writes || aborted || c.db.dialect.whole(it.err) {
			return it, it.err
		}
	}
	for i := 0; i < len(tx.before); i++ {
		h := tx.before[i]
		tx.owner = h.owner
		err := protect(func() error { return h.do(tx) })
		if err == nil && c.ses.aborted() {
			err = ErrAborted
		}
		if err != nil {
			return h.owner, err
		}
	}
	return nil, nil
}

// lockAll has what the batch will change locked, in order of Key.
func lockAll(tx *Tx, batch []*item) error {
	var list []*item
	for _, it := range batch {
		if it.Locker != nil {
			list = append(list, it)
		}
	}
	slices.SortStableFunc(list, func(x, y *item) int { return strings.Compare(x.Key, y.Key) })
	var keys []string
	for i, it := range list {
		if len(keys) == 0 || keys[len(keys)-1] != it.Key {
			keys = append(keys, it.Key)
		}
		if i+1 < len(list) && list[i+1].Locker == it.Locker {
			continue
		}
		if err := protect(func() error { return it.Locker.Lock(tx, keys) }); err != nil {
			return err
		}
		keys = nil
	}
	return nil
}

// commit ends the transaction. An error that does not prove that nothing was
// committed is that of an unknown outcome (I5).
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
	if c.db.dialect.Reconnects {
		c.ses.drop()
		c.db.log.Warn("the answer to a commit was lost", "error", err)
	} else {
		c.db.poisoned.Store(true)
		c.db.log.Error("commit failed with unknown outcome; no further writes", "error", err)
	}
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
