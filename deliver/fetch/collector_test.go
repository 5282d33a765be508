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
	"time"

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

// A server that gives an ID to another message loses nothing: not while the
// message stays, not when it is deleted at last.
func TestReusedID(t *testing.T) {
	w, r := newWorld(t), &remote{}
	r.add("1", letterText("one"))
	r.add("2", letterText("two"))
	c, s := w.collector(r)
	s.Keep = fetch.Keep{Always: true}
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.messages = nil
	r.add("1", letterText("new"))
	c, _ = w.collector(r)
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "one", "two", "new")
	wants(t, "server", r.ids())
	if w.events(fetch.EventReused) != 1 {
		t.Errorf("%d reused", w.events(fetch.EventReused))
	}
}

// Without IDs, and with IDs that two messages have, headers tell them apart; two
// messages that are alike are two.
func TestNoIDs(t *testing.T) {
	for _, id := range []string{"", "same"} {
		w, r := newWorld(t), &remote{}
		for _, subject := range []string{"one", "two", "two"} {
			r.add(id, letterText(subject))
		}
		for _, keep := range []bool{true, true, false, false} {
			c, s := w.collector(r)
			s.Keep.Always = keep
			if err := c.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "one", "two", "two")
		}
		wants(t, "server", r.ids())
		r.add(id, strings.Replace(letterText("two"), "Hello", "Jello", 1)) // those before are off the server
		c, _ := w.collector(r)
		if err := c.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "one", "two", "two", "two")
	}
}

// Of messages that only their bodies tell apart none is deleted before all are
// here: nobody could say which one is left when the answer to a deletion is lost.
func TestAlike(t *testing.T) {
	w, r := newWorld(t), &remote{}
	commits := 0
	r.faults = &faults{fail: func(_ int, what string) fault {
		if what == "commit" {
			if commits++; commits == 1 {
				return after
			}
		}
		return none
	}}
	r.add("", letterText("one")+"a")
	r.add("", letterText("one")+"b")
	c, s := w.collector(r)
	n := 0
	f := &faults{fail: func(int, string) fault {
		if n++; n == 2 {
			return before
		}
		return none
	}}
	s.Target = faultyTarget{s.Target, f}
	c.Once(t.Context())
	wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "one")
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "server", r.ids())
	got := w.texts("ann@example.org", "INBOX")
	if len(got) != 2 || !strings.HasSuffix(got[0], "a") || !strings.HasSuffix(got[1], "b") {
		t.Errorf("%q", got)
	}
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

// A folder with another UIDVALIDITY has the messages that were fetched from it.
func TestGeneration(t *testing.T) {
	w, r := newWorld(t), &remote{}
	add := func(generation, subject string) {
		r.add(generation+"/"+subject, letterText(subject)).Generation = generation
	}
	add("1", "one")
	add("1", "two")
	c, s := w.collector(r)
	s.Keep.Always = true
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.messages = nil
	add("2", "zero")
	add("2", "one")
	add("2", "two")
	for range 2 {
		if err := c.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "one", "two", "zero")
	}
	s.Keep.Always = false
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "server", r.ids())
}

// Catch-all mail without an envelope: copies for several recipients are told
// from a message to several.
func TestCopies(t *testing.T) {
	w, r := newWorld(t), &remote{}
	text := letterText("both")
	r.add("1", text)
	r.add("2", strings.Replace(text, "Received: from x", "Received: from y", 1))
	c, s := w.collector(r)
	s.Recipients = fetch.RecipientsFunc(func(context.Context, *fetch.Message) (fetch.Decision, error) {
		return fetch.Decision{Recipients: []smtp.ForwardPath{path("ann@example.org"), path("bob@example.org")}, Step: "to", Guessed: true}, nil
	})
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "ann", w.subjects("ann@example.org", "INBOX"), "both")
	wants(t, "bob", w.subjects("bob@example.org", "INBOX"), "both")
	r.add("3", text)
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "ann", w.subjects("ann@example.org", "INBOX"), "both")
	wants(t, "quarantine", w.subjects("connector", "Quarantine"), "both")
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

func TestKeep(t *testing.T) {
	for _, test := range []struct {
		name   string
		keep   fetch.Keep
		change func(*remote)
		after  time.Duration
		left   string
	}{
		{"nothing", fetch.Keep{}, nil, 0, ""},
		{"always", fetch.Keep{Always: true}, nil, 0, "a b c"},
		{"a day", fetch.Keep{For: 24 * time.Hour}, nil, 23 * time.Hour, "a b c"},
		{"a day, over", fetch.Keep{For: 24 * time.Hour}, nil, 24 * time.Hour, ""},
		{"until seen", fetch.Keep{UntilSeen: true}, func(r *remote) { r.messages[1].Seen = true }, 0, "a c"},
		{"a day and seen", fetch.Keep{UntilSeen: true, For: time.Hour}, func(r *remote) { r.messages[1].Seen = true }, time.Minute, "a b c"},
		{"size", fetch.Keep{Always: true, MaxSize: 1000}, nil, 0, "a c"},
		{"bytes", fetch.Keep{Always: true, MaxBytes: 2500}, nil, 0, "b c"},
		{"percent", fetch.Keep{Always: true, MaxPercent: 50}, func(r *remote) { r.limit = 5000 }, 0, "b c"},
		{"percent, below", fetch.Keep{Always: true, MaxPercent: 50}, func(r *remote) { r.limit = 6000 }, 0, "a b c"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t), &remote{}
				for _, id := range []string{"a", "b", "c"} {
					text := letterText(id)
					if id == "b" {
						text += strings.Repeat("x", 2000)
					}
					r.add(id, text)
				}
				c, s := w.collector(r)
				s.Keep, s.MaxMessages = test.keep, 1 // so that the order of fetching is known
				for i := range 3 {
					if i == 2 && test.change != nil {
						test.change(r)
					}
					if err := c.Once(t.Context()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
				}
				time.Sleep(test.after)
				if err := c.Once(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(r.ids(), " "); got != test.left {
					t.Errorf("left %q, want %q", got, test.left)
				}
				wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "a", "b", "c")
			})
		})
	}
}

// Too large, as the server says or as it is: it stays, and is told once.
func TestTooLarge(t *testing.T) {
	w, r := newWorld(t), &remote{}
	r.add("1", letterText("large")+strings.Repeat("x", 2000))
	r.add("2", letterText("lie")+strings.Repeat("x", 2000)).Size = 10
	r.add("3", letterText("small"))
	c, s := w.collector(r)
	s.MaxSize = 1000
	for range 3 {
		c.Once(t.Context()) // the second message costs a connection
	}
	wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "small")
	wants(t, "server", r.ids(), "1", "2")
	if n := w.events(fetch.EventSkipped); n != 2 {
		t.Errorf("told %d times", n)
	}
	s.MaxSize = -1
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "small", "large", "lie")
}

// Records of messages that are gone are forgotten, but not soon.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), &remote{}
		r.add("1", letterText("one"))
		count := func(want int) {
			t.Helper()
			n := 0
			for _, err := range w.state.Records(t.Context(), "ann@isp") {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != want {
				t.Errorf("%d records, want %d", n, want)
			}
		}
		c, s := w.collector(r)
		s.Recipients = fetch.RecipientsFunc(func(context.Context, *fetch.Message) (fetch.Decision, error) {
			return fetch.Decision{Recipients: []smtp.ForwardPath{path("ann@example.org")}, Guessed: true}, nil
		})
		for _, step := range []struct { // a record of the message, and one of its copies
			wait time.Duration
			want int
		}{{0, 2}, {time.Hour, 2}, {30 * 24 * time.Hour, 1}, {2 * time.Hour, 0}} {
			time.Sleep(step.wait)
			if err := c.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			count(step.want)
		}
	})
}

// TestSchedule: at its time, at once where there is more, later and later behind
// failures, and slowly where the password is wrong.
func TestSchedule(t *testing.T) {
	run := func(t *testing.T, r *remote, change func(*fetch.Source), d time.Duration) *fetch.Collector {
		w := newWorld(t)
		c, s := w.collector(r)
		s.Every = time.Minute
		change(s)
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
		return c
	}
	for _, test := range []struct {
		name     string
		err      error
		d        time.Duration
		min, max int
	}{
		{"each minute", nil, time.Hour, 50, 61},
		{"failures", errCut, 24 * time.Hour, 27, 34},
		{"passwords", fmt.Errorf("x: %w", fetch.ErrAuth), 24 * time.Hour, 6, 8},
		{"busy", fetch.ErrBusy, time.Hour, 50, 61},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &remote{openErr: test.err}
			run(t, r, func(*fetch.Source) {}, test.d)
			if r.opened < test.min || r.opened > test.max {
				t.Errorf("%s: %d times, want %d to %d", test.name, r.opened, test.min, test.max)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // a backlog is not waited for
		r := &remote{}
		for i := range 50 {
			r.add(fmt.Sprint(i), letterText(fmt.Sprint(i)))
		}
		run(t, r, func(s *fetch.Source) { s.MaxMessages = 10 }, 59*time.Second)
		wants(t, "server", r.ids())
	})
	synctest.Test(t, func(t *testing.T) { // new mail is seen at once
		r := &remote{news: make(chan struct{}, 1)}
		go func() {
			time.Sleep(30 * time.Minute)
			r.add("1", letterText("one"))
		}()
		c := run(t, r, func(s *fetch.Source) { s.Idle, s.Every = true, time.Hour }, 30*time.Minute+time.Second)
		if st := c.Status()[0]; st.Counts.Fetched != 1 || r.opened != 1 {
			t.Errorf("%+v, %d connections", st, r.opened)
		}
	})
}

// A source that hangs is dropped, holds nobody up, and what it had fetched is not
// lost.
func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bad, good := &remote{faults: &faults{fail: func(n int, what string) fault {
			if what == "retrieve" {
				return hang
			}
			return none
		}}}, &remote{}
		bad.add("1", letterText("bad"))
		good.add("1", letterText("good"))
		c, s := w.collector(bad)
		other := *s
		other.Name, other.Open = "other", good.Open
		c.Sources = append(c.Sources, &other)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		time.Sleep(11 * time.Minute)
		wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "good")
		if st := c.Status()[0]; st.Err == nil || !strings.Contains(st.Err.Error(), "no progress") || st.Phase != fetch.Waiting {
			t.Errorf("%+v", st)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Connections to one host are bounded, and those that only wait for mail give way.
func TestPerHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, s := w.collector(&remote{})
		c.Sources = nil
		var remotes []*remote
		var connections counter
		for i := range 10 {
			r := &remote{news: make(chan struct{}, 1), connections: &connections}
			r.add("1", letterText(fmt.Sprint(i)))
			one := *s
			one.Name, one.Host, one.Open, one.Idle, one.Every = fmt.Sprint("s", i), "host", r.Open, true, time.Hour
			c.Sources, remotes = append(c.Sources, &one), append(remotes, r)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c.Run(ctx)
		if n := len(w.subjects("ann@example.org", "INBOX")); n != len(remotes) {
			t.Errorf("%d messages of %d", n, len(remotes))
		}
		if connections.most != 2 || connections.n != 0 {
			t.Errorf("%d connections at once, %d at the end", connections.most, connections.n)
		}
	})
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

// Records survive, in a store and beside a queue.
func TestState(t *testing.T) {
	w := newWorld(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	full := fetch.Record{
		Key: fetch.Key{Kind: fetch.KindCopy, ID: "=x/\x00\xff"}, Print: fetch.Print{1, 2}, Size: -1, Fetched: now, Done: []string{"a", "b"},
		Missing: now.Add(1), Generation: "g",
	}
	for _, s := range []fetch.State{w.state, &fetch.QueueState{Storage: w.q}} {
		second := full
		second.Kind = fetch.KindMessage
		if err := s.Put(t.Context(), "a", full, second); err != nil {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), "a/b", fetch.Record{Key: full.Key}); err != nil {
			t.Fatal(err)
		}
		full.Size++
		if err := s.Put(t.Context(), "a", full); err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(t.Context(), "a", second.Key, fetch.Key{ID: "none"}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for r, err := range s.Records(t.Context(), "a") {
			got = append(got, fmt.Sprintf("%+v %v", r, err))
		}
		wants(t, "records", got, fmt.Sprintf("%+v %v", full, error(nil)))
	}
}
