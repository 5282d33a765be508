package submission_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store"
)

// faults let the process "die" at a write: before it, or behind it but before
// anybody hears of it. From then on nothing works until the restart.
type faults struct {
	mu     sync.Mutex
	at     int  // the write at which it dies; 0 = never
	behind bool // the write still happens
	writes int
	dead   bool
}

var errDead = errors.New("the process is dead")

func (f *faults) write(do func() error) error {
	f.mu.Lock()
	f.writes++
	dies := f.writes == f.at
	was := f.dead
	f.dead = f.dead || dies
	f.mu.Unlock()
	if was || dies && !f.behind {
		return errDead
	}
	if err := do(); err != nil || !dies {
		return err
	}
	return errDead
}

func (f *faults) isDead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

type faultyQueue struct {
	queue.Storage
	f *faults
}

func (q faultyQueue) Put(ctx context.Context, jobs ...queue.Job) error {
	return q.f.write(func() error { return q.Storage.Put(ctx, jobs...) })
}

func (q faultyQueue) Settle(ctx context.Context, outs []queue.Outcome) error {
	return q.f.write(func() error { return q.Storage.Settle(ctx, outs) })
}

func (q faultyQueue) LeaseJobs(ctx context.Context, d string, now time.Time, max int, ttl time.Duration) ([]queue.Lease, error) {
	if q.f.isDead() {
		return nil, errDead
	}
	return q.Storage.LeaseJobs(ctx, d, now, max, ttl)
}

type faultyStore struct {
	store.Store
	f *faults
}

func (s faultyStore) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return faultyAccount{a, s.f}, err
}

type faultyAccount struct {
	store.Account
	f *faults
}

func (a faultyAccount) Apply(ctx context.Context, c store.Change) (res store.Result, err error) {
	err = a.f.write(func() error {
		var err error
		res, err = a.Account.Apply(ctx, c)
		return err
	})
	return res, err
}

// The process dies at each of its writes, before it and behind it, and starts
// again. A 250 means one sent copy, one report and the message; no 250, and the
// client sends again. Never is there a copy or a report of what was not accepted.
func TestCrash(t *testing.T) {
	const text = from + "Message-ID: <1@example.org>\r\nBcc: x@example.net\r\n\r\nhello\r\n"
	for at := 1; ; at++ {
		reached := false
		for _, behind := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, behind %v", at, behind), func(t *testing.T) {
				inWorld(t, func(t *testing.T, w *world) {
					w.journal = true
					w.faults = &faults{at: at, behind: behind}
					r, runner := w.parts()
					accepted := submit(t, r, text) == nil
					queued := len(w.jobs())
					if accepted && queued != 3 || !accepted && queued != 0 && queued != 3 {
						t.Errorf("accepted %v, %d jobs", accepted, queued)
					}
					run(t, runner, time.Minute)
					reached = w.faults.isDead()
					copies := 0
					if queued == 3 {
						copies = 1
					}
					w.faults = nil
					_, runner = w.parts()
					run(t, runner, time.Hour)
					sent, _ := w.box("alice@example.org", "Sent")
					reports, _ := w.box("journal@example.org", "INBOX")
					if len(sent) != copies || len(reports) != copies || len(w.left()) < copies || len(w.jobs()) != 0 {
						t.Errorf("accepted %v: %d copies, %d reports, %d messages, %d jobs left", accepted, len(sent), len(reports), len(w.left()), len(w.jobs()))
					}
				})
			})
		}
		if !reached {
			if at < 7 { // Put; two Apply; three Settle
				t.Errorf("only %d writes", at-1)
			}
			return
		}
	}
}
