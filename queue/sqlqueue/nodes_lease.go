package sqlqueue

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/sqldb"
)

// picking is one LeaseJobs. It is a Work like every other: a lease is durable
// before its attempt begins, and those that are asked for at once share a
// commit.
type picking struct {
	n     *nodes
	dest  string
	now   int64
	limit int
	ttl   time.Duration

	// Of the latest run of do.
	leases  []queue.Lease
	damaged []columns
	held    []*queue.Job // for their crashes
}

func (n *nodes) leaseJobs(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
	p := &picking{n: n, dest: n.s.text(dest), now: nanos(now), limit: limit, ttl: ttl}
	if err := n.s.commit(ctx, p.dest, 1, p.do); err != nil {
		return nil, err
	}
	for i := range p.damaged {
		n.s.complain(ctx, &p.damaged[i])
	}
	n.s.complainCrashed(ctx, p.held)
	return p.leases, nil
}

func (p *picking) do(tx *sqldb.Tx) error {
	p.leases, p.damaged, p.held = nil, nil, nil
	lanes, err := sqldb.Collect(tx.Context(), tx, scanTurn, p.n.sql.ranks, p.dest, p.now, p.dest)
	if err != nil {
		return err
	}
	var good []candidate
	last := make(map[int64]position) // of each lane, how far it was read
	err = queue.Turns(lanes, instant(p.now), p.n.s.turn.Add(1), p.limit, func(l queue.Lane, n int) (int, error) {
		from, ok := last[l.Rank]
		if !ok {
			from.next = math.MinInt64
		}
		rows, err := sqldb.Collect(tx.Context(), tx, scanColumns, p.n.sql.pick, p.dest, l.Rank, p.now, from.next, from.dest, n)
		before := len(good)
		for i := range rows {
			last[l.Rank] = position{next: rows[i].next, lane: lane{dest: rows[i].id}}
			if job, err := p.n.s.job(&rows[i]); err == nil {
				good = append(good, candidate{rows[i], job})
			} else {
				p.damaged = append(p.damaged, rows[i])
			}
		}
		return len(good) - before, err
	})
	if err != nil {
		return err
	}
	if err := p.n.setAside(tx, p.damaged); err != nil {
		return err
	}
	return p.lease(tx, good)
}

// lease writes the leases of jobs whose rows are locked.
func (p *picking) lease(tx *sqldb.Tx, good []candidate) error {
	if len(good) == 0 {
		return nil
	}
	ids := make([]string, len(good))
	for i := range good {
		ids[i] = good[i].id
	}
	fence := rand.Uint64() >> 1 // a token of another lease fits by chance only
	expires := p.n.s.now().Add(p.ttl)
	tx.Wrote()
	got, err := sqldb.Collect(tx.Context(), tx, scanTaken, p.n.sql.lease, int64(fence), p.ttl.Microseconds(), p.dest, ids)
	if err != nil {
		return err
	}
	leased, lost := pair(good, got)
	if err := p.crashed(tx, lost); err != nil {
		return err
	}
	for _, c := range leased {
		job := c.job
		if slices.Contains(p.held, job) {
			continue
		}
		p.leases = append(p.leases, queue.Lease{Token: queue.Token{Job: job.ID, Fence: fence}, Job: job, Expires: expires})
	}
	return nil
}

// pair returns the candidates whose lease was written, and those among them
// whose lease before ended without an outcome.
func pair(good []candidate, got []taken) (leased, lost []*candidate) {
	for i := range good {
		k := slices.IndexFunc(got, func(t taken) bool { return t.job == good[i].id })
		if k < 0 {
			continue
		}
		leased = append(leased, &good[i])
		if got[k].lost != 0 {
			lost = append(lost, &good[i])
		}
	}
	return leased, lost
}

// crashed notes that the leases before ended without an outcome: their node is
// gone. A job that is held for that is not leased.
func (p *picking) crashed(tx *sqldb.Tx, lost []*candidate) error {
	jobs := make([]*queue.Job, len(lost))
	for i, c := range lost {
		jobs[i] = c.job
	}
	p.held = append(p.held, queue.Crashed(jobs...)...)
	for _, c := range lost {
		if err := p.n.s.batch(tx).replace(&c.columns, c.job); err != nil {
			return err
		}
	}
	for _, j := range p.held {
		if _, err := tx.Exec(p.n.sql.end, j.ID); err != nil {
			return err
		}
	}
	return nil
}

// taken is a row of queue_lease that was written.
type taken struct {
	job  string
	lost int64
}

func scanTaken(r *sql.Rows) (t taken, err error) {
	err = r.Scan(&t.job, &t.lost)
	return t, err
}

func scanToken(r *sql.Rows) (t queue.Token, err error) {
	var fence int64
	err = r.Scan(&t.Job, &fence)
	t.Fence = uint64(fence)
	return t, err
}

// setAside holds jobs whose record cannot be read; their rows are locked.
func (n *nodes) setAside(tx *sqldb.Tx, damaged []columns) error {
	for i := range damaged {
		c := damaged[i]
		if _, err := tx.Exec(n.sql.hold, int64(never), c.id); err != nil {
			return err
		}
		n.s.batch(tx).held++
	}
	return nil
}

// extend implements Storage.Extend.
func (n *nodes) extend(ctx context.Context, ttl time.Duration, tokens []queue.Token) error {
	if len(tokens) == 0 {
		return nil
	}
	ids, fences := make([]string, len(tokens)), make([]int64, len(tokens))
	for i, t := range tokens {
		ids[i], fences[i] = n.s.text(t.Job), int64(t.Fence)
	}
	var got []queue.Token
	err := n.s.commit(ctx, tokens[0].Job, 1, func(tx *sqldb.Tx) (err error) {
		tx.Wrote()
		got, err = sqldb.Collect(tx.Context(), tx, scanToken, n.sql.extend, ttl.Microseconds(), ids, fences)
		return err
	})
	if err != nil {
		return err
	}
	for i, t := range tokens {
		if !slices.Contains(got, queue.Token{Job: ids[i], Fence: t.Fence}) {
			return fmt.Errorf("%w: %s", queue.ErrLeaseLost, t.Job)
		}
	}
	return nil
}
