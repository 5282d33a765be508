package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlqueue"
)

type queueStatsCmd struct{}

// statsAnswer counts jobs.
type statsAnswer struct {
	Jobs         int64      `json:"jobs"`
	Held         int64      `json:"held"`
	Leased       int64      `json:"leased"`
	Destinations int64      `json:"destinations"`
	Oldest       *time.Time `json:"oldest,omitempty"`
}

// Run counts jobs.
func (queueStatsCmd) Run(a *app) error {
	var x statsAnswer
	err := a.withQueue(func(s *sqlqueue.Storage) error {
		st, err := s.Stats(a.ctx)
		x = statsAnswer{Jobs: st.Jobs, Held: st.Held, Leased: st.Leased, Destinations: st.Destinations}
		if !st.Oldest.IsZero() {
			t := st.Oldest.UTC()
			x.Oldest = &t
		}
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

// shapeRow is one destination, sender or identity.
type shapeRow struct {
	Key   string  `json:"key"`
	Total int64   `json:"total"`
	Ages  []int64 `json:"ages"` // up to 5, 10, 20, … 1280 minutes, and older
}

// shapeAnswer is the age distribution.
type shapeAnswer struct {
	Rows []shapeRow `json:"rows"`
}

var shapeBy = map[string]queue.ShapeBy{"destination": queue.ByDestination, "sender": queue.BySender, "identity": queue.ByIdentity}

// Run counts jobs by age.
func (c *queueShapeCmd) Run(a *app) error {
	if c.Top < 1 || c.Top > 1000 {
		return &useError{"--top is 1 to 1000"}
	}
	x := shapeAnswer{Rows: []shapeRow{}}
	err := a.withQueue(func(s *sqlqueue.Storage) error {
		rows, err := queue.Shape(a.ctx, s, c.queue(), shapeBy[c.By], time.Now(), c.Top)
		for i := range rows {
			x.Rows = append(x.Rows, shapeRow{rows[i].Key, rows[i].Total, rows[i].Ages[:]})
		}
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
	return a.result(x, x.lines()...)
}

// lines are a table with the keys on the left, as wide as the longest.
func (x *shapeAnswer) lines() []string {
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
