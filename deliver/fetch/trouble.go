package fetch

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// troubles are the messages at which sessions were lost, by the IDs of records:
// a message that the server cannot give must not keep the others waiting. They
// are known as long as the Collector runs.
type troubles map[string]*trouble

type trouble struct {
	lost int       // sessions
	next time.Time // not before
}

// maxTroubles bounds them.
const maxTroubles = 1000

// The waits for a message at which a session was lost: the first time that is
// most likely not its fault, and a session lost ends a pass without deletions.
const (
	againWait  = firstWait / 2
	secondWait = 15 * time.Minute
	maxTrouble = 24 * time.Hour
)

// note remembers that a session was lost at a message.
func (t troubles) note(id string, now time.Time) {
	m := t[id]
	if m == nil {
		if len(t) >= maxTroubles {
			return
		}
		m = &trouble{}
		t[id] = m
	}
	wait := againWait
	if m.lost++; m.lost > 1 {
		wait = doubled(secondWait, maxTrouble, m.lost-1)
	}
	m.next = now.Add(wait)
}

// todo are the messages that this pass fetches: in the server's order, those with
// which there was trouble behind the others.
func (p *pass) todo() (list []*listed) {
	var late []*listed
	now := p.c.now()
	for i := range p.items {
		l := &p.items[i]
		if l.done() || p.skip(l) {
			continue
		}
		switch t := p.troubles[l.id]; {
		case t == nil:
			list = append(list, l)
		case !now.Before(t.next):
			late = append(late, l)
		}
	}
	return append(list, late...)
}

// expect tells the session what it will be asked for, up to what there was
// trouble with: a session that is lost over one of those must be lost while
// nothing but it is on its way, or it could take the blame from message to message
// and come first for ever.
func (p *pass) expect(todo []*listed, limit int) {
	e, ok := p.ses.(Expecter)
	if !ok {
		return
	}
	if limit > 0 {
		todo = todo[:min(len(todo), limit)]
	}
	next := make([]Item, 0, len(todo))
	for _, l := range todo {
		if p.troubles[l.id] != nil {
			break
		}
		next = append(next, l.Item)
	}
	e.Expect(next)
}

// fetchAll fetches what is new.
func (p *pass) fetchAll() error {
	limit := p.s.MaxMessages
	if limit == 0 {
		limit = 1000
	}
	fetched, deferred := 0, 0
	var last error
	todo := p.todo()
	p.expect(todo, limit)
	for _, l := range todo {
		if limit > 0 && fetched >= limit {
			p.more = true
			break
		}
		if p.ctx.Err() != nil {
			return context.Cause(p.ctx)
		}
		err := p.fetchOne(l)
		switch {
		case errors.Is(err, errSession):
			p.troubles.note(l.id, p.c.now())
			return fmt.Errorf("message %.80q: %w", l.ID, err)
		case err != nil:
			last = err
			if deferred++; deferred >= maxDeferred {
				return fmt.Errorf("%w: %w", errDeferring, err)
			}
		default:
			fetched, deferred = fetched+1, 0
			delete(p.troubles, l.id)
		}
	}
	return last
}
