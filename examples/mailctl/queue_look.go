package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlqueue"
)

type queueStatsCmd struct{}

// Run counts jobs.
func (queueStatsCmd) Run(a *app) error {
	var x answer.QueueStats
	err := a.withQueue(func(s *sqlqueue.Storage) error {
		st, err := s.Stats(a.ctx)
		x = answer.QueueStatsOf(st)
		return err
	}, func(s *server) error { return s.Do(a.ctx, http.MethodGet, "/v1/queue/stats", nil, &x) })
	if err != nil {
		return err
	}
	line := fmt.Sprintf("%d jobs to %d destinations, %d held, %d under way", x.Jobs, x.Destinations, x.Held, x.Leased)
	if x.Oldest != nil {
		line += ", the oldest of " + x.Oldest.Local().Format(time.DateTime)
	}
	return a.result(x, line)
}

type queueShapeCmd struct {
	filter
	By  string `help:"What a row is for." enum:"destination,sender,identity" default:"destination"`
	Top int    `help:"At most so many rows, the fullest first; 1 to 1000." default:"20"`
}

// Run counts jobs by age.
func (c *queueShapeCmd) Run(a *app) error {
	if c.Top < 1 || c.Top > 1000 {
		return &useError{"--top is 1 to 1000"}
	}
	var x answer.Shape
	by, _ := answer.ShapeBy(c.By)
	err := a.withQueue(func(s *sqlqueue.Storage) error {
		rows, err := queue.Shape(a.ctx, s, c.queue(), by, time.Now(), c.Top)
		x = answer.ShapeOf(rows)
		return err
	}, func(s *server) error {
		q := c.values()
		for _, id := range c.IDs {
			q.Add("id", id)
		}
		q.Set("by", c.By)
		q.Set("top", fmt.Sprint(c.Top))
		return s.Do(a.ctx, http.MethodGet, "/v1/queue/shape?"+q.Encode(), nil, &x)
	})
	if err != nil {
		return err
	}
	return a.result(x, shapeLines(&x)...)
}

// lines are a table with the keys on the left, as wide as the longest.
func shapeLines(x *answer.Shape) []string {
	wide := len("minutes")
	for _, r := range x.Rows {
		wide = max(wide, len(shown(r.Key)))
	}
	var head strings.Builder
	fmt.Fprintf(&head, "%*s %7s", wide, "minutes", "total")
	for _, age := range queue.ShapeAges() {
		fmt.Fprintf(&head, " %6d", int(age.Minutes()))
	}
	head.WriteString("  older")
	lines := []string{head.String()}
	for _, r := range x.Rows {
		var b strings.Builder
		fmt.Fprintf(&b, "%*s %7d", wide, shown(r.Key), r.Total)
		for _, n := range r.Ages {
			fmt.Fprintf(&b, " %6d", n)
		}
		lines = append(lines, b.String())
	}
	return lines
}

// shown names what has no name: the null sender, or no identity.
func shown(key string) string {
	if key == "" {
		return "<>"
	}
	return key
}
