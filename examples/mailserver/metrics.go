package main

import (
	"strings"

	"github.com/mailstead/mailstead/examples/internal/program"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/metrics"
	"github.com/mailstead/mailstead/queue/webhook"
)

// measure counts what the queue does with mail, for /debug/vars. Where nobody
// can read it, nothing is counted.
func (s *server) measure() {
	m := &metrics.Metrics{
		Runner: s.runner,
		Ignore: func(j *queue.Job) bool { return strings.HasPrefix(j.Kind, webhook.Prefix) },
	}
	s.queue.Event, s.runner.Event = m.Event, m.Event
	s.web.Publish("queue", program.QueueVars(m, s.log))
}
