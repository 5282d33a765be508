// Package queuecontrol answers what an operator asks of a queue over the control
// socket of a program: the requests of "mailctl queue" that need the queue and its
// runner alone. See docs/guide/control.md.
package queuecontrol

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/control"
)

// Queue is what the requests are about. All fields but OneWay must be set.
type Queue struct {
	Storage queue.Storage
	Runner  *queue.Runner
	Logger  *slog.Logger
	OneWay  bool // all mail leaves by one host: nothing can be rerouted
}

// Handle gives handle each request, by its pattern of http.ServeMux.
func (q *Queue) Handle(handle func(pattern string, f func(*http.Request) (any, error))) {
	handle("GET /v1/queue/stats", func(r *http.Request) (any, error) { return q.Stats(r.Context()) })
	handle("GET /v1/queue/jobs", q.listJobs)
	handle("GET /v1/queue/jobs/{id}", q.showJob)
	handle("POST /v1/queue/hold", q.holdJobs)
	handle("POST /v1/queue/release", q.releaseJobs)
	handle("POST /v1/queue/retry", q.retryJobs)
	handle("POST /v1/queue/drop", q.dropJobs)
	handle("POST /v1/queue/reroute", q.rerouteJobs)
	handle("POST /v1/queue/bounce", q.bounceJobs)
	handle("GET /v1/queue/shape", q.queueShape)
	handle("GET /v1/queue/paused", q.listPaused)
	handle("POST /v1/queue/pause", q.pauseDestination)
	handle("POST /v1/queue/resume", q.resumeDestination)
}

// Stats are the counters of the queue.
func (q *Queue) Stats(ctx context.Context) (answer.QueueStats, error) {
	st, err := q.Storage.Stats(ctx)
	if err != nil {
		return answer.QueueStats{}, err
	}
	return answer.QueueStatsOf(st), nil
}

// Error gives the errors of a queue that an operator can do something about
// their codes; all others are as they were.
func Error(err error) error {
	switch {
	case errors.Is(err, queue.ErrClosed):
		return &control.Error{Status: http.StatusServiceUnavailable, Code: control.CodeStopping, Message: err.Error()}
	case errors.Is(err, queue.ErrCorrupt):
		return &control.Error{Status: http.StatusInternalServerError, Code: "damaged", Message: err.Error()}
	}
	return err
}
