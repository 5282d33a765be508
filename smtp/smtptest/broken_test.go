package smtptest_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// seeded is a Receiver with one defect: hooks that are not nil stand in for
// what a sound one does.
type seeded struct {
	begin func(m *smtp.Mail) error
	rcpt  func(t *seededTx, rs []*smtp.Recipient) []error
	data  func(t *seededTx, b *smtp.Body) ([]smtp.RcptStatus, error)
	abort func(t *seededTx)
	keep  func(string) string // what is stored of a body

	mu     sync.Mutex
	bodies []string
	shared *seededTx
}

type seededTx struct {
	r        *seeded
	mail     *smtp.Mail
	rcpts    []*smtp.Recipient
	aborted  bool
	accepted bool
}

func (r *seeded) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	if r.begin != nil {
		if err := r.begin(m); err != nil {
			return nil, err
		}
	}
	return &seededTx{r: r, mail: m}, nil
}

func (t *seededTx) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	if t.r.rcpt != nil {
		return t.r.rcpt(t, rs)
	}
	return t.take(rs)
}

func (t *seededTx) take(rs []*smtp.Recipient) []error {
	errs := make([]error, len(rs))
	for i, rc := range rs {
		if rc.ForwardPath.Local == "bad" {
			errs[i] = errors.New("no such user")
		} else {
			t.rcpts = append(t.rcpts, rc)
		}
	}
	return errs
}

func (t *seededTx) Data(_ context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	if t.r.data != nil {
		return t.r.data(t, b)
	}
	return t.store(b)
}

func (t *seededTx) store(b *smtp.Body) ([]smtp.RcptStatus, error) {
	data, err := io.ReadAll(b)
	if err != nil {
		return nil, err
	}
	t.r.put(string(data))
	return smtp.Accepted(len(t.rcpts)), nil
}

func (r *seeded) put(text string) {
	if r.keep != nil {
		text = r.keep(text)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies = append(r.bodies, text)
}

func (t *seededTx) Abort() {
	if t.r.abort != nil {
		t.r.abort(t)
	}
}

// defects are the broken receivers, by the rule that each breaks.
func defects() map[string]func() *seeded {
	type body = *smtp.Body
	statuses := func(f func(t *seededTx, b body) ([]smtp.RcptStatus, error)) func() *seeded {
		return func() *seeded { return &seeded{data: f} }
	}
	return map[string]func() *seeded{
		"one status for each accepted recipient": statuses(func(t *seededTx, b body) ([]smtp.RcptStatus, error) {
			st, err := t.store(b)
			return st[:min(1, len(st))], err
		}),
		"duplicates of a recipient count": func() *seeded {
			return &seeded{rcpt: func(t *seededTx, rs []*smtp.Recipient) []error {
				for _, rc := range rs {
					if !slices.ContainsFunc(t.rcpts, func(o *smtp.Recipient) bool { return o.ForwardPath == rc.ForwardPath }) {
						t.take([]*smtp.Recipient{rc})
					}
				}
				return make([]error, len(rs))
			}}
		},
		"Rcpt may be called again": func() *seeded {
			return &seeded{rcpt: func(t *seededTx, rs []*smtp.Recipient) []error {
				t.rcpts = nil
				return t.take(rs)
			}}
		},
		"a refused recipient has no status": func() *seeded {
			return &seeded{rcpt: func(t *seededTx, rs []*smtp.Recipient) []error {
				errs := t.take(rs)
				t.rcpts = rs
				return errs
			}}
		},
		"a body without a clean end is never accepted": statuses(func(t *seededTx, b body) ([]smtp.RcptStatus, error) {
			data, err := io.ReadAll(b)
			if err != nil && err != io.ErrUnexpectedEOF && !errors.Is(err, smtp.ErrTruncated) {
				return nil, err
			}
			t.r.put(string(data))
			return smtp.Accepted(len(t.rcpts)), nil
		}),
		"a wrapper may refuse at the end": statuses(func(t *seededTx, b body) ([]smtp.RcptStatus, error) {
			st, err := t.store(b)
			if _, refused := errors.AsType[*smtp.Error](err); refused {
				err = errors.New("something else")
			}
			return st, err
		}),
		"the body is read to its end before it is accepted": statuses(func(t *seededTx, b body) ([]smtp.RcptStatus, error) {
			if b.Size() >= 0 {
				return t.store(b)
			}
			data := make([]byte, 64<<10)
			n, err := io.ReadFull(b, data)
			if err != nil {
				return nil, err
			}
			t.r.put(string(data[:n]))
			return smtp.Accepted(len(t.rcpts)), nil
		}),
		"Abort is idempotent and stores nothing": func() *seeded {
			return &seeded{abort: func(t *seededTx) {
				if t.aborted {
					t.r.put("Subject: half")
				}
				t.aborted = true
			}}
		},
		"Abort after Data has no effect": func() *seeded {
			return &seeded{
				data: func(t *seededTx, b *smtp.Body) ([]smtp.RcptStatus, error) { t.accepted = true; return t.store(b) },
				abort: func(t *seededTx) {
					if t.accepted {
						t.r.bodies = nil
					}
				},
			}
		},
		"the null sender is accepted": func() *seeded {
			return &seeded{begin: func(m *smtp.Mail) error {
				if m.ReversePath.IsNull() {
					return errors.New("who is that?")
				}
				return nil
			}}
		},
		"transactions run side by side": func() *seeded {
			var busy sync.Mutex
			n := 0
			return &seeded{data: func(t *seededTx, b *smtp.Body) ([]smtp.RcptStatus, error) {
				busy.Lock()
				n++
				eighth := n == 8 // is lost
				busy.Unlock()
				if eighth {
					b.WriteTo(io.Discard)
					return smtp.Accepted(len(t.rcpts)), nil
				}
				return t.store(b)
			}}
		},
		"every octet is kept": func() *seeded {
			return &seeded{keep: func(s string) string { return strings.ReplaceAll(s, "\n.\r", "\n\r") }}
		},
		"an empty body is a body": statuses(func(t *seededTx, b body) ([]smtp.RcptStatus, error) {
			if b.Size() == 0 {
				return nil, errors.New("nothing")
			}
			return t.store(b)
		}),
		"a hundred recipients at once": func() *seeded {
			return &seeded{rcpt: func(t *seededTx, rs []*smtp.Recipient) []error {
				return t.take(rs[:min(len(rs), 50)])
			}}
		},
		"the mail is not changed": func() *seeded {
			return &seeded{begin: func(m *smtp.Mail) error {
				m.Params.EnvelopeID = ""
				return nil
			}}
		},
		"nothing is read twice": statuses(func(t *seededTx, b body) ([]smtp.RcptStatus, error) {
			var inner io.Reader
			b.Wrap(func(r io.Reader) io.Reader { inner = r; return r })
			st, err := t.store(b)
			if err == nil {
				inner.Read(make([]byte, 1))
			}
			return st, err
		}),
		"one transaction does not disturb another": func() *seeded {
			r := &seeded{}
			r.rcpt = func(t *seededTx, rs []*smtp.Recipient) []error {
				r.shared = t // the one that spoke last
				return t.take(rs)
			}
			r.data = func(_ *seededTx, b *smtp.Body) ([]smtp.RcptStatus, error) { return r.shared.store(b) }
			return r
		},
	}
}

var defect = flag.String("defect", "", "the defect of TestDefect's receiver")

// TestDefect judges the receiver with the defect that -defect names; TestBroken
// runs it and wants it to fail.
func TestDefect(t *testing.T) {
	smtptest.TestReceiver(t, smtptest.Suite{
		New: func(*testing.T) smtp.Receiver {
			if f := defects()[*defect]; f != nil {
				return f()
			}
			return &seeded{}
		},
		Bad: "bad@example.net",
		Stored: func(_ *testing.T, r smtp.Receiver) []string {
			s := r.(*seeded)
			s.mu.Lock()
			defer s.mu.Unlock()
			return slices.Clone(s.bodies)
		},
	})
}

var verdict = regexp.MustCompile(`(?m)^    --- (PASS|FAIL): TestDefect/(\S+) `)

// TestBroken: each rule of the suite finds the receiver that breaks it.
func TestBroken(t *testing.T) {
	cases := run(t, "") // a sound one
	names := defects()
	for rule, result := range cases {
		if result != "PASS" {
			t.Errorf("a sound receiver breaks %q", rule)
		}
		name := strings.ReplaceAll(rule, "_", " ")
		if names[name] == nil {
			t.Errorf("no receiver breaks %q", name)
			continue
		}
		if got := run(t, name); got[rule] != "FAIL" {
			t.Errorf("a receiver that breaks %q passes", name)
		}
	}
	if len(cases) != len(names) {
		t.Errorf("%d rules, %d broken receivers", len(cases), len(names))
	}
}

// run returns the result of each rule for the receiver with a defect.
func run(t *testing.T, name string) map[string]string {
	t.Helper()
	out, _ := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDefect$", "-test.v", "-defect="+name).CombinedOutput()
	results := map[string]string{}
	for _, m := range verdict.FindAllStringSubmatch(string(out), -1) {
		results[m[2]] = m[1]
	}
	if len(results) == 0 {
		t.Fatalf("no results:\n%s", out)
	}
	return results
}
