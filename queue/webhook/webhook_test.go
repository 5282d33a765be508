package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/queue/suppress"
	"github.com/mailstead/mailstead/queue/webhook"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// site is the other side: a transport that judges requests as an endpoint would.
type site struct {
	t       *testing.T
	secrets []webhook.Secret

	mu     sync.Mutex
	answer func(n int) (code int, header http.Header) // nil = 204
	seen   []string                                   // "kind recipient", of each event told
	ids    map[string]int
	n      int
	now    func() time.Time
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "crm.example.org" {
		s.t.Errorf("asked %s", r.URL.Host)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if s.now != nil {
		now = s.now()
	}
	id, err := webhook.Verify(r.Header, body, now, s.secrets...)
	if err != nil {
		s.t.Errorf("not to be believed: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	code, header := http.StatusNoContent, http.Header{}
	if s.answer != nil {
		code, header = s.answer(s.n)
	}
	s.n++
	if code == 0 {
		return nil, errors.New("connection refused")
	}
	if s.ids == nil {
		s.ids = make(map[string]int)
	}
	s.ids[id]++
	if code/100 == 2 {
		var p webhook.Payload
		if err := json.Unmarshal(body, &p); err != nil || p.Type != "queue.events" {
			s.t.Errorf("%v: %s", err, body)
		}
		for _, e := range p.Data.Events {
			s.seen = append(s.seen, e.Kind+" "+strings.Join(e.Recipients, ","))
		}
	}
	return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader("ok")), Request: r}, nil
}

func (s *site) told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.seen))
}

// requests is how many there were.
func (s *site) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// answers sets what the site says.
func (s *site) answers(f func(n int) (int, http.Header)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// world is a queue that tells a site.
type world struct {
	q     *queue.Queue
	r     *queue.Runner
	store *memqueue.Storage
	hooks *webhook.Hooks
	site  *site
	stop  func()
}

type router struct{ take smtp.EachRcpt }

func (router) Key(p smtp.ForwardPath) string { return p.Domain }

func (r router) Route(_ context.Context, j *queue.Job) ([]queue.Hop, error) {
	hop := queue.Hop{Receiver: r.take, Name: "mx." + j.Destination}
	for i := range j.Recipients {
		hop.Recipients = append(hop.Recipients, i)
	}
	return []queue.Hop{hop}, nil
}

// inWorld runs f where mail to refused@… fails and to later@… is deferred.
func inWorld(t *testing.T, e webhook.Endpoint, f func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, secrets: e.Secrets}
		w := &world{store: &memqueue.Storage{}, site: s}
		w.hooks = &webhook.Hooks{Endpoints: []webhook.Endpoint{e}, Client: &http.Client{Transport: s}, Logger: slog.New(slog.DiscardHandler)}
		take := smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, body *smtp.Body) ([]smtp.RcptStatus, error) {
			io.Copy(io.Discard, body)
			statuses := smtp.Accepted(len(env.Recipients))
			for i, r := range env.Recipients {
				switch r.ForwardPath.Local {
				case "refused":
					statuses[i] = smtp.RcptStatus{Err: smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "nobody")}
				case "later":
					statuses[i] = smtp.RcptStatus{Err: smtp.Errorf(450, smtp.EnhancedCode{Class: 4, Subject: 2}, "later")}
				}
			}
			return statuses, nil
		})
		route := w.hooks.Router(router{take})
		w.q = &queue.Queue{Storage: w.store, Blobs: memblob.New(), Router: route, Notify: w.hooks.Notify}
		w.r = &queue.Runner{Queue: w.q, Router: route, Reporter: silent{}, Logger: slog.New(slog.DiscardHandler)}
		w.q.Kick = w.r.Kick
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.r.Run(ctx) }()
		w.stop = func() { cancel(); <-done }
		f(t, w)
		w.stop()
	})
}

type silent struct{}

func (silent) Report(context.Context, *queue.Job, []queue.Result) ([]queue.Report, error) {
	return nil, nil
}

func (w *world) send(t *testing.T, once string, to ...string) {
	t.Helper()
	from, err := smtp.ParseMailbox("alice@example.org", false)
	if err != nil {
		t.Fatal(err)
	}
	env := &smtp.Envelope{Mail: &smtp.Mail{ID: smtp.NewID(), ReversePath: smtp.ReversePath{Path: from}, Once: once}}
	for _, text := range to {
		p, err := smtp.ParseMailbox(text, false)
		if err != nil {
			t.Fatal(err)
		}
		env.Recipients = append(env.Recipients, &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: p}})
	}
	if err := w.q.Enqueue(t.Context(), env, strings.NewReader("Subject: x\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func endpoint() webhook.Endpoint {
	return webhook.Endpoint{Name: "crm", URL: "https://crm.example.org/hook", Secrets: []webhook.Secret{webhook.NewSecret()}}
}

// Each event is told, and webhooks cause none.
func TestTold(t *testing.T) {
	inWorld(t, endpoint(), func(t *testing.T, w *world) {
		w.send(t, "", "a@example.net", "refused@example.net", "later@example.net")
		time.Sleep(time.Second)
		want := []string{"accepted a@example.net,refused@example.net,later@example.net", "delivered a@example.net", "failed refused@example.net"}
		if got := w.site.told(); !slices.Equal(got, want) {
			t.Errorf("%q\nwant %q", got, want)
		}
		w.send(t, "", "b@example.com")
		time.Sleep(time.Second)
		if got := w.site.told(); len(got) != 5 {
			t.Errorf("%q", got)
		}
		if s, err := w.store.Stats(t.Context()); err != nil || s.Jobs != 1 {
			t.Errorf("%+v, %v: one recipient is deferred, and nothing else is left", s, err)
		}
	})
}

// What an endpoint wants, and how much it sees.
func TestChoice(t *testing.T) {
	e := endpoint()
	e.Kinds = []queue.EventKind{queue.EventDeferred, queue.EventFailed}
	e.Wants = func(ev *queue.Event) bool { return ev.Job.Destination != "secret.example" }
	e.DomainsOnly = true
	inWorld(t, e, func(t *testing.T, w *world) {
		w.send(t, "", "a@example.net", "refused@example.net", "later@example.net", "refused@secret.example")
		time.Sleep(time.Second)
		want := []string{"deferred example.net", "failed example.net"}
		if got := w.site.told(); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// DomainsOnly leaves local parts out of everything that this host and others write.
func TestDomainsOnly(t *testing.T) {
	e := endpoint()
	e.DomainsOnly = true
	h := &webhook.Hooks{Endpoints: []webhook.Endpoint{e}}
	j := &queue.Job{
		Destination: "local/bob@example.net", Identity: "alice@example.org", Hold: "budget: more than 300 messages an hour of alice@example.org",
		ReversePath: smtp.ReversePath{Path: smtp.Path{Local: "alice", Domain: "example.org"}},
		Recipients:  []queue.Recipient{{Recipient: smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: smtp.Path{Local: "bob", Domain: "example.net"}}}}},
	}
	reply := smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "<bob@example.net>: no such user")
	jobs := h.Notify([]queue.Event{{Kind: queue.EventFailed, Job: j, Result: queue.Result{Reply: reply}}})
	if len(jobs) != 1 {
		t.Fatal(len(jobs))
	}
	told := string(jobs[0].Prefix)
	if strings.Contains(told, "bob") || strings.Contains(told, "alice") {
		t.Errorf("told %s", told)
	}
	for _, want := range []string{`"reply":"550 5.1.1"`, `"hold":"held"`, `"destination":"local"`, `"recipients":["example.net"]`} {
		if !strings.Contains(told, want) {
			t.Errorf("%s is missing in %s", want, told)
		}
	}
}

// An endpoint that is down holds no mail up, gets everything later under the same
// ids, and in the end nothing.
func TestDown(t *testing.T) {
	for _, test := range []struct {
		down time.Duration
		told int
	}{{2 * time.Hour, 2}, {80 * time.Hour, 0}} {
		inWorld(t, endpoint(), func(t *testing.T, w *world) {
			start := time.Now()
			w.site.answers(func(n int) (int, http.Header) {
				if time.Since(start) < test.down {
					return []int{0, 500, 404, 302, 401}[n%5], http.Header{"Location": {"https://elsewhere.example.org/"}}
				}
				return 200, nil
			})
			w.send(t, "", "a@example.net")
			if s, _ := w.store.Stats(t.Context()); s.Jobs != 2 {
				t.Errorf("%+v: the mail is gone, two webhooks wait", s)
			}
			time.Sleep(test.down + 6*time.Hour)
			if got := w.site.told(); len(got) != test.told {
				t.Errorf("down for %v: %q", test.down, got)
			}
			if s, _ := w.store.Stats(t.Context()); s.Jobs != 0 || len(w.site.ids) > 2 {
				t.Errorf("%+v, ids %v", s, w.site.ids)
			}
		})
	}
}

// 410 ends it; 503 with Retry-After gets time.
func TestReplies(t *testing.T) {
	inWorld(t, endpoint(), func(t *testing.T, w *world) {
		w.site.answers(func(int) (int, http.Header) { return http.StatusGone, nil })
		w.send(t, "", "a@example.net")
		w.send(t, "", "b@example.net")
		time.Sleep(24 * time.Hour)
		if s, _ := w.store.Stats(t.Context()); s.Jobs != 0 || w.site.requests() > 2 {
			t.Errorf("%+v after %d requests", s, w.site.requests())
		}
		if jobs := w.hooks.Notify([]queue.Event{{Job: &queue.Job{Destination: "example.net"}}}); len(jobs) != 0 {
			t.Errorf("%d jobs for who wants no more", len(jobs))
		}
	})
	inWorld(t, endpoint(), func(t *testing.T, w *world) {
		w.site.answers(func(n int) (int, http.Header) {
			if n == 0 {
				return http.StatusServiceUnavailable, http.Header{"Retry-After": {"3000"}}
			}
			return 200, nil
		})
		w.send(t, "", "a@example.net")
		time.Sleep(49 * time.Minute)
		if w.site.requests() > 1 {
			t.Errorf("%d requests before the time was over", w.site.requests())
		}
		time.Sleep(4 * time.Hour)
		if got := w.site.told(); len(got) != 2 {
			t.Errorf("%q", got)
		}
	})
}

// What is told comes into being with what it tells of, and not twice for a message
// that is put twice.
func TestSameCommit(t *testing.T) {
	inWorld(t, endpoint(), func(t *testing.T, w *world) {
		w.site.answers(func(int) (int, http.Header) { return 500, nil })
		w.send(t, "once", "later@example.net")
		w.send(t, "once", "later@example.net")
		if s, _ := w.store.Stats(t.Context()); s.Jobs != 2 {
			t.Errorf("%+v: a message and a webhook", s)
		}
	})
}

// A webhook that an operator has rerouted with the mail around it is told all the
// same: it does not leave as mail, nor is it told of.
func TestRerouted(t *testing.T) {
	inWorld(t, endpoint(), func(t *testing.T, w *world) {
		w.site.answers(func(int) (int, http.Header) { return 500, nil })
		w.send(t, "", "a@example.net")
		to := "via:example.com"
		if n, err := w.store.Edit(t.Context(), queue.Filter{}, queue.Edit{Destination: &to}); err != nil || n != 2 {
			t.Fatal(n, err)
		}
		w.site.answers(func(int) (int, http.Header) { return 204, nil })
		time.Sleep(24 * time.Hour)
		want := []string{"accepted a@example.net", "delivered a@example.net"}
		if got := w.site.told(); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// What an endpoint says is no word about an address (suppress.List.Record).
func TestNoBounce(t *testing.T) {
	for name, code := range map[string]int{"crm": http.StatusGone, "old": 0} {
		var replies []smtp.Reply
		synctest.Test(t, func(t *testing.T) {
			e := endpoint()
			s := &site{t: t, secrets: e.Secrets, answer: func(int) (int, http.Header) { return code, nil }}
			h := &webhook.Hooks{Endpoints: []webhook.Endpoint{e}, Client: &http.Client{Transport: s}, Logger: slog.New(slog.DiscardHandler)}
			q := &queue.Queue{Storage: &memqueue.Storage{}, Blobs: memblob.New(), Router: router{}}
			r := &queue.Runner{Queue: q, Router: h.Router(router{}), Reporter: silent{}, Logger: slog.New(slog.DiscardHandler)}
			r.Record = func(_ *queue.Job, results []queue.Result, _ time.Time) []queue.Entry {
				replies = append(replies, results[0].Reply)
				return nil
			}
			if err := q.Put(t.Context(), queue.Job{ID: "1", Destination: "webhook:" + name, Kind: "webhook:" + name, Created: time.Now(), Recipients: make([]queue.Recipient, 1)}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			r.Run(ctx)
		})
		if len(replies) != 1 || !replies[0].Permanent() || suppress.Hard(replies[0]) {
			t.Errorf("%s: %v", name, replies)
		}
	}
}

// Where nobody writes reports, mail that fails is held and a webhook that is given
// up is dropped, if the operator says so.
func TestGivenUpWithoutReporter(t *testing.T) {
	for _, discard := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			e := endpoint()
			s := &site{t: t, secrets: e.Secrets, answer: func(int) (int, http.Header) { return http.StatusInternalServerError, nil }}
			h := &webhook.Hooks{Endpoints: []webhook.Endpoint{e}, Client: &http.Client{Transport: s}, Logger: slog.New(slog.DiscardHandler), GiveUp: time.Hour}
			q := &queue.Queue{Storage: &memqueue.Storage{}, Blobs: memblob.New(), Router: router{}}
			r := &queue.Runner{Queue: q, Router: h.Router(router{}), Logger: slog.New(slog.DiscardHandler)}
			if discard {
				r.Discard = webhook.Is
			}
			jobs := h.Notify([]queue.Event{{Kind: queue.EventDelivered, Job: &queue.Job{ID: "m"}, Recipient: &queue.Recipient{}, Final: true}})
			jobs = append(jobs, queue.Job{ID: "mail", Destination: "x.example", Bounce: "refused", Created: time.Now(), Recipients: make([]queue.Recipient, 1)})
			if err := q.Put(t.Context(), jobs...); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
			defer cancel()
			r.Run(ctx)
			var held []string
			for j, err := range q.Storage.List(t.Context(), queue.Filter{}) {
				if err != nil || j.Hold == "" {
					t.Errorf("%+v, %v", j, err)
					continue
				}
				held = append(held, j.Kind)
			}
			slices.Sort(held)
			want := []string{"", "webhook:crm"}
			if discard {
				want = want[:1]
			}
			if !slices.Equal(held, want) || s.requests() == 0 {
				t.Errorf("held %q, want %q, after %d requests", held, want, s.requests())
			}
		})
	}
}

// A request goes to an https address only, and to no private one.
func TestWhereTo(t *testing.T) {
	for url, want := range map[string]string{
		"http://crm.example.org/":  "550 5.3.5",
		"ftp://crm.example.org/":   "550 5.3.5",
		"https://127.0.0.1:1/":     "450 4.4.1",
		"https://[::ffff:7f00:1]/": "450 4.4.1",
		":":                        "550 5.3.5",
	} {
		h := &webhook.Hooks{Endpoints: []webhook.Endpoint{{Name: "x", URL: url}}}
		hops, err := h.Router(router{}).Route(t.Context(), &queue.Job{Kind: "webhook:x", Recipients: make([]queue.Recipient, 1)})
		if err != nil || len(hops) != 1 {
			t.Fatal(hops, err)
		}
		tx, _ := hops[0].Receiver.Begin(t.Context(), &smtp.Mail{Once: "id"})
		tx.Rcpt(t.Context(), make([]*smtp.Recipient, 1))
		_, err = tx.Data(t.Context(), smtp.NewStoredBody(strings.NewReader(""), 0, nil, []byte("{}")))
		reply := smtp.ReplyOf(err)
		if got := fmt.Sprint(reply.Code, " ", reply.Enhanced); got != want || strings.Contains(reply.String(), "example.org") {
			t.Errorf("%s: %s (%v)", url, got, err)
		}
	}
	h := &webhook.Hooks{}
	hops, err := h.Router(router{}).Route(t.Context(), &queue.Job{Kind: "webhook:old", Recipients: make([]queue.Recipient, 1)})
	if err != nil || len(hops) != 1 || !smtp.IsPermanent(hops[0].Err) {
		t.Errorf("an endpoint that is no more: %v, %v", hops, err)
	}
}
