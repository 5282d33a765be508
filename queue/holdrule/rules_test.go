package holdrule_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/holdrule"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
)

func path(s string) smtp.Path {
	local, domain, _ := strings.Cut(s, "@")
	return smtp.Path{Local: local, Domain: domain}
}

func job(sender, destination string, rcpts ...string) queue.Job {
	j := queue.Job{ID: smtp.NewID(), Destination: destination, Identity: "alice", Size: 900, Prefix: make([]byte, 100)}
	if sender != "" {
		j.ReversePath.Path = path(sender)
	}
	for _, r := range rcpts {
		j.Recipients = append(j.Recipients, queue.Recipient{Recipient: smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: path(r)}}})
	}
	return j
}

// TestMatch: which jobs of a message from Alice@a.test to b@b.test, c@b.test and
// d@d.test, and of one with the null sender, each rule holds.
func TestMatch(t *testing.T) {
	tests := []struct {
		rule holdrule.Rule
		want string // of the jobs to b.test, to d.test, and with the null sender
	}{
		{holdrule.Rule{Sender: "alice@A.test"}, "xx-"},
		{holdrule.Rule{Sender: "@a.TEST"}, "xx-"},
		{holdrule.Rule{Sender: "@test"}, "---"},
		{holdrule.Rule{Sender: "<>"}, "--x"},
		{holdrule.Rule{Recipient: "C@b.test"}, "x--"},
		{holdrule.Rule{Recipient: "@d.test"}, "-xx"},
		{holdrule.Rule{Destination: "b.test"}, "x--"},
		{holdrule.Rule{Identity: "alice"}, "xxx"},
		{holdrule.Rule{Identity: "Alice"}, "---"},
		{holdrule.Rule{MinOctets: 1000}, "xxx"},
		{holdrule.Rule{MinOctets: 1001}, "---"},
		{holdrule.Rule{MinRecipients: 3}, "xx-"},
		{holdrule.Rule{MinRecipients: 4}, "---"},
		{holdrule.Rule{Sender: "@a.test", Recipient: "@d.test"}, "-x-"},
		{holdrule.Rule{All: true}, "xxx"},
	}
	for _, tt := range tests {
		rs := holdrule.New(&memqueue.Storage{})
		tt.rule.Name = "r"
		if err := rs.Put(t.Context(), tt.rule); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, jobs := range [][]queue.Job{
			{job("Alice@a.test", "b.test", "b@b.test", "c@b.test"), job("Alice@a.test", "d.test", "d@d.test")},
			{job("", "x.test", "d@d.test")},
		} {
			if err := rs.Admit(t.Context(), jobs); err != nil {
				t.Fatal(err)
			}
			for i := range jobs {
				switch jobs[i].Hold {
				case "":
					got += "-"
				case "hold rule r":
					got += "x"
				default:
					got += "?"
				}
			}
		}
		if got != tt.want {
			t.Errorf("%+v holds %s, want %s", tt.rule, got, tt.want)
		}
	}
}

// TestRulesLive: rules survive, are the same for all nodes, and end.
func TestRulesLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memqueue.Storage{}
		here, there := holdrule.New(s), holdrule.New(s)
		hold := func() string {
			j := []queue.Job{job("a@a.test", "b.test", "b@b.test")}
			if err := here.Admit(t.Context(), j); err != nil {
				t.Fatal(err)
			}
			return j[0].Hold
		}
		if h := hold(); h != "" {
			t.Errorf("held without a rule: %q", h)
		}
		rules := []holdrule.Rule{
			{Name: "1", All: true, Reason: "freeze", Expires: time.Now().Add(time.Hour)},
			{Name: "2", Sender: "@a.test", Reason: "second"},
		}
		if err := there.Put(t.Context(), rules...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if h := hold(); h != "freeze" {
			t.Errorf("held %q", h)
		}
		time.Sleep(time.Hour)
		if h := hold(); h != "second" {
			t.Errorf("held %q after the first ended", h)
		}
		here = holdrule.New(s.Reopen())
		if got, err := here.List(t.Context()); err != nil || len(got) != 1 || got[0] != rules[1] {
			t.Errorf("after a restart: %+v, %v", got, err)
		}
		if err := here.Remove(t.Context(), "2"); err != nil {
			t.Fatal(err)
		}
		if h := hold(); h != "" {
			t.Errorf("held %q without a rule", h)
		}
	})
}

func TestBadRules(t *testing.T) {
	rs := holdrule.New(&memqueue.Storage{})
	for _, bad := range []holdrule.Rule{
		{All: true},
		{Name: "r"},
		{Name: "r", Reason: "x"},
		{Name: "r", All: true, Identity: "a"},
		{Name: "r", Sender: "a"},
		{Name: "r", Recipient: "<>"},
		{Name: "r", Recipient: "a@"},
		{Name: "r", MinOctets: -1},
	} {
		if err := rs.Put(t.Context(), holdrule.Rule{Name: "ok", All: true}, bad); !errors.Is(err, holdrule.ErrRule) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if got, err := rs.List(t.Context()); len(got) != 0 || err != nil {
		t.Errorf("written: %v, %v", got, err)
	}
	if err := rs.Put(t.Context(), make([]holdrule.Rule, holdrule.MaxRules+1)...); !errors.Is(err, holdrule.ErrMany) {
		t.Errorf("too many: %v", err)
	}
}

type unreadable struct{ queue.Storage }

func (unreadable) Entries(context.Context, queue.EntryFilter) iter.Seq2[*queue.Entry, error] {
	return func(yield func(*queue.Entry, error) bool) { yield(nil, io.ErrUnexpectedEOF) }
}

func TestInDoubt(t *testing.T) {
	err := holdrule.New(unreadable{}).Admit(t.Context(), []queue.Job{job("a@b", "c", "d@e")})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

// TestDamaged: a rule that cannot be read keeps neither mail nor other rules, and
// can be removed.
func TestDamaged(t *testing.T) {
	s := &memqueue.Storage{}
	rs := holdrule.New(s)
	rs.Logger = slog.New(slog.DiscardHandler)
	if err := rs.Put(t.Context(), holdrule.Rule{Name: "b", Sender: "@a.test", Reason: "good"}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutEntries(t.Context(), queue.Entry{Kind: holdrule.Kind, Key: "a", Value: []byte("{")}); err != nil {
		t.Fatal(err)
	}
	again := holdrule.New(s)
	again.Logger = rs.Logger
	j := []queue.Job{job("a@a.test", "b.test", "b@b.test"), job("c@c.test", "b.test", "b@b.test")}
	if err := again.Admit(t.Context(), j); err != nil || j[0].Hold != "good" || j[1].Hold != "" {
		t.Errorf("holds %q, %q, %v", j[0].Hold, j[1].Hold, err)
	}
	if got, err := again.List(t.Context()); !errors.Is(err, holdrule.ErrRule) || len(got) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := again.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got, err := again.List(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestExtras: copies and reports that an intake adds make no message to many
// recipients of it, and no rule holds them.
func TestExtras(t *testing.T) {
	rs := holdrule.New(&memqueue.Storage{})
	if err := rs.Put(t.Context(), holdrule.Rule{Name: "many", MinRecipients: 3}, holdrule.Rule{Name: "null", Sender: "<>"}); err != nil {
		t.Fatal(err)
	}
	jobs := []queue.Job{job("a@a.test", "b.test", "b@b.test", "c@b.test"), job("", "journal/x@x.test", "x@x.test")}
	jobs[1].Kind = "journal:x@x.test"
	if err := rs.Admit(t.Context(), jobs); err != nil || jobs[0].Hold != "" || jobs[1].Hold != "" {
		t.Errorf("held: %q, %q, %v", jobs[0].Hold, jobs[1].Hold, err)
	}
}

// TestFull: where there are as many rules as there may be, one can be changed.
func TestFull(t *testing.T) {
	rs := holdrule.New(&memqueue.Storage{})
	rules := make([]holdrule.Rule, holdrule.MaxRules)
	for i := range rules {
		rules[i] = holdrule.Rule{Name: fmt.Sprint(i), All: true}
	}
	for half := range slices.Chunk(rules, len(rules)/2) {
		if err := rs.Put(t.Context(), half...); err != nil {
			t.Fatal(err)
		}
	}
	if err := rs.Put(t.Context(), holdrule.Rule{Name: "7", Identity: "alice"}); err != nil {
		t.Errorf("changed: %v", err)
	}
	if err := rs.Put(t.Context(), holdrule.Rule{Name: "new", All: true}); !errors.Is(err, holdrule.ErrMany) {
		t.Errorf("one more: %v", err)
	}
}
