package metrics

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/queue"
)

// Metrics counts the events of a queue. The zero value counts events and knows
// nothing else.
type Metrics struct {
	// Runner says what is under way, and its Queue's Storage what waits; nil =
	// Snapshot.Load and Snapshot.Queue stay zero.
	Runner *queue.Runner

	// Ignore leaves out the events of a job, as of webhooks; nil = none. It must not block.
	Ignore func(*queue.Job) bool

	MaxAge time.Duration    // of Snapshot.Queue; zero or less = 10 s
	Now    func() time.Time // of MaxAge; nil = time.Now

	events   [queue.EventHeld + 1]atomic.Uint64
	expanded atomic.Uint64
	deferred [Subjects]atomic.Uint64
	latency  [Buckets]atomic.Uint64
	waited   atomic.Int64 // of all delivered, in ns

	mu     sync.Mutex
	asking bool        // for stats; under mu
	stats  queue.Stats // under mu
	asked  time.Time   // when that answered; under mu
}

// Events counts by kind. Accepted and Held count jobs, the others recipients.
type Events struct {
	Accepted  uint64 `json:"accepted"`
	Delivered uint64 `json:"delivered"`
	Expanded  uint64 `json:"expanded"` // aliases and lists in whose place others are delivered to
	Deferred  uint64 `json:"deferred"`
	Failed    uint64 `json:"failed"`
	Unknown   uint64 `json:"unknown"`
	Expired   uint64 `json:"expired"`
	Held      uint64 `json:"held"`
}

// Subjects is the number of Snapshot.Deferred: the subjects 0 to 7 of an
// enhanced status code (RFC 3463 §3), and one for all else.
const Subjects = 9

// SubjectName is what a place of Snapshot.Deferred means, in a word for labels.
func SubjectName(i int) string {
	names := [Subjects]string{"undefined", "address", "mailbox", "system", "network", "protocol", "content", "policy", "none"}
	return names[min(uint(i), Subjects-1)]
}

// Buckets is the number of Latency.Counts.
const Buckets = 13

// Bounds are the upper ends of the buckets; a last one is for what took longer.
func Bounds() [Buckets - 1]time.Duration {
	return [...]time.Duration{
		10 * time.Millisecond, 100 * time.Millisecond, time.Second, 5 * time.Second, 30 * time.Second, time.Minute,
		5 * time.Minute, 15 * time.Minute, time.Hour, 4 * time.Hour, 24 * time.Hour, 5 * 24 * time.Hour,
	}
}

// Latency says how long recipients waited from Job.Created to their delivery,
// the time of FUTURERELEASE and of holds included.
type Latency struct {
	Counts [Buckets]uint64 `json:"counts"` // each of its own bucket, not of those below
	Sum    time.Duration   `json:"sum"`    // in ns
}

// Snapshot is what was counted so far, and how things are.
type Snapshot struct {
	Events   Events
	Deferred [Subjects]uint64 // by subject of the enhanced status code
	Latency  Latency
	Load     queue.Load
	Queue    queue.Stats
	QueueAt  time.Time // when Queue was so; zero = not known
}

// Event counts one; it is for queue.Queue.Event and queue.Runner.Event.
func (m *Metrics) Event(e queue.Event) {
	if int(e.Kind) >= len(m.events) || m.Ignore != nil && e.Job != nil && m.Ignore(e.Job) {
		return
	}
	if e.Kind == queue.EventDelivered && e.Result.Expanded > 0 {
		m.expanded.Add(1)
		return
	}
	m.events[e.Kind].Add(1)
	switch {
	case e.Kind == queue.EventDeferred:
		m.deferred[subject(e.Result)].Add(1)
	case e.Kind == queue.EventDelivered && e.Job != nil:
		m.delivered(e.Time.Sub(e.Job.Created))
	}
}

// delivered counts a recipient that waited so long; a clock that was set back
// makes no negative times.
func (m *Metrics) delivered(waited time.Duration) {
	waited = max(waited, 0)
	bounds, i := Bounds(), 0
	for i < len(bounds) && waited > bounds[i] {
		i++
	}
	m.latency[i].Add(1)
	m.waited.Add(int64(waited))
}

// subject is the place in Snapshot.Deferred.
func subject(r queue.Result) int {
	code := r.Reply.Enhanced
	if code.IsZero() {
		return Subjects - 1
	}
	return min(int(code.Subject), Subjects-1)
}

// Snapshot returns the counters, and the state of the queue not older than
// MaxAge. Where that cannot be had, it is the latest one that is known, with
// the error; the counters are right then too. Only one call at a time asks the
// storage, the others get the latest one.
func (m *Metrics) Snapshot(ctx context.Context) (Snapshot, error) {
	s := Snapshot{Events: Events{
		Accepted: m.events[queue.EventAccepted].Load(), Delivered: m.events[queue.EventDelivered].Load(),
		Expanded: m.expanded.Load(), Deferred: m.events[queue.EventDeferred].Load(), Failed: m.events[queue.EventFailed].Load(),
		Unknown: m.events[queue.EventUnknown].Load(), Expired: m.events[queue.EventExpired].Load(), Held: m.events[queue.EventHeld].Load(),
	}}
	for i := range s.Deferred {
		s.Deferred[i] = m.deferred[i].Load()
	}
	for i := range s.Latency.Counts {
		s.Latency.Counts[i] = m.latency[i].Load()
	}
	s.Latency.Sum = time.Duration(m.waited.Load())
	if m.Runner == nil {
		return s, nil
	}
	s.Load = m.Runner.Load()
	err := m.refresh(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Queue, s.QueueAt = m.stats, m.asked
	return s, err
}

// refresh asks the storage where what is known is too old and nobody asks yet.
func (m *Metrics) refresh(ctx context.Context) error {
	if !m.turn() {
		return nil
	}
	stats, err := m.Runner.Queue.Storage.Stats(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asking = false
	if err == nil {
		m.stats, m.asked = stats, m.now()
	}
	return err
}

// turn reports that the caller is to ask the storage.
func (m *Metrics) turn() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	age := m.MaxAge
	if age <= 0 {
		age = 10 * time.Second
	}
	since := m.now().Sub(m.asked)
	if m.asking || !m.asked.IsZero() && since >= 0 && since < age {
		return false
	}
	m.asking = true
	return true
}

func (m *Metrics) now() time.Time {
	if m.Now != nil {
		return m.Now()
	}
	return time.Now()
}
