package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// What is fetched is delivered with a Received field of this hop, without the
// provider's Return-Path, and is off the server.
func TestOnce(t *testing.T) {
	w, r := newWorld(t), &remote{}
	r.add("1", letterText("one"))
	r.add("2", letterText("two"))
	c, _ := w.collector(r)
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "one", "two")
	wants(t, "server", r.ids())
	got := w.texts("ann@example.org", "INBOX")[0]
	if !strings.HasPrefix(got, "Return-Path: <joe@sender.example>\r\nDelivered-To: ann@example.org\r\nReceived: from ann@isp by here.example.org\r\n\tid ") ||
		strings.Count(got, "Return-Path") != 1 || !strings.HasSuffix(got, strings.SplitN(letterText("one"), "\r\n", 2)[1]) {
		t.Errorf("delivered:\n%s", got)
	}
	st := c.Status()[0]
	if st.Counts.Fetched != 2 || st.Counts.Removed != 2 || st.Phase != fetch.Stopped || st.Listed != 2 || st.Left != 0 || st.Err != nil {
		t.Errorf("%+v", st)
	}
	if err := c.Once(t.Context()); err != nil || w.events(fetch.EventFetched) != 2 {
		t.Errorf("a second time: %v", err)
	}
}

// faultyState is a State that fails as faults say.
type faultyState struct {
	fetch.State
	f *faults
}

func (s faultyState) Put(ctx context.Context, source string, rs ...fetch.Record) error {
	switch s.f.next("state") {
	case before, hang:
		return errCrash
	case after:
		if err := s.State.Put(ctx, source, rs...); err != nil {
			return err
		}
		return errCrash
	}
	return s.State.Put(ctx, source, rs...)
}

// faultyTarget is a Receiver whose acceptance fails as faults say.
type faultyTarget struct {
	smtp.Receiver
	f *faults
}

func (r faultyTarget) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	tx, err := r.Receiver.Begin(ctx, m)
	if err != nil {
		return nil, err
	}
	switch f := r.f.next("target"); f {
	case before, hang:
		tx.Abort()
		return nil, errCrash
	case after:
		return faultyTransaction{tx}, nil
	}
	return tx, nil
}

type faultyTransaction struct{ smtp.Transaction }

func (t faultyTransaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	if _, err := t.Transaction.Data(ctx, b); err != nil {
		return nil, err
	}
	return nil, errCrash
}

// TestFaults cuts, loses and delays at random, again and again, and asserts that
// every message arrives once: in a store, and in a queue.
func TestFaults(t *testing.T) {
	seeds := 100
	if testing.Short() {
		seeds = 8
	}
	for seed := range uint64(seeds) {
		for _, kind := range []string{"pop3", "imap"} {
			for _, target := range []string{"store", "queue"} {
				t.Run(fmt.Sprintf("%s/%s/%d", kind, target, seed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { randomFaults(t, seed, kind, target) })
				})
			}
		}
	}
}

func randomFaults(t *testing.T, seed uint64, kind, target string) {
	const n = 25
	rnd := rand.New(rand.NewPCG(seed, 7))
	w := newWorld(t)
	f := &faults{fail: func(int, string) fault {
		if rnd.IntN(12) == 0 {
			return fault(1 + rnd.IntN(3))
		}
		return none
	}}
	r := &remote{kind: kind, faults: f}
	for i := range n {
		r.add(fmt.Sprint(i), letterText(fmt.Sprint(i)))
	}
	for round := 0; len(r.ids()) > 0; round++ {
		if round == 1000 {
			t.Fatalf("left on the server: %v", r.ids())
		}
		c, s := w.collector(r) // as after a restart
		c.State = faultyState{w.state, f}
		s.MaxMessages = 1 + rnd.IntN(n)
		if target == "queue" {
			s.Target = w.queue
		}
		s.Target = faultyTarget{s.Target, f}
		c.Once(t.Context())
	}
	var got []string
	if target == "store" {
		got = w.subjects("ann@example.org", "INBOX")
	} else {
		got = w.queued()
	}
	slices.Sort(got)
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint(i))
	}
	slices.Sort(want)
	wants(t, "arrived", got, want...)
	wants(t, "quarantine", w.subjects("connector", "Quarantine"))
}

// queued are the subjects of the jobs of the queue.
func (w *world) queued() (s []string) {
	w.t.Helper()
	for j, err := range w.q.List(w.t.Context(), queue.Filter{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		b, err := w.store.Blobs().Open(w.t.Context(), j.Blob)
		if err != nil {
			w.t.Fatal(err)
		}
		text := make([]byte, b.Size())
		b.ReadAt(text, 0)
		b.Close()
		_, after, _ := strings.Cut(string(text), "\r\nSubject: ")
		subject, _, _ := strings.Cut(after, "\r\n")
		s = append(s, subject)
		if len(j.Recipients) != 1 || j.Recipients[0].Params.Notify != smtp.NotifyNever {
			w.t.Errorf("job %+v", j)
		}
	}
	return s
}

// A target that knows no keys is not asked again for who has the message.
func TestPartialWithoutOnce(t *testing.T) {
	w, r := newWorld(t), &remote{}
	r.add("1", letterText("one"))
	c, s := w.collector(r)
	s.Recipients = fetch.RecipientsFunc(func(context.Context, *fetch.Message) (fetch.Decision, error) {
		return fetch.Decision{Recipients: []smtp.ForwardPath{path("ann@example.org"), path("bob@example.org")}}, nil
	})
	var got []string
	s.Target = smtp.ReceiveFunc(func(_ context.Context, env *smtp.Envelope, r io.Reader) error {
		io.Copy(io.Discard, r)
		got = append(got, env.Recipients[0].ForwardPath.Local)
		if len(got) == 2 {
			return errCut
		}
		return nil
	})
	c.Once(t.Context())
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "handed over", got, "ann", "bob", "bob")
	wants(t, "server", r.ids())
}

// A recipient who is deferred gets the message later; the other one has it once,
// also where the first attempt was not remembered.
func TestPartial(t *testing.T) {
	for _, forget := range []bool{false, true} {
		w, r := newWorld(t), &remote{}
		r.add("1", letterText("one"))
		f := &faults{}
		c, s := w.collector(r)
		c.State = faultyState{w.state, f}
		s.Recipients = fetch.RecipientsFunc(func(context.Context, *fetch.Message) (fetch.Decision, error) {
			return fetch.Decision{Recipients: []smtp.ForwardPath{path("ann@example.org"), path("bob@example.org")}}, nil
		})
		full := true
		s.Target = smtp.Chain(w.queue, smtp.JudgeRcpt(func(_ context.Context, _ *smtp.Mail, rs []*smtp.Recipient) []error {
			errs := make([]error, len(rs))
			for i, r := range rs {
				if full && r.ForwardPath.Local == "bob" {
					errs[i] = smtp.Errorf(452, smtp.EnhancedCode{Class: 4, Subject: 2, Detail: 2}, "Full")
				}
			}
			return errs
		}))
		if forget {
			f.fail = func(int, string) fault { return before }
		}
		if err := c.Once(t.Context()); err == nil || len(w.queued()) != 1 {
			t.Errorf("%v, %q", err, w.queued())
		}
		wants(t, "server", r.ids(), "1")
		f.fail, full = nil, false
		if err := c.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		wants(t, "queue", w.queued(), "one", "one")
		wants(t, "server", r.ids())
	}
}

// What nobody gets, what is refused, and what was here before is in quarantine,
// and the others have it.
func TestQuarantine(t *testing.T) {
	w, r := newWorld(t), &remote{}
	r.add("1", letterText("nobody"))
	r.add("2", letterText("half"))
	r.add("3", "Delivered-To: ann@example.org\r\nReceived: from x by here.example.org; Mon, 1 Jan 2024 00:00:00 +0000\r\nSubject: loop\r\n\r\n")
	c, s := w.collector(r)
	s.Recipients = fetch.RecipientsFunc(func(_ context.Context, m *fetch.Message) (fetch.Decision, error) {
		switch m.Item.ID {
		case "1":
			return fetch.Decision{Quarantine: "no rule"}, nil
		case "2":
			return fetch.Decision{Recipients: []smtp.ForwardPath{path("nobody@example.org"), path("ann@example.org")}}, nil
		}
		return fetch.Decision{Recipients: []smtp.ForwardPath{path("ann@example.org")}}, nil
	})
	s.Target = &deliver.LocalDelivery{Store: w.store, Directory: w.directory()}
	c.Quarantine = nil
	if err := c.Once(t.Context()); err == nil {
		t.Error("without a quarantine")
	}
	wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "half")
	wants(t, "server", r.ids(), "1", "2", "3")
	c.Quarantine = &fetch.Mailbox{Store: w.store, Account: "connector"}
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "half")
	wants(t, "quarantine", w.subjects("connector", "Quarantine"), "nobody", "half", "loop")
	wants(t, "server", r.ids())
	texts := w.texts("connector", "Quarantine")
	for i, want := range []string{"no rule", "refused for nobody@example.org: 550 5.1.1", "refused for ann@example.org: 554 5.4.6"} {
		if !strings.HasPrefix(texts[i], "X-Quarantine: "+want) || !strings.Contains(texts[i], "\r\nX-Fetched-From: ann@isp\r\n") {
			t.Errorf("%d: %.200s", i, texts[i])
		}
	}
	if st := c.Status()[0]; st.Counts.Quarantined != 3 || w.events(fetch.EventFetched) != 0 {
		t.Errorf("%+v", st)
	}
}

func TestConfig(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*fetch.Collector){
		"no state":  func(c *fetch.Collector) { c.State = nil },
		"no name":   func(c *fetch.Collector) { c.Sources[0].Name = "" },
		"bad name":  func(c *fetch.Collector) { c.Sources[0].Name = "a\n" },
		"twice":     func(c *fetch.Collector) { c.Sources = append(c.Sources, c.Sources[0]) },
		"no target": func(c *fetch.Collector) { c.Sources[0].Target = nil },
	} {
		c, _ := w.collector(&remote{})
		change(c)
		if err := c.Run(t.Context()); !errors.Is(err, fetch.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
