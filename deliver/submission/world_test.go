package submission_test

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
	"github.com/mailstead/mailstead/deliver/submission"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/memstore"
)

// world is a submission server without its listener: alice's mailboxes, a queue,
// a way out that takes everything, and what lies between.
type world struct {
	t       *testing.T
	stored  store.Store // as it is, for the test to look at
	storage queue.Storage
	blobs   *memblob.Blobs
	sent    *submission.Sent
	fixes   *submission.Fixes
	steps   []intake.Step   // in front of the journal and the copy
	journal bool            // each message is reported to journal@example.org
	sign    smtp.Middleware // nil = not signed
	faults  *faults         // nil = none
	mu      sync.Mutex
	remote  []string // messages that left
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, storage: &memqueue.Storage{}, blobs: memblob.New()}
	s := memstore.New(w.blobs)
	for _, id := range []store.AccountID{"alice@example.org", "journal@example.org"} {
		if err := s.Create(t.Context(), id, store.AccountInfo{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	w.stored = s
	w.sent = &submission.Sent{Store: s}
	w.fixes = &submission.Fixes{Hostname: "mail.example.org", Owns: owns}
	return w
}

// parts makes the program over what the world keeps: once, or again after a
// crash.
func (w *world) parts() (smtp.Receiver, *queue.Runner) {
	dir := &deliver.Accounts{Domains: []string{"example.org"}, Exists: func(_ context.Context, id store.AccountID) (bool, error) {
		return id == "alice@example.org" || id == "journal@example.org", nil
	}}
	st, storage := w.stored, w.storage
	if w.faults != nil {
		st, storage = faultyStore{st, w.faults}, faultyQueue{storage, w.faults}
	}
	sent := *w.sent
	sent.Store = st
	next := &deliver.Router{Directory: dir, IsLocal: dir.IsLocal, Local: &deliver.LocalDelivery{Store: st, Directory: dir}, Remote: w}
	q := &queue.Queue{Storage: storage, Blobs: w.blobs, Router: next}
	steps := append([]intake.Step{submission.Declare()}, w.steps...)
	routes := sent.Router(next)
	if w.journal {
		to := smtp.ForwardPath{Path: rpath("journal@example.org").Path}
		j := &journal.Journal{Hostname: "mail.example.org", IsLocal: dir.IsLocal, Rules: []journal.Rule{{To: to}}}
		steps = append(steps, j)
		routes = &journal.Router{Next: routes, Journal: j, Queue: q, Logger: quiet()}
	}
	mw := []smtp.Middleware{w.fixes.Middleware()}
	if w.sign != nil {
		mw = append(mw, w.sign)
	}
	r := smtp.Chain(&intake.Intake{Queue: q, Steps: append(steps, &sent)}, mw...)
	runner := &queue.Runner{Queue: q, Router: routes, Reporter: noReports{}, Logger: quiet(), Schedule: queue.Schedule{First: time.Minute, Max: time.Minute}}
	q.Kick = runner.Kick
	return r, runner
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

type noReports struct{}

func (noReports) Report(context.Context, *queue.Job, []queue.Result) ([]queue.Report, error) {
	return nil, nil
}

// Key and Receiver make it the way out.
func (w *world) Key(p smtp.ForwardPath) string { return p.Domain }

func (w *world) Receiver(key string) (smtp.Receiver, string) {
	return smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
		var text bytes.Buffer
		if _, err := io.Copy(&text, b); err != nil {
			return nil, err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.remote = append(w.remote, string(b.Trace())+text.String())
		return smtp.Accepted(len(env.Recipients)), nil
	}), key
}

func (w *world) left() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.remote
}

// submit sends a message as alice to bob@example.net.
func submit(t *testing.T, r smtp.Receiver, text string, change ...func(*smtp.Mail)) error {
	m := mailOf("alice@example.org")
	m.ID, m.Received = smtp.NewID(), time.Now()
	for _, f := range change {
		f(m)
	}
	b := smtp.NewBody(strings.NewReader(text), int64(len(text)))
	b.Prepend([]byte("Received: by mail.example.org\r\n"))
	rcpt := &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: rpath("bob@example.net").Path}}
	return smtp.Hand(t.Context(), r, m, []*smtp.Recipient{rcpt}, b)
}

// run has the runner run for d, in the time of the bubble.
func run(t *testing.T, runner *queue.Runner, d time.Duration) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	time.Sleep(d)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// box are the texts in a mailbox, with the flags of the last one; nil = there is
// no such mailbox.
func (w *world) box(id store.AccountID, name string) (texts []string, flags store.Flags) {
	w.t.Helper()
	acct, err := w.stored.Open(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	box, err := store.MailboxByName(w.t.Context(), acct, name)
	if errors.Is(err, store.ErrNoMailbox) {
		return nil, 0
	}
	if err != nil {
		w.t.Fatal(err)
	}
	texts = []string{}
	for m, err := range acct.Messages(w.t.Context(), box.ID, store.Query{UIDs: store.AllUIDs()}) {
		if err != nil {
			w.t.Fatal(err)
		}
		c, err := acct.Content(w.t.Context(), box.ID, m.UID)
		if err != nil {
			w.t.Fatal(err)
		}
		b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
		c.Close()
		if err != nil {
			w.t.Fatal(err)
		}
		texts, flags = append(texts, string(b)), m.Flags
	}
	return texts, flags
}

func (w *world) apply(ops ...store.Op) {
	w.t.Helper()
	acct, err := w.stored.Open(w.t.Context(), "alice@example.org")
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := acct.Apply(w.t.Context(), store.Change{Ops: ops}); err != nil {
		w.t.Fatal(err)
	}
}

// jobs are those in the queue.
func (w *world) jobs() (all []*queue.Job) {
	w.t.Helper()
	for j, err := range w.storage.List(w.t.Context(), queue.Filter{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, j)
	}
	return all
}

func inWorld(t *testing.T, f func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}
