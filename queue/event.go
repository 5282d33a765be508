package queue

import (
	"context"
	"iter"
	"sync"
	"time"
)

// EventKind says what happened.
type EventKind uint8

// The kinds of events. Accepted and Held are of a job, with no Recipient; the
// others are of a recipient.
const (
	EventAccepted  EventKind = iota // the job is durable
	EventDelivered                  // the next hop has it
	EventDeferred                   // it stays, and is attempted again
	EventFailed                     // refused for good
	EventUnknown                    // the connection was lost after the final dot (RFC 1047)
	EventExpired                    // given up because its time was over
	EventHeld                       // put on hold as it was accepted: Job.Hold says why
)

// String is the kind in lower case.
func (k EventKind) String() string {
	names := [...]string{"accepted", "delivered", "deferred", "failed", "unknown", "expired", "held"}
	return names[min(int(k), len(names)-1)]
}

// Event is one thing that happened to a job, or to one recipient of it.
type Event struct {
	Kind      EventKind
	Job       *Job       // not to be changed
	Recipient *Recipient // nil = all of the job's
	Result    Result     // of an attempt
	Final     bool       // the job has nothing more to do for this recipient
	Time      time.Time
}

// kindOf is that of the result of an attempt.
func kindOf(r Result) EventKind {
	switch {
	case r.Expired:
		return EventExpired
	case r.State == Delivered:
		return EventDelivered
	case r.State == Failed:
		return EventFailed
	case r.State == Unknown:
		return EventUnknown
	}
	return EventDeferred
}

// Stream hands events on to any number of subscribers. The zero value is ready
// for use, by any number of goroutines; its Emit is a value for Queue.Event and
// Runner.Event.
type Stream struct {
	mu   sync.Mutex
	subs map[*subscriber]bool
}

type subscriber struct {
	events chan Event
	missed uint64 // since the latest one that was taken; under Stream.mu
}

// Emit hands an event to all subscribers. It never blocks: who is too slow
// misses it, and is told how many.
func (s *Stream) Emit(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.subs {
		select {
		case sub.events <- e:
		default:
			sub.missed++
		}
	}
}

// Subscribe yields the events from now on until ctx ends or the loop does, each
// with the number that was missed since the one before because buffer events
// were waiting (zero or less = 1024). What must not be missed belongs into a
// commit of the queue, not here.
func (s *Stream) Subscribe(ctx context.Context, buffer int) iter.Seq2[Event, uint64] {
	if buffer <= 0 {
		buffer = 1024
	}
	sub := &subscriber{events: make(chan Event, buffer)}
	s.mu.Lock()
	if s.subs == nil {
		s.subs = make(map[*subscriber]bool)
	}
	s.subs[sub] = true
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { s.remove(sub) })
	return func(yield func(Event, uint64) bool) {
		defer stop()
		defer s.remove(sub)
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-sub.events:
				if !yield(e, s.takeMissed(sub)) {
					return
				}
			}
		}
	}
}

func (s *Stream) remove(sub *subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.subs, sub)
}

func (s *Stream) takeMissed(sub *subscriber) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := sub.missed
	sub.missed = 0
	return n
}
