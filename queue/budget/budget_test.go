package budget_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/budget"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
)

// sender puts messages of an identity through a budget.
type sender struct {
	*testing.T
	s *memqueue.Storage
	b *budget.Budget
}

// send puts a message to n recipients in jobs of up to 100, and returns why it
// is held.
func (s *sender) send(identity string, n int) string {
	s.Helper()
	var jobs []queue.Job
	for ; n > 0; n -= 100 {
		jobs = append(jobs, queue.Job{ID: smtp.NewID(), Identity: identity, Recipients: make([]queue.Recipient, min(n, 100))})
	}
	q := &queue.Queue{Storage: s.s, Admit: s.b.Admit}
	if err := q.Put(s.Context(), jobs...); err != nil {
		s.Fatal(err)
	}
	for i := range jobs {
		if jobs[i].Hold != jobs[0].Hold {
			s.Errorf("a message is held in part: %q, %q", jobs[0].Hold, jobs[i].Hold)
		}
	}
	return jobs[0].Hold
}

// pass sends messages that must not be held.
func (s *sender) pass(what, identity string, messages, recipients int) {
	s.Helper()
	for i := range messages {
		if hold := s.send(identity, recipients); hold != "" {
			s.Fatalf("%s: message %d is held: %s", what, i+1, hold)
		}
	}
}

// held sends one that must be.
func (s *sender) held(what, identity string, recipients int, reason string) {
	s.Helper()
	if hold := s.send(identity, recipients); hold != "budget: more than "+reason+" of "+identity {
		s.Errorf("%s: hold %q, want more than %s", what, hold, reason)
	}
}

func inBudget(t *testing.T, limits func(string) budget.Limits, f func(*sender)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(30 * time.Minute) // into an hour
		s := &memqueue.Storage{}
		f(&sender{t, s, &budget.Budget{Storage: s, Limits: limits}})
	})
}

func TestBudgetDefaults(t *testing.T) {
	inBudget(t, nil, func(s *sender) {
		s.pass("the default", "alice", 300, 1)
		s.held("beyond", "alice", 1, "300 messages an hour")
		s.pass("another one", "bob", 2, 500)
		s.held("beyond", "bob", 1, "1000 recipients an hour")
		s.pass("nobody", "", 301, 1)
		s.held("too many at once", "carol", 1001, "1000 recipients an hour")
		s.pass("what is held does not count", "carol", 1, 1000)
	})
}

func TestBudgetLimits(t *testing.T) {
	limits := func(id string) budget.Limits {
		if id == "news" {
			return budget.Limits{MessagesPerHour: -1, RecipientsPerHour: -1, MessagesPerDay: -1, RecipientsPerDay: -1}
		}
		return budget.Limits{MessagesPerHour: 4, RecipientsPerHour: -1, MessagesPerDay: 10, RecipientsPerDay: 100}
	}
	inBudget(t, limits, func(s *sender) {
		s.pass("no limits", "news", 350, 20)
		s.pass("an hour", "alice", 4, 1)
		s.held("the same hour", "alice", 1, "4 messages an hour")
		time.Sleep(time.Hour) // of which half is still counted
		s.pass("the share of the hour before", "alice", 2, 1)
		s.held("the share of the hour before", "alice", 1, "4 messages an hour")
		time.Sleep(2 * time.Hour)
		s.pass("an hour later", "alice", 4, 1)
		time.Sleep(2 * time.Hour)
		s.held("the same day", "alice", 1, "10 messages a day")
		time.Sleep(19 * time.Hour) // half of the first hour leaves the day
		s.pass("the next day", "alice", 2, 1)
		s.held("the next day", "alice", 1, "10 messages a day")
		time.Sleep(48 * time.Hour)
		s.pass("recipients", "alice", 1, 100)
		s.held("recipients", "alice", 1, "100 recipients a day")
	})
}

// TestBudgetRestart: a restart resets nothing, nor does forgetting.
func TestBudgetRestart(t *testing.T) {
	inBudget(t, nil, func(s *sender) {
		s.pass("before", "alice", 200, 1)
		s.s = s.s.Reopen()
		s.b = &budget.Budget{Storage: s.s, MaxKnown: 2}
		s.pass("after", "alice", 60, 1)
		for i := range 50 {
			s.pass("others", fmt.Sprint("user", i), 1, 1)
		}
		s.pass("forgotten", "alice", 40, 1)
		s.held("of all", "alice", 1, "300 messages an hour")
		used, err := s.b.Used(s.Context(), "alice")
		if err != nil || used != (budget.Used{MessagesHour: 300, RecipientsHour: 300, MessagesDay: 300, RecipientsDay: 300}) {
			t.Errorf("used %+v, %v", used, err)
		}
	})
}

// TestBudgetNodes: two nodes count together, after some seconds.
func TestBudgetNodes(t *testing.T) {
	inBudget(t, nil, func(s *sender) {
		other := &sender{s.T, s.s, &budget.Budget{Storage: s.s}}
		s.pass("one", "alice", 1, 1)
		other.pass("two", "alice", 1, 1)
		s.pass("one", "alice", 149, 1)
		other.pass("two", "alice", 149, 1)
		time.Sleep(10 * time.Second)
		s.held("both", "alice", 1, "300 messages an hour")
		other.held("both", "alice", 1, "300 messages an hour")
	})
}

// TestBudgetAtOnce: many sessions of one user do not pass together.
func TestBudgetAtOnce(t *testing.T) {
	inBudget(t, nil, func(s *sender) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		passed := 0
		for range 16 {
			wg.Go(func() {
				for range 25 {
					if s.send("alice", 1) == "" {
						mu.Lock()
						passed++
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		if passed != 300 {
			t.Errorf("%d messages passed, want 300", passed)
		}
	})
}

// TestBudgetClock: a clock that jumps back or forth a day neither holds for ever
// nor fails.
func TestBudgetClock(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	s := &sender{t, &memqueue.Storage{}, nil}
	s.b = &budget.Budget{Storage: s.s, Now: func() time.Time { return at }}
	s.pass("now", "alice", 300, 1)
	s.held("now", "alice", 1, "300 messages an hour")
	at = at.Add(-24 * time.Hour)
	s.pass("a day back", "alice", 300, 1)
	s.held("a day back", "alice", 1, "300 messages an hour")
	at = at.Add(72 * time.Hour)
	s.pass("forth", "alice", 300, 1)
}

type unreadable struct{ queue.Storage }

func (unreadable) Entries(context.Context, queue.EntryFilter) iter.Seq2[*queue.Entry, error] {
	return func(yield func(*queue.Entry, error) bool) { yield(nil, io.ErrUnexpectedEOF) }
}

func TestBudgetInDoubt(t *testing.T) {
	b := &budget.Budget{Storage: unreadable{}}
	jobs := []queue.Job{{Identity: strings.Repeat("a", 1000), Recipients: make([]queue.Recipient, 1)}}
	if err := b.Admit(t.Context(), jobs); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	b = &budget.Budget{Storage: &memqueue.Storage{}}
	if err := b.Admit(t.Context(), jobs); err != nil || queue.CheckJobs(jobs) != nil || len(jobs[0].Entries) != 1 {
		t.Errorf("a long identity: %v, %v", err, jobs[0].Entries)
	}
}

// TestExtras: copies and reports that an intake adds are no recipients of the
// message.
func TestExtras(t *testing.T) {
	limits := func(string) budget.Limits { return budget.Limits{RecipientsPerHour: 2} }
	b := &budget.Budget{Storage: &memqueue.Storage{}, Limits: limits}
	jobs := make([]queue.Job, 3)
	for i := range jobs {
		jobs[i].Recipients = make([]queue.Recipient, 1)
	}
	jobs[0].Identity, jobs[0].ReversePath.Local, jobs[0].ReversePath.Domain = "alice", "alice", "example.org"
	jobs[1].Identity, jobs[1].Kind = "alice", "sent:alice" // her own copy
	jobs[2].Kind = "journal:x@x.test"
	if err := b.Admit(t.Context(), jobs); err != nil || jobs[0].Hold != "" {
		t.Errorf("held: %q, %v", jobs[0].Hold, err)
	}
	if used, err := b.Used(t.Context(), "alice"); err != nil || used.RecipientsHour != 1 || used.MessagesHour != 1 {
		t.Errorf("%+v, %v", used, err)
	}
}
