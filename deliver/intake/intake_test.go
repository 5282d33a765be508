package intake_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver/intake"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtptest"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

type byDomain struct{}

func (byDomain) Key(p smtp.ForwardPath) string { return p.Domain }

func newIntake(steps ...intake.Step) *intake.Intake {
	q := &queue.Queue{Storage: &memqueue.Storage{}, Blobs: memblob.New(), Router: byDomain{}}
	return &intake.Intake{Queue: q, Steps: steps}
}

func TestIsReceiver(t *testing.T) {
	stored := func(t *testing.T, r smtp.Receiver) (all []string) {
		q := r.(*intake.Intake).Queue
		for j, err := range q.Storage.List(t.Context(), queue.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(j.Destination, "extra") {
				continue
			}
			b, err := q.Blobs.Open(t.Context(), j.Blob)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(j.Prefix)+string(text))
		}
		return all
	}
	extra := intake.StepFunc(func(_ context.Context, m *intake.Message) error {
		j := m.Extra("extra")
		j.Destination = "extra"
		m.Jobs = append(m.Jobs, j)
		return nil
	})
	smtptest.TestReceiver(t, smtptest.Suite{
		New:  func(*testing.T) smtp.Receiver { return newIntake(extra) },
		Good: []string{"alice@example.org", "bob@example.org"}, Stored: stored,
	})
}

func hand(t *testing.T, in *intake.Intake, m *smtp.Mail, b *smtp.Body) error {
	t.Helper()
	rcpt, err := smtp.ParseForwardPath("<bob@example.org>", false)
	if err != nil {
		t.Fatal(err)
	}
	return smtp.Hand(t.Context(), in, m, []*smtp.Recipient{{ForwardPath: rcpt}}, b)
}

func text(s string) *smtp.Body { return smtp.NewBody(strings.NewReader(s), -1) }

// The header of a message ends where its empty line begins, however it comes.
func TestHeader(t *testing.T) {
	long := "X: " + strings.Repeat("y", 10_000) + "\r\n"
	for _, test := range []struct{ in, want string }{
		{"A: 1\r\nB: 2\r\n\r\nbody\r\n\r\n", "A: 1\r\nB: 2\r\n"},
		{"A: 1\nB: 2\n\nbody", "A: 1\nB: 2\n"},
		{"\r\nbody\r\n\r\n", ""},
		{"\nbody", ""},
		{"A: 1\r\n", "A: 1\r\n"},
		{"A: 1", "A: 1"},
		{"", ""},
		{long + "\r\nbody", long},
		{strings.Repeat(long, 300) + "\r\n", strings.Repeat(long, 300)[:1<<20]},
	} {
		var got string
		in := newIntake(intake.StepFunc(func(ctx context.Context, m *intake.Message) error {
			h, err := m.Header(ctx)
			got = string(h)
			return err
		}))
		b := text(test.in)
		b.Prepend([]byte("T: 0\r\n"))
		if err := hand(t, in, &smtp.Mail{ID: "1"}, b); err != nil || got != "T: 0\r\n"+test.want {
			t.Errorf("%.30q: %.40q of %d octets, %v", test.in, got, len(got), err)
		}
	}
}

// What a step refuses nobody has.
func TestStepRefuses(t *testing.T) {
	refusal := errors.New("no")
	in := newIntake(intake.StepFunc(func(context.Context, *intake.Message) error { return refusal }))
	if err := hand(t, in, &smtp.Mail{ID: "1"}, text("x")); !errors.Is(err, refusal) {
		t.Errorf("%v", err)
	}
	if s, err := in.Queue.Storage.Stats(t.Context()); err != nil || s.Jobs != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A message that comes again has its extra jobs once, and a body that lies in
// the queue's blobs is not written again.
func TestAgain(t *testing.T) {
	in := newIntake(intake.StepFunc(func(_ context.Context, m *intake.Message) error {
		j := m.Extra("copy")
		j.Destination = "copy"
		m.Jobs = append(m.Jobs, j)
		return nil
	}))
	w, err := in.Queue.Blobs.Create(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "x")
	ref, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b := smtp.NewStoredBody(strings.NewReader("x"), 1, blob.Stored{In: in.Queue.Blobs, Ref: ref}, nil)
		if err := hand(t, in, &smtp.Mail{ID: "1", Once: "once"}, b); err != nil {
			t.Fatal(err)
		}
	}
	jobs := 0
	for j, err := range in.Queue.Storage.List(t.Context(), queue.Filter{}) {
		if err != nil || j.Blob != ref || j.Size != 1 {
			t.Errorf("%+v, %v", j, err)
		}
		jobs++
	}
	if jobs != 2 {
		t.Errorf("%d jobs", jobs)
	}
}
