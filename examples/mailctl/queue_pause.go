package main

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlqueue"
)

// pausing names destinations.
type pausing struct {
	Destinations []string `arg:"" name:"destination" help:"Next hops, as queue list shows them."`
}

type queuePauseCmd struct{ pausing }

// Run pauses destinations.
func (c *queuePauseCmd) Run(a *app) error { return c.set(a, true) }

type queueResumeCmd struct{ pausing }

// Run ends pauses.
func (c *queueResumeCmd) Run(a *app) error { return c.set(a, false) }

// pausedChange counts the destinations that were not yet as they are to be.
type pausedChange struct {
	Destinations int  `json:"destinations"`
	DryRun       bool `json:"dry_run,omitempty"`
}

func (c *pausing) set(a *app, pause bool) error {
	slices.Sort(c.Destinations)
	names := slices.Compact(c.Destinations)
	if names[0] == "" {
		return &useError{"a destination is empty"}
	}
	was, err := a.paused()
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(d string) bool { return slices.Contains(was, d) == pause })
	if !a.dryRun && len(names) > 0 {
		if err := a.setPaused(names, pause); err != nil {
			return err
		}
	}
	return a.result(pausedChange{len(names), a.dryRun}, fmt.Sprintf("%d destinations", len(names)))
}

func (a *app) setPaused(names []string, pause bool) error {
	return a.withQueue(func(s *sqlqueue.Storage) error {
		for _, d := range names {
			if err := queue.SetPaused(a.ctx, s, d, pause); err != nil {
				return err
			}
		}
		return nil
	}, func(s *server) error {
		path := "/v1/queue/resume"
		if pause {
			path = "/v1/queue/pause"
		}
		for _, d := range names {
			if err := s.Do(a.ctx, http.MethodPost, path, map[string]any{"destination": d}, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// paused are the destinations that are paused.
func (a *app) paused() (list []string, err error) {
	err = a.withQueue(func(s *sqlqueue.Storage) (err error) {
		list, err = queue.Paused(a.ctx, s)
		return err
	}, func(s *server) error {
		var x answer.Paused
		err := s.Do(a.ctx, http.MethodGet, "/v1/queue/paused", nil, &x)
		list = x.Destinations
		return err
	})
	return list, err
}

type queuePausedCmd struct{}

// Run lists what is paused.
func (queuePausedCmd) Run(a *app) error {
	list, err := a.paused()
	if err != nil {
		return err
	}
	if list == nil {
		list = []string{}
	}
	return a.result(answer.Paused{Destinations: list}, list...)
}
