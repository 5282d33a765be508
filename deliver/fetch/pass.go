package fetch

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pass is one visit to a source: it lists, fetches what is new, and deletes what
// may go.
type pass struct {
	c     *Collector
	s     *Source
	ses   Session
	ctx   context.Context // ends with the Collector, or when nothing moves
	hand  context.Context // for what has begun: a while longer
	touch func()          // something moved
	emit  func(Event)

	known  map[Key]*Record
	items  []listed
	marked []*listed // told the server to delete
	more   bool      // there is more than one pass fetches

	troubles troubles
}

// maxDeferred is how many messages in a row may be deferred before a pass gives
// the target up for now.
const maxDeferred = 5

var errDeferring = errors.New("fetch: the target takes nothing for now")

// run makes the pass. What was marked is committed also where an error ends it,
// as long as the session lives.
func (p *pass) run() error {
	if err := p.list(); err != nil {
		return err
	}
	err := p.fetchAll()
	if errors.Is(err, errSession) {
		return err
	}
	if markErr := p.release(); markErr != nil {
		return errors.Join(err, markErr)
	}
	return errors.Join(err, p.commit())
}

// errSession wraps an error behind which the session is of no use.
var errSession = errors.New("fetch: session lost")

func lost(err error) error { return fmt.Errorf("%w: %w", errSession, err) }

// skip reports a message that is left: it is too large. That is told once.
func (p *pass) skip(l *listed) bool {
	limit := p.s.maxSize()
	if limit < 0 || l.Size <= limit {
		// One that was skipped for its true size has a record of that.
		return l.rec != nil && l.rec.Kind == KindSkipped && (limit > 0 && l.rec.Size > limit)
	}
	p.noteSkipped(l, l.Size)
	return true
}

func (p *pass) noteSkipped(l *listed, size int64) {
	if l.rec != nil && l.rec.Kind == KindSkipped {
		return
	}
	p.emit(Event{Kind: EventSkipped, Item: l.Item, Reason: "too large"})
	r := Record{Key: Key{KindSkipped, l.id}, Size: size}
	if err := p.put(r); err == nil { // else it is told once more
		l.rec = p.known[r.Key]
	}
}

// release marks what Keep lets go. A message that was fetched in an earlier
// session is compared first: nothing is deleted that was not fetched.
func (p *pass) release() error {
	for _, l := range p.s.Keep.choose(p.items, p.quota, p.c.now()) {
		if l.group != "" && !p.groupDone(l.group) {
			continue
		}
		same, err := p.same(l)
		if err != nil {
			return err
		}
		if !same {
			continue
		}
		if err := p.ses.Delete(p.hand, []Item{l.Item}); err != nil {
			return err
		}
		p.touch()
		p.marked = append(p.marked, l)
	}
	return nil
}

// groupDone reports that all messages of a group were fetched: which of them is
// which nobody knows.
func (p *pass) groupDone(group string) bool {
	for i := range p.items {
		if l := &p.items[i]; l.group == group && !l.done() {
			return false
		}
	}
	return true
}

// same reports that the message on the server is the one that was fetched. One
// that is not has a reused ID; it is new, and fetched by the next pass.
func (p *pass) same(l *listed) (bool, error) {
	if l.fresh || l.rec.Print == (Print{}) {
		return true, nil
	}
	head, err := p.ses.Head(p.hand, &l.Item)
	switch {
	case errors.Is(err, ErrGone):
		return false, nil
	case err != nil:
		return false, err
	}
	p.touch()
	if printOf(head) == l.rec.Print {
		l.fresh = true
		return true, nil
	}
	p.emit(Event{Kind: EventReused, Item: l.Item})
	p.more = true
	return false, p.remove(l.rec.Key)
}

// commit makes what was marked good. After an error it is in doubt: the records
// stay, and the next listing shows.
func (p *pass) commit() error {
	if err := p.ses.Commit(p.hand); err != nil {
		return lost(err)
	}
	var gone []Key
	for _, l := range p.marked {
		if l.group != "" {
			gone = append(gone, l.rec.Key) // the next one that is alike is another one
		}
		p.emit(Event{Kind: EventRemoved, Item: l.Item})
	}
	return p.remove(gone...)
}

// quota is how full the mailbox is, as far as the server says.
func (p *pass) quota() (used, limit int64) {
	q, ok := p.ses.(Quota)
	if !ok {
		return 0, 0
	}
	used, limit, err := q.Quota(p.hand)
	if err != nil {
		return 0, 0
	}
	return used, limit
}

func (s *Source) maxSize() int64 {
	if s.MaxSize == 0 {
		return 100 << 20
	}
	return s.MaxSize
}

func (c *Collector) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Collector) forget() time.Duration {
	if c.Forget > 0 {
		return c.Forget
	}
	return 30 * 24 * time.Hour
}
