package sqlqueue

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/sqldb"
)

// settlement is one Settle.
type settlement struct {
	s        *Storage
	outcomes []queue.Outcome
	next     [][]row // of each outcome

	// Of the latest run of do.
	claimed []claim
	lost    error
}

// claim is a valid lease and its outcome.
type claim struct {
	*lease
	out  *queue.Outcome
	next []row
}

// Settle implements queue.Storage.
func (s *Storage) Settle(ctx context.Context, outcomes []queue.Outcome) error {
	if len(outcomes) == 0 {
		return ctx.Err()
	}
	t := &settlement{s: s, outcomes: outcomes}
	cost := len(outcomes)
	for i := range outcomes {
		rows, err := s.rowsOf(outcomes[i].Next)
		if err = cmp.Or(err, queue.CheckEntries(outcomes[i].Entries)); err != nil {
			return err
		}
		t.next = append(t.next, rows)
		cost += len(rows)
	}
	do := t.do
	if s.nodes != nil {
		do = t.doShared
	}
	if err := s.commit(ctx, outcomes[0].Token.Job, cost, do); err != nil {
		return err
	}
	return t.lost
}

// do is the Work.
func (t *settlement) do(tx *sqldb.Tx) error {
	t.claim()
	if len(t.claimed) == 0 {
		return nil
	}
	tx.OnRollback(t.unclaim)
	for i := range t.claimed {
		if err := t.write(tx, &t.claimed[i]); err != nil {
			t.unclaim()
			return err
		}
	}
	tx.AfterCommit(t.end)
	return nil
}

// claim marks the valid leases.
func (t *settlement) claim() {
	l := &t.s.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	t.claimed, t.lost = t.claimed[:0], nil
	for i := range t.outcomes {
		o := &t.outcomes[i]
		x := l.validLocked(o.Token)
		if x == nil {
			t.lost = fmt.Errorf("%w: %s", queue.ErrLeaseLost, o.Token.Job)
			continue
		}
		x.settling = true
		t.claimed = append(t.claimed, claim{x, o, t.next[i]})
	}
}

func (t *settlement) unclaim() {
	l := &t.s.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range t.claimed {
		c.settling = false
	}
	t.claimed = t.claimed[:0]
}

// end forgets the leases once their outcome is committed.
func (t *settlement) end() {
	l := &t.s.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range t.claimed {
		l.endLocked(c.lease, len(c.out.Remaining) == 0)
		l.changedLocked(c.job)
	}
}

func (t *settlement) write(tx *sqldb.Tx, c *claim) error {
	b := t.s.batch(tx)
	var err error
	switch {
	case len(c.out.Remaining) > 0:
		err = t.keep(b, c)
	case len(c.edits) > 0:
		err = b.remove(c.job)
	default: // the row is as it was leased (I2)
		err = b.forget(c.row())
	}
	if err != nil {
		return err
	}
	b.write(c.out.Entries)
	return t.s.insert(tx, c.next)
}

// keep writes a job that goes on, unless an operator dropped it. A record that
// was damaged since the lease stays as it is (I3); the next pick holds it.
func (t *settlement) keep(b *batch, c *claim) error {
	was, ok, err := b.load(c.job)
	if err != nil || !ok {
		return err
	}
	j, damage := t.s.job(&was)
	if damage != nil {
		return nil
	}
	c.out.Apply(j)
	for i := range c.edits {
		c.edits[i].Apply(j)
	}
	return b.replace(&was, j)
}

// Extend implements queue.Storage.
func (s *Storage) Extend(ctx context.Context, ttl time.Duration, tokens ...queue.Token) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.nodes != nil {
		return s.nodes.extend(ctx, ttl, tokens)
	}
	l := &s.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	var lost error
	for _, t := range tokens {
		if x := l.validLocked(t); x != nil {
			x.expires = l.now().Add(ttl)
		} else if x := l.jobs[t.Job]; x == nil || x.fence != t.Fence || !x.settling {
			lost = fmt.Errorf("%w: %s", queue.ErrLeaseLost, t.Job)
		}
	}
	return lost
}
