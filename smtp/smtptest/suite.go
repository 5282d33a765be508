package smtptest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/mailstead/mailstead/smtp"
)

// Suite says how to judge a Receiver.
type Suite struct {
	// New makes a fresh Receiver. It has to accept ReversePath and Good.
	New func(t *testing.T) smtp.Receiver

	// ReversePath is a sender that is accepted; "" = "sender@example.org".
	ReversePath string

	// Good are at least two addresses that are accepted; nil =
	// one@example.net and two@example.net.
	Good []string

	// Bad is an address that Rcpt refuses; "" = none is.
	Bad string

	// Stored returns the bodies that the Receiver has taken responsibility
	// for, trace fields included or not; nil = that cannot be seen.
	Stored func(t *testing.T, r smtp.Receiver) []string
}

// TestReceiver holds a Receiver against the contract of package smtp, one
// subtest a rule.
func TestReceiver(t *testing.T, s Suite) {
	s = s.withDefaults()
	for _, rule := range rules() {
		t.Run(rule.name, func(t *testing.T) { rule.test(&s, t) })
	}
}

func (s Suite) withDefaults() Suite {
	if s.ReversePath == "" {
		s.ReversePath = "sender@example.org"
	}
	if s.Good == nil {
		s.Good = []string{"one@example.net", "two@example.net"}
	}
	return s
}

// rule is one case of the suite.
type rule struct {
	name string
	test func(*Suite, *testing.T)
}

func rules() []rule {
	return []rule{
		{"one status for each accepted recipient", (*Suite).testStatuses},
		{"duplicates of a recipient count", (*Suite).testDuplicates},
		{"Rcpt may be called again", (*Suite).testRcptAgain},
		{"a refused recipient has no status", (*Suite).testRefused},
		{"a body without a clean end is never accepted", (*Suite).testTruncated},
		{"a wrapper may refuse at the end", (*Suite).testLateRefusal},
		{"the body is read to its end before it is accepted", (*Suite).testReadsAll},
		{"Abort is idempotent and stores nothing", (*Suite).testAbort},
		{"Abort after Data has no effect", (*Suite).testAbortAfterData},
		{"the null sender is accepted", (*Suite).testNullSender},
		{"transactions run side by side", (*Suite).testConcurrent},
		{"every octet is kept", (*Suite).testOctets},
		{"an empty body is a body", (*Suite).testEmpty},
		{"a hundred recipients at once", (*Suite).testManyRecipients},
		{"the mail is not changed", (*Suite).testMailUnchanged},
		{"nothing is read twice", (*Suite).testReadOnce},
		{"one transaction does not disturb another", (*Suite).testInterleaved},
	}
}

// mail makes the head of a transaction.
func (s *Suite) mail(t *testing.T) *smtp.Mail {
	t.Helper()
	p, err := smtp.ParseMailbox(s.ReversePath, true)
	if err != nil {
		t.Fatalf("Suite.ReversePath: %v", err)
	}
	return &smtp.Mail{ID: smtp.NewID(), ReversePath: smtp.ReversePath{Path: p}, PerRecipient: true}
}

func recipients(t *testing.T, addrs ...string) []*smtp.Recipient {
	t.Helper()
	var rs []*smtp.Recipient
	for _, a := range addrs {
		p, err := smtp.ParseMailbox(a, true)
		if err != nil {
			t.Fatalf("Suite: %q: %v", a, err)
		}
		rs = append(rs, &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: p}})
	}
	return rs
}

// begin opens a transaction and gives it recipients that are accepted.
func (s *Suite) begin(t *testing.T, r smtp.Receiver, addrs ...string) smtp.Transaction {
	t.Helper()
	tx, err := r.Begin(t.Context(), s.mail(t))
	if err != nil || tx == nil {
		t.Fatalf("Begin: %v, %v", tx, err)
	}
	s.accept(t, tx, addrs...)
	return tx
}

func (s *Suite) accept(t *testing.T, tx smtp.Transaction, addrs ...string) {
	t.Helper()
	if len(addrs) == 0 {
		return
	}
	errs := tx.Rcpt(t.Context(), recipients(t, addrs...))
	if len(errs) != len(addrs) {
		t.Fatalf("Rcpt returned %d results for %d recipients", len(errs), len(addrs))
	}
	for i, err := range errs {
		if err != nil {
			t.Fatalf("Rcpt refused %s: %v", addrs[i], err)
		}
	}
}

const text = "Subject: test\r\n\r\nline\r\n"

func body(s string) *smtp.Body { return smtp.NewBody(strings.NewReader(s), int64(len(s))) }

// deliver sends text and wants n acceptances.
func (s *Suite) deliver(t *testing.T, tx smtp.Transaction, content string, n int) {
	t.Helper()
	b := body(content)
	st, err := tx.Data(t.Context(), b)
	if err != nil || len(st) != n {
		t.Fatalf("Data: %d statuses for %d recipients, %v", len(st), n, err)
	}
	for i := range st {
		if st[i].Err != nil {
			t.Errorf("status %d: %v", i, st[i].Err)
		}
	}
	if !b.Ended() {
		t.Error("the body was accepted before it was read to its end")
	}
}

func (s *Suite) testStatuses(t *testing.T) {
	r := s.New(t)
	s.deliver(t, s.begin(t, r, s.Good...), text, len(s.Good))
	s.stored(t, r, 1)
}

func (s *Suite) testDuplicates(t *testing.T) {
	s.deliver(t, s.begin(t, s.New(t), s.Good[0], s.Good[0], s.Good[1]), text, 3)
}

func (s *Suite) testRcptAgain(t *testing.T) {
	tx := s.begin(t, s.New(t), s.Good[0])
	s.accept(t, tx, s.Good[1:]...)
	s.deliver(t, tx, text, len(s.Good))
}

func (s *Suite) testRefused(t *testing.T) {
	if s.Bad == "" {
		t.Skip("Suite.Bad is not given")
	}
	tx := s.begin(t, s.New(t))
	errs := tx.Rcpt(t.Context(), recipients(t, s.Bad, s.Good[0], s.Bad))
	if len(errs) != 3 || errs[0] == nil || errs[1] != nil || errs[2] == nil {
		t.Fatalf("Rcpt: %v", errs)
	}
	s.deliver(t, tx, text, 1)
}

// refusedAs wants that nobody has the message.
func refusedAs(t *testing.T, st []smtp.RcptStatus, err error) {
	t.Helper()
	if err != nil {
		return
	}
	if len(st) == 0 {
		t.Error("Data returned neither an error nor statuses")
	}
	for i := range st {
		if st[i].Err == nil {
			t.Errorf("recipient %d was accepted", i)
		}
	}
}

func (s *Suite) testTruncated(t *testing.T) {
	for _, lost := range []error{smtp.ErrTruncated, io.ErrUnexpectedEOF} {
		for _, half := range []string{"", "Subject: te", text} {
			r := s.New(t)
			tx := s.begin(t, r, s.Good...)
			b := smtp.NewBody(io.MultiReader(strings.NewReader(half), iotest.ErrReader(lost)), -1)
			st, err := tx.Data(t.Context(), b)
			refusedAs(t, st, err)
			s.stored(t, r, 0)
		}
	}
}

func (s *Suite) testLateRefusal(t *testing.T) {
	r := s.New(t)
	tx := s.begin(t, r, s.Good...)
	refusal := smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "policy")
	b := body(text)
	b.Wrap(func(in io.Reader) io.Reader { return io.MultiReader(in, iotest.ErrReader(refusal)) })
	st, err := tx.Data(t.Context(), b)
	refusedAs(t, st, err)
	if err != nil && !errors.Is(err, refusal) {
		t.Errorf("the refusal of the wrapper became %v", err)
	}
	s.stored(t, r, 0)
}

func (s *Suite) testReadsAll(t *testing.T) {
	r := s.New(t)
	long := text + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 20000)
	tx := s.begin(t, r, s.Good...)
	b := smtp.NewBody(iotest.HalfReader(strings.NewReader(long)), -1)
	b.Wrap(func(in io.Reader) io.Reader { return in })
	if st, err := tx.Data(t.Context(), b); err != nil || len(st) != len(s.Good) {
		t.Fatalf("Data: %v, %v", st, err)
	}
	if !b.Ended() {
		t.Error("the body was not read to its end")
	}
	if s.Stored != nil {
		if got := s.Stored(t, r); len(got) != 1 || !strings.HasSuffix(got[0], long) {
			t.Error("the stored body is not what was sent")
		}
	}
}

func (s *Suite) testAbort(t *testing.T) {
	r := s.New(t)
	tx := s.begin(t, r, s.Good...)
	tx.Abort()
	tx.Abort()
	s.stored(t, r, 0)
}

func (s *Suite) testAbortAfterData(t *testing.T) {
	r := s.New(t)
	tx := s.begin(t, r, s.Good...)
	s.deliver(t, tx, text, len(s.Good))
	tx.Abort()
	s.stored(t, r, 1)
}

func (s *Suite) testNullSender(t *testing.T) {
	tx, err := s.New(t).Begin(t.Context(), &smtp.Mail{ID: smtp.NewID(), PerRecipient: true})
	if err != nil {
		t.Fatal(err)
	}
	s.accept(t, tx, s.Good...)
	s.deliver(t, tx, text, len(s.Good))
}

func (s *Suite) testConcurrent(t *testing.T) {
	const n = 8
	r := s.New(t)
	errs := make([]error, n)
	var work sync.WaitGroup
	for i := range n {
		m, rs := s.mail(t), recipients(t, s.Good...)
		work.Go(func() { errs[i] = hand(t.Context(), r, m, rs) })
	}
	work.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	s.stored(t, r, n)
}

func hand(ctx context.Context, r smtp.Receiver, m *smtp.Mail, rs []*smtp.Recipient) error {
	if err := smtp.Hand(ctx, r, m, rs, body(text)); err != nil {
		return fmt.Errorf("mail %s: %w", m.ID, err)
	}
	return nil
}

// stored wants n messages, where that can be seen.
func (s *Suite) stored(t *testing.T, r smtp.Receiver, n int) {
	t.Helper()
	want := make([]string, n)
	for i := range want {
		want[i] = text
	}
	s.contents(t, r, want...)
}

// contents wants these bodies, in any order, where that can be seen.
func (s *Suite) contents(t *testing.T, r smtp.Receiver, want ...string) {
	t.Helper()
	if s.Stored == nil {
		return
	}
	got := s.Stored(t, r)
	if len(got) != len(want) {
		t.Errorf("%d messages are stored, want %d", len(got), len(want))
		return
	}
	rest := slices.Clone(got)
	for _, w := range want {
		i := slices.IndexFunc(rest, func(g string) bool { return strings.HasSuffix(g, w) })
		if i < 0 {
			t.Errorf("%.200q is not stored; there are %.200q", w, got)
			continue
		}
		rest = slices.Delete(rest, i, i+1)
	}
}
