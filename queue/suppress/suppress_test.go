package suppress_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/queue/suppress"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

func path(s string) smtp.Path {
	local, domain, _ := strings.Cut(s, "@")
	return smtp.Path{Local: local, Domain: domain}
}

// host is a queue with a list, in front of one that answers for each recipient.
type host struct {
	storage queue.Storage
	q       *queue.Queue
	list    *suppress.List
	answer  func(smtp.ForwardPath) error

	mu      sync.Mutex
	tried   []string
	reports []string
}

func (h *host) Key(p smtp.ForwardPath) string { return strings.ToLower(p.Domain) }

func (h *host) Route(_ context.Context, j *queue.Job) ([]queue.Hop, error) {
	take := smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
		io.Copy(io.Discard, b)
		h.mu.Lock()
		defer h.mu.Unlock()
		var out []smtp.RcptStatus
		for _, r := range env.Recipients {
			h.tried = append(h.tried, r.ForwardPath.Local)
			out = append(out, smtp.RcptStatus{Err: h.answer(r.ForwardPath)})
		}
		return out, nil
	})
	var all []int
	for i := range j.Recipients {
		all = append(all, i)
	}
	return []queue.Hop{{Recipients: all, Receiver: take, Name: "mx.test"}}, nil
}

func (h *host) Report(_ context.Context, j *queue.Job, results []queue.Result) ([]queue.Report, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, r := range results {
		if r.State == queue.Failed {
			h.reports = append(h.reports, j.Recipients[i].ForwardPath.Local+" "+r.Reply.String())
		}
	}
	return nil, nil
}

func (h *host) send(t *testing.T, domain string, rcpts ...string) {
	t.Helper()
	env := &smtp.Envelope{Mail: &smtp.Mail{ID: smtp.NewID(), ReversePath: smtp.ReversePath{Path: path("alice@example.org")}}}
	for _, r := range rcpts {
		env.Recipients = append(env.Recipients, &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: smtp.Path{Local: r, Domain: domain}}})
	}
	if err := h.q.Enqueue(t.Context(), env, strings.NewReader("hi\r\n")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	synctest.Wait()
}

// take is what was tried and reported since the last call.
func (h *host) take() (tried, reports []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	tried, reports = h.tried, h.reports
	h.tried, h.reports = nil, nil
	slices.Sort(tried)
	slices.Sort(reports)
	return tried, reports
}

func inHost(t *testing.T, o suppress.Options, f func(*testing.T, *host)) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{storage: &memqueue.Storage{}, answer: func(smtp.ForwardPath) error { return nil }}
		h.list = suppress.New(h.storage, o)
		h.q = &queue.Queue{Storage: h.storage, Blobs: memblob.New(), Router: h}
		r := &queue.Runner{
			Queue: h.q, Router: h.list.Router(h), Reporter: h, Record: h.list.Record,
			Logger: slog.New(slog.DiscardHandler),
		}
		h.q.Kick = r.Kick
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		f(t, h)
		cancel()
		<-done
	})
}

// TestSuppressed: a suppressed recipient fails without an attempt and is
// reported, the others of its job are delivered.
func TestSuppressed(t *testing.T) {
	inHost(t, suppress.Options{}, func(t *testing.T, h *host) {
		err := h.list.Add(t.Context(),
			suppress.Entry{Address: "Bob@Example.COM", Reason: "complained", Expires: time.Now().Add(time.Hour)},
			suppress.Entry{Address: "@gone.test"})
		if err != nil {
			t.Fatal(err)
		}
		h.send(t, "EXAMPLE.com", "anna", "BOB", "carl")
		tried, reports := h.take()
		if !slices.Equal(tried, []string{"anna", "carl"}) || len(reports) != 1 || !strings.Contains(reports[0], "BOB 550 5.7.1 Recipient is suppressed: complained") {
			t.Errorf("tried %q, reported %q", tried, reports)
		}
		h.send(t, "gone.test", "a", "b")
		if tried, reports := h.take(); len(tried) != 0 || len(reports) != 2 {
			t.Errorf("of a domain: tried %q, reported %q", tried, reports)
		}
		time.Sleep(time.Hour)
		if err := h.list.Remove(t.Context(), "@GONE.test"); err != nil {
			t.Fatal(err)
		}
		h.send(t, "example.com", "bob")
		h.send(t, "gone.test", "a")
		if tried, _ := h.take(); !slices.Equal(tried, []string{"a", "bob"}) {
			t.Errorf("after the end of both: tried %q", tried)
		}
	})
}

// TestRecord: what another host says does not exist is suppressed for a time;
// nothing else is.
func TestRecord(t *testing.T) {
	codes := map[string]error{
		"unknown": smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "no such user"),
		"null-mx": smtp.Errorf(556, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 10}, "null MX"),
		"refused": smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "spam"),
		"later":   smtp.Errorf(450, smtp.EnhancedCode{Class: 4, Subject: 1, Detail: 1}, "not yet"),
		"odd":     smtp.Errorf(450, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "which?"),
		"broken":  errors.New("connection lost"),
		"fine":    nil,
	}
	all := []string{"broken", "fine", "later", "null-mx", "odd", "refused", "unknown"}
	inHost(t, suppress.Options{}, func(t *testing.T, h *host) {
		h.answer = func(p smtp.ForwardPath) error { return codes[p.Local] }
		h.send(t, "a.test", all...)
		h.send(t, "local/1", all...)
		var listed []string
		for e, err := range h.list.All(t.Context(), suppress.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			listed = append(listed, e.Address)
			if e.Job == "" || !strings.HasPrefix(e.Reason, "mx.test: 55") || time.Until(e.Expires) > 14*24*time.Hour {
				t.Errorf("%+v", e)
			}
		}
		if !slices.Equal(listed, []string{"null-mx@a.test", "unknown@a.test"}) {
			t.Errorf("recorded %q", listed)
		}
		h.take()
		h.send(t, "a.test", "unknown", "fine")
		if tried, _ := h.take(); !slices.Equal(tried, []string{"fine"}) {
			t.Errorf("tried %q", tried)
		}
	})
	inHost(t, suppress.Options{Bounced: -1}, func(t *testing.T, h *host) {
		h.answer = func(p smtp.ForwardPath) error { return codes[p.Local] }
		h.send(t, "a.test", all...)
		for e := range h.list.All(t.Context(), suppress.Filter{}) {
			t.Errorf("recorded %+v", e)
		}
	})
}

// TestRecordOnlyOthers: what this host refuses, or gives up, is not recorded.
func TestRecordOnlyOthers(t *testing.T) {
	list := suppress.New(&memqueue.Storage{}, suppress.Options{})
	reply := smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "no such user")
	j := &queue.Job{Destination: "a.test", Recipients: make([]queue.Recipient, 2)}
	j.Recipients[0].ForwardPath.Path, j.Recipients[1].ForwardPath.Path = path("b@a.test"), path("c@a.test")
	es := list.Record(j, []queue.Result{{State: queue.Failed, Reply: reply}, {State: queue.Failed, Reply: reply, NextHop: "mx", Expired: true}}, time.Now())
	if len(es) != 0 {
		t.Errorf("recorded %v", es)
	}
}

// unreadable is a storage whose entries cannot be read.
type unreadable struct{ queue.Storage }

func (unreadable) Entries(context.Context, queue.EntryFilter) iter.Seq2[*queue.Entry, error] {
	return func(yield func(*queue.Entry, error) bool) { yield(nil, io.ErrUnexpectedEOF) }
}

// TestRouterInDoubt: where the list cannot be read, nothing is attempted.
func TestRouterInDoubt(t *testing.T) {
	list := suppress.New(unreadable{}, suppress.Options{})
	_, err := list.Router(&host{}).Route(t.Context(), &queue.Job{Recipients: make([]queue.Recipient, 1)})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

func TestAddress(t *testing.T) {
	list := suppress.New(&memqueue.Storage{}, suppress.Options{})
	for _, bad := range []string{"", "a", "a@", "@", strings.Repeat("a", 600) + "@b"} {
		if err := list.Add(t.Context(), suppress.Entry{Address: "ok@b"}, suppress.Entry{Address: bad}); !errors.Is(err, suppress.ErrAddress) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	for e := range list.All(t.Context(), suppress.Filter{}) {
		t.Error("added:", e.Address)
	}
}

// TestLong: a list that does not fit into memory works alike.
func TestLong(t *testing.T) {
	list := suppress.New(&memqueue.Storage{}, suppress.Options{})
	for page := range 6 {
		var es []suppress.Entry
		for i := range 999 {
			es = append(es, suppress.Entry{Address: fmt.Sprintf("u%d@d%d.test", i, page)})
		}
		if err := list.Add(t.Context(), es...); err != nil {
			t.Fatal(err)
		}
	}
	got, err := list.Lookup(t.Context(), path("U7@d3.TEST"), path("u7@d9.test"))
	if err != nil || got[0] == nil || got[1] != nil {
		t.Errorf("%v, %v", got, err)
	}
}
