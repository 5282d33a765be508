package auth

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dnsx"
)

// blackHole never answers.
type blackHole struct{}

func (blackHole) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	<-ctx.Done()
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrTimeout, Err: ctx.Err()}
}

// partly answers all but one name.
type partly struct {
	zone   *zone
	silent string
}

func (p partly) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	if name == p.silent {
		return blackHole{}.Lookup(ctx, name, t)
	}
	return p.zone.Lookup(ctx, name, t)
}

// TestRoundTrips: the questions of a message wait for each other at most three
// times, and those of SPF not for the message.
func TestRoundTrips(t *testing.T) {
	const trip = 50 * time.Millisecond
	sub := strings.Replace(plain, "joe@example.org", "joe@news.example.org", 1)
	tests := []struct {
		name, message string
		session       Session
		most          int
		result        authres.Result
	}{
		{"signed by the author's domain", plain, session, 2, dmarc.Pass},
		{"signed by the domain above the author's", sub, session, 3, dmarc.Pass},
		{"by SPF, with an include and an a", plain, Session{IP: client, Helo: "mx.example.org", MailFrom: "x@spf.example.org"}, 3, dmarc.Pass},
		{"no policy", strings.Replace(plain, "example.org", "a.b.example.com", 1), session, 2, dmarc.None},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.records["spf.example.org TXT"] = []string{"v=spf1 include:other.example a:mx.example.org -all"}
				w.records["other.example TXT"] = []string{"v=spf1 ip4:203.0.113.1 -all"}
				w.delay = trip
				message := sign(t, test.message, w.keys...)
				start := time.Now()
				r, err := (&Verifier{Resolver: w}).Verify(t.Context(), test.session, strings.NewReader(message))
				took := time.Since(start)
				if err != nil || r.DMARC.Result != test.result || r.DKIM.Results[0].Result != authres.Pass {
					t.Errorf("%v %s", err, words(r))
				}
				if took > time.Duration(test.most)*trip {
					t.Errorf("%v with %d questions", took, r.Questions)
				}
				t.Logf("%v, %d questions: %v", took, r.Questions, w.asked)
			})
		})
	}
}

// TestSPFBeginsAtMail: what SPF asks for is known when a slow message is there.
func TestSPFBeginsAtMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.delay = time.Second
		v := &Verifier{Resolver: w}
		m := v.Start(t.Context(), session)
		time.Sleep(3 * time.Second)
		m.Write([]byte(plain[:len(plain)-3]))
		time.Sleep(3 * time.Second)
		start := time.Now()
		if r := m.Finish(t.Context()); time.Since(start) != 0 || r.DMARC.Result != dmarc.Pass {
			t.Errorf("%v: %s", time.Since(start), words(r))
		}
		v.Wait()
	})
}

// TestDeadline: a resolver that does not answer delays a message by the time of
// the Verifier, and nothing passes or is refused for it.
func TestDeadline(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			v := &Verifier{Resolver: blackHole{}, Timeout: timeout, Methods: []Method{fake{}}}
			start := time.Now()
			r, _ := v.Verify(t.Context(), session, strings.NewReader(sign(t, plain, w.keys...)))
			most := timeout
			if most == 0 {
				most = 5 * time.Second
			}
			if took := time.Since(start); took > most {
				t.Errorf("%v", took)
			}
			if got := words(r); got != "spf=temperror spf=temperror dkim=temperror dkim=temperror arc=temperror dmarc=temperror " {
				t.Error(got)
			}
			if d := (&Policy{}).Decide(r); d.Action != Accept {
				t.Errorf("%+v", d)
			}
			v.Wait()
		})
	}
}

// TestSilentKey: a key that nobody serves takes no time from the question who is
// aligned.
func TestSilentKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.delay = 10 * time.Millisecond
		w.records["_dmarc.a.example.org TXT"] = []string{"v=DMARC1; p=reject"}
		junk := w.keys[0]
		junk.Domain = "junk.example"
		message := sign(t, sign(t, strings.Replace(plain, "joe@", "joe@a.", 1), w.keys[0]), junk)
		v := &Verifier{Resolver: partly{&w.zone, "rsa._domainkey.junk.example"}}
		start := time.Now()
		r, _ := v.Verify(t.Context(), Session{IP: stranger, MailFrom: "a@other.example"}, strings.NewReader(message))
		if r.DMARC.Result != dmarc.Pass || time.Since(start) > 5*time.Second {
			t.Errorf("%v: %s %v", time.Since(start), words(r), r.DMARC.Err)
		}
	})
}

// TestAbort: a transaction that is given up leaves nothing behind.
func TestAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &Verifier{Resolver: blackHole{}}
		m := v.Start(t.Context(), session)
		m.Write([]byte("From: a@example.org\r\n\r\n"))
		start := time.Now()
		m.Abort()
		m.Abort()
		v.Wait()
		if took := time.Since(start); took > 0 {
			t.Errorf("%v", took)
		}
		_, err := v.Verify(t.Context(), session, errReader{})
		if !errors.Is(err, errRead) || time.Since(start) > 0 {
			t.Error(err, time.Since(start))
		}
	})
}

var errRead = errors.New("read")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errRead }

// fake is a Method that asks one question.
type fake struct{ vouched string }

type fakeRun struct {
	fake
	in    Input
	count int
}

func (f fake) Start(in Input) Evaluation { return &fakeRun{fake: f, in: in} }

func (f *fakeRun) Write(p []byte) (int, error) {
	f.count += len(p)
	return len(p), nil
}

func (f *fakeRun) Finish(ctx context.Context) Finding {
	found := Finding{Statements: []authres.Statement{{Method: authres.ARC, Result: authres.Pass}}, Vouched: f.vouched, Value: f.count}
	if _, err := f.in.Resolver.Lookup(ctx, "arc.example.org", dnsx.TXT); err != nil && !dnsx.NotFound(err) {
		found = Finding{Statements: []authres.Statement{{Method: authres.ARC, Result: authres.TempError}}, Err: err}
	}
	return found
}
