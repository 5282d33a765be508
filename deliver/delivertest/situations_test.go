package delivertest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/deliver/delivertest"
	"github.com/mailstead/mailstead/queue"
)

// names of the usual internet: dest.test has two hosts, other.test has one.
type names struct{ mx1, mx2, other *delivertest.Host }

func (w *world) usual() names {
	n := names{
		mx1:   w.host("mx1.dest.test", "192.0.2.11", "2001:db8::11"),
		mx2:   w.host("mx2.dest.test", "192.0.2.12"),
		other: w.host("mx.other.test", "192.0.2.21"),
	}
	for _, h := range w.hosts {
		h.SetTLS(w.net.Certificate(time.Time{}, h.Name))
	}
	w.net.DNS.MX("dest.test", "10 mx1.dest.test", "20 mx2.dest.test")
	w.net.DNS.MX("other.test", "10 mx.other.test")
	return n
}

// both makes both hosts of dest.test do the same.
func (n names) both(s delivertest.Script) {
	n.mx1.SetScript(s)
	n.mx2.SetScript(s)
}

// situation is one thing that goes wrong, and what has to become of mail.
type situation struct {
	name  string
	fault func(*world, names)
	to    []string // nil = a@dest.test
	want  []want   // one a recipient
}

// want is what has to become of one recipient, and what shows that the fault
// was met: without it the row does not hold.
type want struct {
	end      string        // "delivered", "expired", or "failed" with the status of the DSN
	via      string        // the host that has it; "" = any
	attempts int           // at least; 0 = 1
	copies   int           // exactly; 0 = what the end says
	delayed  bool          // a DSN of delay
	plain    bool          // a copy that came without TLS
	within   int           // attempts at most; 0 = any number
	lasts    time.Duration // from the acceptance to the end, at least
}

func (w want) check(e *entry) error {
	switch word, status, _ := strings.Cut(w.end, " "); {
	case word == "delivered" && e.told == 0:
		return fmt.Errorf("not delivered")
	case word == "failed" && (len(e.failed) != 1 || e.failed[0] != status || e.expired > 0):
		return fmt.Errorf("not failed with %s", status)
	case word == "expired" && (len(e.failed) != 1 || e.failed[0] != "5.4.7" || e.expired == 0):
		return fmt.Errorf("not expired")
	}
	switch {
	case w.via != "" && !strings.Contains(strings.Join(e.where, ","), w.via):
		return fmt.Errorf("not by %s", w.via)
	case e.attempts < w.attempts:
		return fmt.Errorf("fewer attempts than %d", w.attempts)
	case w.within > 0 && e.attempts > w.within:
		return fmt.Errorf("more attempts than %d", w.within)
	case w.copies > 0 && e.told+e.untold != w.copies:
		return fmt.Errorf("not %d copies", w.copies)
	case e.lasted < w.lasts:
		return fmt.Errorf("after %v only", e.lasted)
	case w.plain && e.plain == 0:
		return fmt.Errorf("not without TLS")
	case w.delayed != (e.delayed == 1):
		return fmt.Errorf("a DSN of delay: %d", e.delayed)
	}
	return nil
}

// The usual wants.
var (
	byMX2   = want{end: "delivered", via: "mx2.dest.test"}
	retried = want{end: "delivered", attempts: 2, within: 3}
	expired = want{end: "expired", attempts: 3, delayed: true}
)

func reply(text string) delivertest.Answer { return delivertest.Answer{Reply: text} }

var (
	drop = delivertest.Answer{Drop: true}
	hang = delivertest.Answer{Hang: true}
	lose = delivertest.Answer{Drop: true, Lose: true}
)

// greylisting refuses a recipient until minutes have gone by since the first
// try.
func greylisting(wait time.Duration, text string) delivertest.Script {
	first := make(chan time.Time, 1)
	return func(s delivertest.Step) delivertest.Answer {
		if s.Stage != delivertest.Rcpt {
			return delivertest.Answer{}
		}
		var since time.Time
		select {
		case since = <-first:
		default:
			since = time.Now()
		}
		first <- since
		if time.Since(since) < wait {
			return reply(text)
		}
		return delivertest.Answer{}
	}
}

func TestSituations(t *testing.T) {
	for _, table := range [][]situation{dnsSituations(), hostSituations(), replySituations(), tlsSituations(), mixedSituations()} {
		for _, s := range table {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				var missed error
				inWorld(t, func(w *world) {
					missed = errors.Join(w.meet(s, true)...)
					w.audit()
				})
				switch {
				case t.Failed():
				case missed != nil:
					t.Error(missed)
				case !testing.Short():
					inWorld(t, func(w *world) {
						if errors.Join(w.meet(s, false)...) == nil {
							t.Error("the row holds without its fault, too: it shows nothing")
						}
					})
				}
			})
		}
	}
}

// meet runs a row, with its fault or without, and checks each recipient.
func (w *world) meet(s situation, fault bool) []error {
	w.schedule = queue.Schedule{Expire: 70 * time.Minute, Delayed: 20 * time.Minute}
	n := w.usual()
	if fault {
		s.fault(w, n)
	}
	stop := w.start()
	defer stop()
	to := s.to
	if to == nil {
		to = []string{"a@dest.test"}
	}
	w.send(to...)
	w.settle(3 * time.Hour)
	books := w.books()
	errs := make([]error, len(to))
	for i, r := range to {
		e := books[key{"m1", r}]
		if err := s.want[i].check(e); err != nil {
			errs[i] = fmt.Errorf("%s: %w: %s", r, err, e)
		}
	}
	return errs
}

// lied is a fault of the DNS for one name.
func lied(name string, lie delivertest.Lie) func(*world, names) {
	return func(w *world, _ names) { w.net.DNS.Lie(name, lie) }
}

// healing is a lie for the first minutes.
func healing(after time.Duration, lie delivertest.Lie) func(*world, names) {
	return func(w *world, _ names) {
		w.net.DNS.Lie("dest.test", lie)
		time.AfterFunc(after, func() { w.net.DNS.Lie("dest.test", nil) })
	}
}

func dnsSituations() []situation {
	const minute = time.Minute
	manyMX := make([]string, 1000)
	for i := range manyMX {
		manyMX[i] = fmt.Sprintf("%d mx%d.many.test", i, i)
	}
	return []situation{
		{"DNS fails for a while", healing(4*minute, delivertest.Fails(dnsx.ErrServFail)), nil, []want{retried}},
		{"DNS fails for ever", lied("dest.test", delivertest.Fails(dnsx.ErrServFail)), nil, []want{expired}},
		{"DNS times out for a while", healing(4*minute, delivertest.Silent(10*time.Second)), nil, []want{retried}},
		{"DNSSEC validation fails", lied("dest.test", delivertest.Fails(dnsx.ErrBogus)), nil, []want{expired}},
		{"MX fails, A answers", func(w *world, n names) {
			w.net.DNS.Addrs("dest.test", "192.0.2.21")
			w.net.DNS.Lie("dest.test", delivertest.Fails(dnsx.ErrServFail, dnsx.MX))
		}, nil, []want{expired}},
		{"no such domain", lied("dest.test", delivertest.Fails(dnsx.ErrNXDomain)), nil, []want{{end: "failed 5.1.2", within: 1}}},
		{"no MX, no address", lied("dest.test", delivertest.Fails(dnsx.ErrNoData)), nil, []want{{end: "failed 5.1.2", within: 1}}},
		{"no MX, the address fails", func(w *world, _ names) {
			w.net.DNS.Lie("dest.test", func(ctx context.Context, t dnsx.Type) (*dnsx.Answer, error) {
				if t == dnsx.MX {
					return delivertest.Fails(dnsx.ErrNoData)(ctx, t)
				}
				return delivertest.Fails(dnsx.ErrServFail)(ctx, t)
			})
		}, nil, []want{expired}},
		{"null MX", func(w *world, _ names) { w.net.DNS.MX("dest.test", "0 .") }, nil, []want{{end: "failed 5.1.10", within: 1}}},
		{"implicit MX", func(w *world, _ names) {
			w.net.DNS.Lie("dest.test", delivertest.Fails(dnsx.ErrNoData, dnsx.MX))
			w.net.DNS.Addrs("dest.test", "192.0.2.21")
		}, nil, []want{{end: "delivered", via: "mx.other.test", within: 1}}},
		{"the domain is an alias", func(w *world, _ names) { w.net.DNS.CNAME("dest.test", "other.test") }, nil, []want{{end: "delivered", via: "mx.other.test", within: 1}}},
		{"the aliases go round in circles", func(w *world, _ names) {
			w.net.DNS.CNAME("dest.test", "a.test")
			w.net.DNS.CNAME("a.test", "dest.test")
		}, nil, []want{expired}},
		{"the best host is an alias", func(w *world, _ names) {
			w.net.DNS.MX("dest.test", "5 alias.dest.test", "20 mx2.dest.test")
			w.net.DNS.CNAME("alias.dest.test", "mx.other.test")
		}, nil, []want{{end: "delivered", via: "mx.other.test", within: 1}}},
		{"the best host does not exist", func(w *world, _ names) {
			w.net.DNS.MX("dest.test", "5 nobody.dest.test", "20 mx2.dest.test")
		}, nil, []want{byMX2}},
		{"no host exists", func(w *world, _ names) { w.net.DNS.MX("dest.test", "5 no.dest.test", "6 nowhere.dest.test") }, nil, []want{{end: "failed 5.4.4", within: 1}}},
		{"the addresses of the best host fail", lied("mx1.dest.test", delivertest.Fails(dnsx.ErrServFail)), nil, []want{byMX2}},
		{"the addresses of the best host time out", lied("mx1.dest.test", delivertest.Silent(10*time.Second)), nil, []want{byMX2}},
		{"the addresses of all hosts fail", func(w *world, _ names) {
			w.net.DNS.Lie("mx1.dest.test", delivertest.Fails(dnsx.ErrServFail))
			w.net.DNS.Lie("mx2.dest.test", delivertest.Fails(dnsx.ErrServFail))
		}, nil, []want{expired}},
		{"no address of IPv4 for the best host", func(w *world, _ names) {
			w.net.DNS.Addrs("mx1.dest.test", "2001:db8::bad")
		}, nil, []want{byMX2}},
		{"an address literal among the MX", func(w *world, _ names) {
			w.net.DNS.MX("dest.test", "5 192.0.2.99", "20 mx2.dest.test")
		}, nil, []want{byMX2}},
		{"an empty name among the MX", func(w *world, _ names) {
			w.net.DNS.MX("dest.test", "5 .", "20 mx2.dest.test")
		}, nil, []want{byMX2}},
		{"1,000 MX, none of which answers", func(w *world, _ names) { w.net.DNS.MX("dest.test", manyMX...) }, nil, []want{expired}},
		{"1,000 MX, the best of which answers", func(w *world, _ names) {
			w.net.DNS.MX("dest.test", append([]string{"0 mx2.dest.test"}, manyMX[1:]...)...)
		}, nil, []want{byMX2}},
		{"we are the best MX", func(w *world, _ names) {
			w.net.DNS.MX("dest.test", "5 "+hostname, "20 mx2.dest.test")
		}, nil, []want{{end: "failed 5.4.6", within: 1}}},
		{"we are the second MX", func(w *world, n names) {
			w.net.DNS.MX("dest.test", "5 mx1.dest.test", "10 "+hostname, "20 mx2.dest.test")
			n.mx1.SetScript(delivertest.At(delivertest.Connect, drop))
		}, nil, []want{expired}},
	}
}
