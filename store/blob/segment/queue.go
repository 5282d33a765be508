package segment

import (
	"sync"

	"github.com/mailstead/mailstead/store/blob"
)

// pending is one body on its way through the committer. Exactly one of buf,
// spool and single is set; the writer keeps owning buf and spool.
type pending struct {
	size   int64
	sum    uint32
	buf    []byte // room for the record header, then the body
	spool  *spool
	single *segment

	ref    ref   // set before the answer
	err    error // the answer
	answer sync.WaitGroup
}

// settle gives the answer, once.
func (p *pending) settle(err error) {
	p.err = err
	p.answer.Done()
}

// queue is what waits for the committer.
type queue struct {
	mu      sync.Mutex
	changed sync.Cond
	waiting []*pending
	closed  bool
}

func (q *queue) init() { q.changed.L = &q.mu }

// add hands p to the committer, which will settle it.
func (q *queue) add(p *pending) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return blob.ErrClosed
	}
	p.answer.Add(1)
	q.waiting = append(q.waiting, p)
	q.changed.Broadcast()
	return nil
}

// take waits for something and returns all of it, in batch's memory when it
// is large enough; nil once the queue is closed and empty.
func (q *queue) take(spare []*pending) []*pending {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 {
		if q.closed {
			return nil
		}
		q.changed.Wait()
	}
	batch := q.waiting
	q.waiting = spare[:0]
	return batch
}

// close lets the committer end after what was added.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}
