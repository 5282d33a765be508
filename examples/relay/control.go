package main

import (
	"net/http"
	"os"
	"time"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/examples/internal/queuecontrol"
	"github.com/mailstead/mailstead/store/control"
)

// controlPart is the socket in the data directory, by which mailctl asks for the
// queue. The relay runs without where there is no room for one.
func (r *relay) controlPart() (part, bool) {
	l, err := control.Listen(r.o.data)
	if err != nil {
		r.log.Warn("no control socket: mailctl cannot talk to this relay", "error", err)
		return part{}, false
	}
	l.Logger = r.log
	srv := &control.Server{Handler: r.controls(), Logger: r.log}
	return part{name: "control", l: l, serve: srv.Serve, shutdown: srv.Shutdown}, true
}

// controls are the requests that it answers.
func (r *relay) controls() http.Handler {
	q := &queuecontrol.Queue{Storage: r.storage, Runner: r.runner, Logger: r.log, OneWay: r.o.relay != ""}
	started := time.Now().UTC().Truncate(time.Second)
	mux := http.NewServeMux()
	handle := func(pattern string, f func(*http.Request) (any, error)) {
		mux.Handle(pattern, control.Handle(func(req *http.Request) (any, error) {
			v, err := f(req)
			return v, queuecontrol.Error(err)
		}))
	}
	mux.Handle("/", control.NotFound())
	q.Handle(handle)
	handle("GET /v1/status", func(req *http.Request) (any, error) {
		st, err := q.Stats(req.Context())
		return &statusAnswer{PID: os.Getpid(), Started: started, Queue: st}, err
	})
	return mux
}

// statusAnswer is the answer to GET /v1/status.
type statusAnswer struct {
	PID     int               `json:"pid"`
	Started time.Time         `json:"started"`
	Queue   answer.QueueStats `json:"queue"`
}
