package program

import (
	"context"
	"log/slog"
	"time"

	"github.com/mailstead/mailstead/queue/metrics"
)

// statsTime bounds how long a reader of /debug/vars waits for the storage.
const statsTime = 5 * time.Second

type queueVars struct {
	Events   metrics.Events    `json:"events"`
	Deferred map[string]uint64 `json:"deferred"` // by subject of the enhanced status code
	Latency  latencyVars       `json:"latency"`
	Load     loadVars          `json:"load"`
	Jobs     *jobVars          `json:"jobs,omitempty"` // none = the storage has not answered yet
}

type latencyVars struct {
	Bounds []float64 `json:"bounds_seconds"`
	Counts []uint64  `json:"counts"` // one more: what took longer
	Sum    float64   `json:"sum_seconds"`
}

type loadVars struct {
	Attempts     int `json:"attempts"`
	Workers      int `json:"workers"`
	Destinations int `json:"destinations"`
	Waiting      int `json:"waiting"`
	Down         int `json:"down"`
}

type jobVars struct {
	Jobs         int64      `json:"jobs"`
	Held         int64      `json:"held"`
	Leased       int64      `json:"leased"`
	Destinations int64      `json:"destinations"`
	Oldest       *time.Time `json:"oldest,omitempty"`
	At           time.Time  `json:"at"`
}

// QueueVars are the numbers of a queue, for Web.Publish.
func QueueVars(m *metrics.Metrics, log *slog.Logger) func(context.Context) any {
	return func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, statsTime)
		defer cancel()
		s, err := m.Snapshot(ctx)
		if err != nil {
			log.WarnContext(ctx, "metrics: the queue cannot be counted", "error", err)
		}
		return varsOf(&s)
	}
}

func varsOf(s *metrics.Snapshot) queueVars {
	v := queueVars{
		Events: s.Events, Deferred: make(map[string]uint64), Load: loadVars(s.Load),
		Latency: latencyVars{Counts: s.Latency.Counts[:], Sum: s.Latency.Sum.Seconds()},
	}
	for i, n := range s.Deferred {
		v.Deferred[metrics.SubjectName(i)] = n
	}
	for _, b := range metrics.Bounds() {
		v.Latency.Bounds = append(v.Latency.Bounds, b.Seconds())
	}
	if s.QueueAt.IsZero() {
		return v
	}
	q := s.Queue
	v.Jobs = &jobVars{Jobs: q.Jobs, Held: q.Held, Leased: q.Leased, Destinations: q.Destinations, At: s.QueueAt.UTC()}
	if !q.Oldest.IsZero() {
		oldest := q.Oldest.UTC()
		v.Jobs.Oldest = &oldest
	}
	return v
}
