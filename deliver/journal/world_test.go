package journal_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/intake"
	"github.com/mailstead/mailstead/deliver/journal"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// path parses local@domain.
func path(s string) smtp.ForwardPath {
	p, err := smtp.ParseForwardPath("<"+s+">", true)
	if err != nil {
		panic(err)
	}
	return p
}

// directory has alice, bob and journal at example.org, and aliases.
func directory() *deliver.Accounts {
	known := map[store.AccountID]bool{"alice@example.org": true, "bob@example.org": true, "journal@example.org": true}
	return &deliver.Accounts{
		Domains: []string{"example.org"},
		Exists:  func(_ context.Context, id store.AccountID) (bool, error) { return known[id], nil },
		Aliases: func(_ context.Context, a string) ([]smtp.ForwardPath, error) {
			switch a {
			case "sales@example.org":
				return []smtp.ForwardPath{path("bob@example.org"), path("team@example.org"), path("x@partner.example")}, nil
			case "team@example.org":
				return []smtp.ForwardPath{path("alice@example.org"), path("sales@example.org")}, nil
			case "records@example.org":
				return []smtp.ForwardPath{path("journal@example.org")}, nil
			case "broken@example.org":
				return nil, errors.New("no database")
			}
			return nil, nil
		},
	}
}

// taken is a message that a next hop took.
type taken struct {
	to   string
	mail smtp.Mail
	text string
}

// world is an intake with a journal, and next hops that take everything or
// refuse it as refuse says.
type world struct {
	t       *testing.T
	storage queue.Storage
	blobs   *memblob.Blobs
	j       *journal.Journal
	in      *intake.Intake
	runner  *queue.Runner

	mu     sync.Mutex
	refuse map[string]error // by recipient, at the end of the data
	taken  []taken
}

func newWorld(t *testing.T, rules ...journal.Rule) *world {
	dir := directory()
	w := &world{t: t, storage: &memqueue.Storage{}, blobs: memblob.New(), refuse: map[string]error{}}
	w.j = &journal.Journal{Hostname: "mail.example.org", Rules: rules, IsLocal: dir.IsLocal, Directory: dir, Secret: []byte("secret")}
	next := &deliver.Router{Directory: dir, IsLocal: dir.IsLocal, Local: w, Remote: w}
	q := &queue.Queue{Storage: w.storage, Blobs: w.blobs, Router: next}
	w.in = &intake.Intake{Queue: q, Steps: []intake.Step{w.j}}
	log := slog.New(slog.DiscardHandler)
	w.runner = &queue.Runner{Queue: q, Schedule: queue.Schedule{Max: 30 * time.Minute, Expire: time.Hour}, Router: &journal.Router{Next: next, Journal: w.j, Queue: q, Logger: log}, Reporter: noReports{}, Logger: log}
	q.Kick = w.runner.Kick
	return w
}

type noReports struct{}

func (noReports) Report(context.Context, *queue.Job, []queue.Result) ([]queue.Report, error) {
	return nil, nil
}

// Key and Receiver make it the way out of the host.
func (w *world) Key(p smtp.ForwardPath) string               { return p.Domain }
func (w *world) Receiver(key string) (smtp.Receiver, string) { return w, key }
func (w *world) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return smtp.EachRcpt(w.take).Begin(ctx, m)
}

func (w *world) take(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
	var text bytes.Buffer
	if _, err := io.Copy(&text, b); err != nil {
		return nil, err
	}
	if n := b.Size(); n >= 0 && n != int64(text.Len()) {
		w.t.Errorf("body of %d octets said %d", text.Len(), n)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	st := smtp.Accepted(len(env.Recipients))
	for i, r := range env.Recipients {
		to := r.ForwardPath.String()
		if st[i].Err = w.refuse[to]; st[i].Err == nil {
			w.taken = append(w.taken, taken{to, *env.Mail, string(b.Trace()) + text.String()})
		}
	}
	return st, nil
}

func (w *world) to(address string) (all []taken) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.taken {
		if m.to == address {
			all = append(all, m)
		}
	}
	return all
}

func (w *world) refuses(address string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse[address] = err
}

// submit sends a message as a user (identity) or as a stranger ("").
func (w *world) submit(identity, from, text string, to ...string) error {
	m := &smtp.Mail{ID: smtp.NewID(), Peer: &smtp.Peer{Identity: identity, Protocol: "ESMTP", Hello: "client.example"}}
	if from != "" {
		m.ReversePath = smtp.ReversePath(path(from))
	}
	return w.hand(m, text, to...)
}

func (w *world) hand(m *smtp.Mail, text string, to ...string) error {
	var rs []*smtp.Recipient
	for _, a := range to {
		rs = append(rs, &smtp.Recipient{ForwardPath: path(a)})
	}
	b := smtp.NewBody(strings.NewReader(text), int64(len(text)))
	b.Prepend([]byte("Received: by mail.example.org\r\n"))
	return smtp.Hand(w.t.Context(), w.in, m, rs, b)
}

func (w *world) mustSubmit(identity, from, text string, to ...string) {
	w.t.Helper()
	if err := w.submit(identity, from, text, to...); err != nil {
		w.t.Fatal(err)
	}
}

// jobs are those in the queue.
func (w *world) jobs() (all []*queue.Job) {
	for j, err := range w.storage.List(w.t.Context(), queue.Filter{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, j)
	}
	return all
}

// inWorld runs f in a bubble with a runner.
func inWorld(t *testing.T, rules []journal.Rule, f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, rules...)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.runner.Run(ctx) }()
		f(w)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// settle lets the runner do what is due; the time is that of the bubble.
func settle() { time.Sleep(time.Second) }
