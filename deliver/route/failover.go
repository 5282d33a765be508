package route

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/internal/rebody"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// Failover is a smtp.Receiver over several: the first takes the message, and
// the next one those recipients for whom it was not reached. What is an answer
// for a recipient is final: a 5xx always, a 4xx unless OnDeferral is set, and a
// reply that was lost, for the message may have arrived (RFC 1047).
//
// Not reached is: nobody took the message and no 5xx was said, a status without
// a reply, 421, or an enhanced status code 4.4.x. The fields are set before the
// first use; Receivers is required.
type Failover struct {
	Receivers []smtp.Receiver

	// OnDeferral goes on behind a 4xx for a recipient too.
	OnDeferral bool

	// Pause is for how long a receiver that was not reached is tried behind the
	// others; zero = 1 min, negative = it keeps its place.
	Pause time.Duration

	// Now is the clock; nil = time.Now.
	Now func() time.Time

	own    reach
	shared *reach // of a Fallback, for all messages of a key; nil = own
}

// reach is which receivers were not reached.
type reach struct {
	mu   sync.Mutex
	away []time.Time // until when, by place in Receivers; guarded by mu
}

func (f *Failover) reach() *reach {
	if f.shared != nil {
		return f.shared
	}
	return &f.own
}

// Begin implements smtp.Receiver.
func (f *Failover) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return &failoverTransaction{f: f, mail: m}, nil
}

type failoverTransaction struct {
	f     *Failover
	mail  *smtp.Mail
	rcpts []*smtp.Recipient
}

// Rcpt accepts all: the receivers are asked in Data.
func (t *failoverTransaction) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	t.rcpts = append(t.rcpts, rs...)
	return make([]error, len(rs))
}

func (t *failoverTransaction) Abort() {}

var errNobody = errors.New("route: a Failover without receivers")

// Data implements smtp.Transaction.
func (t *failoverTransaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	src, err := rebody.New(ctx, b)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	statuses := smtp.Refused(len(t.rcpts), errNobody)
	left := make([]int, len(t.rcpts))
	for i := range left {
		left[i] = i
	}
	for _, n := range t.f.order() {
		got := src.Send(ctx, t.f.Receivers[n], &smtp.Envelope{Mail: t.mail, Recipients: pick(t.rcpts, left)})
		next := left[:0:0]
		for i, place := range left {
			statuses[place] = got[i].RcptStatus
			if got[i].Err != nil && t.f.goesOn(got[i]) {
				next = append(next, place)
			}
		}
		t.f.note(n, len(next) == len(left) && unreached(got[0]))
		if left = next; len(left) == 0 || ctx.Err() != nil {
			break
		}
	}
	return statuses, nil
}

func pick(rs []*smtp.Recipient, places []int) []*smtp.Recipient {
	out := make([]*smtp.Recipient, len(places))
	for i, p := range places {
		out[i] = rs[p]
	}
	return out
}

// order is the places of the receivers, those that are away at the end.
func (f *Failover) order() []int {
	r := f.reach()
	r.mu.Lock()
	defer r.mu.Unlock()
	var order, away []int
	for i := range f.Receivers {
		if i < len(r.away) && f.now().Before(r.away[i]) {
			away = append(away, i)
		} else {
			order = append(order, i)
		}
	}
	return append(order, away...)
}

// note keeps in mind whether a receiver was reached.
func (f *Failover) note(n int, away bool) {
	pause := f.Pause
	if pause == 0 {
		pause = time.Minute
	}
	r := f.reach()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.away) < len(f.Receivers) {
		r.away = append(r.away, make([]time.Time, len(f.Receivers)-len(r.away))...)
	}
	r.away[n] = time.Time{}
	if away && pause > 0 {
		r.away[n] = f.now().Add(pause)
	}
}

func (f *Failover) now() time.Time {
	if f.Now != nil {
		return f.Now()
	}
	return time.Now()
}

func (f *Failover) goesOn(o rebody.Outcome) bool {
	if smtp.IsPermanent(o.Err) || errors.Is(o.Err, queue.ErrOutcomeUnknown) {
		return false
	}
	return f.OnDeferral || unreached(o)
}

// unreached reports a failure that is no answer for the recipient.
func unreached(o rebody.Outcome) bool {
	e, ok := errors.AsType[*smtp.Error](o.Err)
	switch {
	case o.Err == nil, smtp.IsPermanent(o.Err), errors.Is(o.Err, queue.ErrOutcomeUnknown):
		return false
	case o.Whole, !ok, e.Reply.Code == 421:
		return true
	}
	return e.Reply.Enhanced.Class == 4 && e.Reply.Enhanced.Subject == 4
}

// Fallback is a deliver.NextHops that has others behind it, such as a smart host
// for domains whose mail hosts cannot be reached. It remembers by key who was
// not reached, as a Failover does. First is required.
type Fallback struct {
	First deliver.NextHops
	Rest  []smtp.Receiver

	// OnDeferral, Pause and Now are those of Failover.
	OnDeferral bool
	Pause      time.Duration
	Now        func() time.Time

	mu   sync.Mutex
	keys map[string]*reach // guarded by mu
}

// maxKeys bounds the keys that a Fallback remembers.
const maxKeys = 10_000

// Key implements deliver.NextHops.
func (f *Fallback) Key(p smtp.ForwardPath) string { return f.First.Key(p) }

// Receiver implements deliver.NextHops.
func (f *Fallback) Receiver(key string) (smtp.Receiver, string) {
	first, name := f.First.Receiver(key)
	return &Failover{
		Receivers: append([]smtp.Receiver{first}, f.Rest...), OnDeferral: f.OnDeferral, Pause: f.Pause, Now: f.Now, shared: f.reach(key),
	}, name
}

// reach is what is known of a key. Where there are too many all is forgotten:
// that costs one attempt each.
func (f *Fallback) reach(key string) *reach {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.keys[key]
	if r == nil {
		if f.keys == nil || len(f.keys) >= maxKeys {
			f.keys = map[string]*reach{}
		}
		r = &reach{}
		f.keys[key] = r
	}
	return r
}
