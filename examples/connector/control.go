package main

import (
	"net/http"
	"os"
	"time"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/store/control"
)

// controls answer on the socket in the data directory.
type controls struct {
	d      *daemon
	server *control.Server
}

// openControl makes the socket. The connector runs without where there is no
// room for one.
func (d *daemon) openControl() {
	l, err := control.Listen(d.svc.dir)
	if err != nil {
		d.a.log.Warn("no control socket: status cannot ask this connector", "error", err)
		return
	}
	l.Logger = d.a.log
	c := &controls{d: d}
	mux := http.NewServeMux()
	mux.Handle("/", control.NotFound())
	mux.Handle("GET /v1/connector/status", control.Handle(c.status))
	mux.Handle("POST /v1/connector/kick", control.Handle(c.kick))
	c.server = &control.Server{Handler: mux, Logger: d.a.log}
	d.control = c
	d.wg.Go(func() { c.server.Serve(l) })
}

// statusAnswer is how everything stands.
type statusAnswer struct {
	Running bool           `json:"running"`
	PID     int            `json:"pid,omitempty"`
	Started *time.Time     `json:"started,omitempty"`
	Sources []sourceStatus `json:"sources"`
	Queue   *queueStatus   `json:"queue,omitempty"`
}

// queueStatus is what waits in the queue.
type queueStatus struct {
	Jobs int64 `json:"jobs"`
	Held int64 `json:"held"`
}

// sourceStatus is how a source stands.
type sourceStatus struct {
	Name     string     `json:"name"`
	Disabled bool       `json:"disabled,omitempty"`
	Phase    string     `json:"phase"`
	Listed   int        `json:"listed"` // on the server, at the latest pass
	Left     int        `json:"left"`   // of these, not collected yet
	Last     *time.Time `json:"last_pass,omitempty"`
	Next     *time.Time `json:"next_pass,omitempty"`
	Error    string     `json:"error,omitempty"`
	Failed   int        `json:"failed_passes,omitempty"`

	Counts *sourceCounts `json:"counts,omitempty"` // since the configuration was read

	Remembered int        `json:"remembered,omitempty"` // messages in the state
	Newest     *time.Time `json:"last_fetched,omitempty"`
}

type sourceCounts struct {
	Fetched     int64 `json:"fetched"`
	Quarantined int64 `json:"quarantined"`
	Deferred    int64 `json:"deferred"`
	Skipped     int64 `json:"skipped"`
	Removed     int64 `json:"removed"`
	Bytes       int64 `json:"bytes"`
}

func (c *controls) status(r *http.Request) (any, error) {
	g := c.d.generation()
	started := c.d.svc.start.UTC().Truncate(time.Second)
	a := &statusAnswer{Running: true, PID: os.Getpid(), Started: &started, Sources: []sourceStatus{}}
	for _, st := range g.collector.Status() {
		a.Sources = append(a.Sources, liveStatus(&st))
	}
	for _, src := range g.s.Sources {
		if src.Disabled {
			a.Sources = append(a.Sources, sourceStatus{Name: src.Name, Disabled: true, Phase: "disabled"})
		}
	}
	if g.runner != nil {
		q, err := c.d.svc.queue.Stats(r.Context())
		if err != nil {
			return nil, err
		}
		a.Queue = &queueStatus{Jobs: q.Jobs, Held: q.Held}
	}
	return a, nil
}

func liveStatus(st *fetch.Status) sourceStatus {
	s := sourceStatus{
		Name: st.Source, Phase: st.Phase.String(), Listed: st.Listed, Left: st.Left, Last: known(st.Last), Next: known(st.Next), Failed: st.Failed,
		Counts: &sourceCounts{
			Fetched: st.Counts.Fetched, Quarantined: st.Counts.Quarantined, Deferred: st.Counts.Deferred,
			Skipped: st.Counts.Skipped, Removed: st.Counts.Removed, Bytes: st.Counts.Bytes,
		},
	}
	if st.Err != nil {
		s.Error = st.Err.Error()
	}
	return s
}

// known is t for an answer, where a time that is not known is left out.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// kick makes it the turn of a source, or of all.
func (c *controls) kick(r *http.Request) (any, error) {
	var in struct {
		Source string `json:"source"`
	}
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	g := c.d.generation()
	n := 0
	for _, src := range g.collector.Sources {
		if (in.Source == "" || in.Source == src.Name) && g.collector.Kick(src.Name) {
			n++
		}
	}
	if n == 0 {
		return nil, control.BadRequest("there is no source %s", in.Source)
	}
	return struct {
		Kicked int `json:"kicked"`
	}{n}, nil
}
