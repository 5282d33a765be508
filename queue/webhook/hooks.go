package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// Endpoint is who is told.
type Endpoint struct {
	// Name is the endpoint's in destinations and logs: letters, digits, "-", "_"
	// and ".". It stays the same as long as jobs for it may be queued.
	Name string

	// URL is where to post: https, unless Insecure.
	URL string

	// Secrets sign what is posted, each of them: two while one takes the place of
	// the other. None = requests are not signed.
	Secrets []Secret

	// Kinds are those told; empty = all but deferred.
	Kinds []queue.EventKind

	// Wants, when not nil, chooses further. It must not block.
	Wants func(*queue.Event) bool

	// DomainsOnly leaves the local parts of addresses out, and with them the text of
	// replies, the reason of a hold, and the account of a local destination. An
	// ENVID is told as its sender wrote it.
	DomainsOnly bool

	// Insecure allows http, and addresses of private networks and of this host.
	Insecure bool
}

// Hooks are the endpoints of one queue. The fields are set before the first use.
type Hooks struct {
	Endpoints []Endpoint

	// Client posts; nil = one that verifies certificates, connects to public
	// addresses only, and gives up after 15 s. Redirects are never followed.
	Client *http.Client

	// GiveUp is how long a webhook is tried; zero = 3 days.
	GiveUp time.Duration

	Now    func() time.Time // nil = time.Now
	Logger *slog.Logger     // nil = slog.Default

	mu        sync.Mutex
	state     map[string]*state // by Name; guarded by mu
	transport *http.Transport   // guarded by mu
}

// state is what an endpoint has said.
type state struct {
	gone  bool      // it wants no more
	until time.Time // not before
}

// Prefix is that of the destinations and kinds (queue.Job.Kind) of webhooks; no
// domain begins so.
const Prefix = "webhook:"

// The recipient of a webhook is at the endpoint's name below a domain that nobody
// has (RFC 6761 §6.4).
const (
	recipient = "webhook"
	invalid   = ".invalid"
)

// nameOf is the endpoint of a job that is a webhook, wherever an operator has
// sent it (queue.Edit).
func nameOf(j *queue.Job) (string, bool) { return strings.CutPrefix(j.Kind, Prefix) }

// Is reports a job that is a webhook: for queue.Runner.Discard, where there is no
// Reporter, and for metrics.Metrics.Ignore.
func Is(j *queue.Job) bool {
	_, ok := nameOf(j)
	return ok
}

// maxEvents bounds the events of one request.
const maxEvents = 100

// Notify makes the jobs that tell of events; it is for queue.Queue.Notify.
func (h *Hooks) Notify(events []queue.Event) []queue.Job {
	if len(events) == 0 {
		return nil
	}
	if _, own := nameOf(events[0].Job); own {
		return nil
	}
	var jobs []queue.Job
	for i := range h.Endpoints {
		e := &h.Endpoints[i]
		if h.isGone(e.Name) {
			continue
		}
		wanted := e.choose(events)
		for chunk := range slices.Chunk(wanted, maxEvents) {
			jobs = append(jobs, h.job(e, chunk, len(jobs)))
		}
	}
	return jobs
}

// choose are the events that an endpoint is told of.
func (e *Endpoint) choose(events []queue.Event) (wanted []*queue.Event) {
	for i := range events {
		ev := &events[i]
		switch {
		case len(e.Kinds) == 0 && ev.Kind == queue.EventDeferred:
		case len(e.Kinds) > 0 && !slices.Contains(e.Kinds, ev.Kind):
		case e.Wants != nil && !e.Wants(ev):
		default:
			wanted = append(wanted, ev)
		}
	}
	return wanted
}

// job is one request. All of it is in the Prefix, as there is no blob. Where the
// message had a key against being put twice, so has what tells of it.
func (h *Hooks) job(e *Endpoint, events []*queue.Event, n int) queue.Job {
	now := h.now()
	giveUp := h.GiveUp
	if giveUp <= 0 {
		giveUp = 3 * 24 * time.Hour
	}
	j := queue.Job{
		ID: smtp.NewID(), Message: smtp.NewID(), Destination: Prefix + e.Name, Kind: Prefix + e.Name, Created: now, Due: now, Expires: now.Add(giveUp),
		Prefix: e.payload(events, now),
		Recipients: []queue.Recipient{{Recipient: smtp.Recipient{
			ForwardPath: smtp.ForwardPath{Path: smtp.Path{Local: recipient, Domain: e.Name + invalid}},
			Params:      smtp.RcptParams{Notify: smtp.NotifyNever},
		}}},
	}
	if first := events[0]; first.Kind == queue.EventAccepted && first.Job.Once != "" {
		j.Once = Prefix + e.Name + ":" + string(rune('a'+n%26)) + ":" + first.Job.Once
	}
	return j
}

// Router is next, with the way to the endpoints beside it.
func (h *Hooks) Router(next queue.Router) queue.Router { return router{h, next} }

type router struct {
	h *Hooks
	queue.Router
}

// Route implements queue.Router.
func (r router) Route(ctx context.Context, j *queue.Job) ([]queue.Hop, error) {
	name, ok := nameOf(j)
	if !ok {
		return r.Router.Route(ctx, j)
	}
	hop := queue.Hop{Recipients: make([]int, len(j.Recipients)), Name: Prefix + name}
	for i := range hop.Recipients {
		hop.Recipients[i] = i
	}
	i := slices.IndexFunc(r.h.Endpoints, func(e Endpoint) bool { return e.Name == name })
	if i < 0 {
		hop.Err = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 3, Detail: 5}, "No such webhook")
		return []queue.Hop{hop}, nil
	}
	hop.Receiver = &poster{h: r.h, e: &r.h.Endpoints[i]}
	return []queue.Hop{hop}, nil
}

func (h *Hooks) isGone(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.state[name]
	return s != nil && s.gone
}

// until is before when nothing is to be posted to an endpoint.
func (h *Hooks) until(name string) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.state[name]; s != nil {
		return s.until
	}
	return time.Time{}
}

func (h *Hooks) remember(name string, f func(*state)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state == nil {
		h.state = make(map[string]*state)
	}
	s := h.state[name]
	if s == nil {
		s = &state{}
		h.state[name] = s
	}
	f(s)
}

func (h *Hooks) now() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return time.Now()
}

func (h *Hooks) log() *slog.Logger {
	if h.Logger != nil {
		return h.Logger
	}
	return slog.Default()
}
