package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/examples/connector/internal/settings"
	"github.com/mailstead/mailstead/store/control"
)

// statusCmd is status.
type statusCmd struct{}

// Run implements the command.
func (statusCmd) Run(a *app) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	st, err := a.askStatus(s.Data)
	if e, ok := errors.AsType[*control.Error](err); ok && e.Code == control.CodeNoServer {
		st, err = a.readStatus(s)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.result(st)
	}
	return st.print(a.out)
}

// askStatus asks the connector that runs.
func (a *app) askStatus(dir string) (*statusAnswer, error) {
	c := control.NewClient(dir)
	defer c.Close()
	st := &statusAnswer{}
	return st, c.Do(a.ctx, "GET", "/v1/connector/status", nil, st)
}

// readStatus says what the state has, where no connector runs.
func (a *app) readStatus(s *settings.Settings) (*statusAnswer, error) {
	quiet := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	svc, err := openExisting(a.ctx, s.Data, quiet)
	if err != nil {
		return nil, err
	}
	st := &statusAnswer{Sources: []sourceStatus{}}
	for _, src := range s.Sources {
		one := sourceStatus{Name: src.Name, Disabled: src.Disabled, Phase: "stopped"}
		if svc != nil {
			err = errors.Join(err, svc.remembered(a.ctx, src.Name, &one))
		}
		st.Sources = append(st.Sources, one)
	}
	if svc == nil {
		return st, nil
	}
	q, qErr := svc.queue.Stats(a.ctx)
	if qErr == nil && q.Jobs > 0 {
		st.Queue = &queueStatus{Jobs: q.Jobs, Held: q.Held}
	}
	return st, errors.Join(err, qErr, svc.close())
}

// remembered counts what the state has of a source.
func (s *service) remembered(ctx context.Context, name string, st *sourceStatus) error {
	var newest time.Time
	for r, err := range s.state.Records(ctx, name) {
		if err != nil {
			return err
		}
		if r.Kind == fetch.KindMessage && !r.Fetched.IsZero() {
			st.Remembered++
			if r.Fetched.After(newest) {
				newest = r.Fetched
			}
		}
	}
	st.Newest = known(newest)
	return nil
}

// print writes a table for people.
func (st *statusAnswer) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	if st.Running {
		fmt.Fprintf(out, "running, process %d, since %s\n", st.PID, st.Started.Local().Format(time.DateTime))
		fmt.Fprintln(w, "SOURCE\tPHASE\tON SERVER\tLEFT\tCOLLECTED\tQUARANTINED\tLAST PASS\tERROR")
	} else {
		fmt.Fprintln(out, "not running")
		fmt.Fprintln(w, "SOURCE\tPHASE\tREMEMBERED\tLAST COLLECTED")
	}
	for i := range st.Sources {
		s := &st.Sources[i]
		phase := s.Phase
		if s.Disabled {
			phase = "disabled"
		}
		if !st.Running {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", s.Name, phase, s.Remembered, moment(s.Newest))
			continue
		}
		c := s.Counts
		if c == nil {
			c = &sourceCounts{}
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\n", s.Name, phase, s.Listed, s.Left, c.Fetched, c.Quarantined, moment(s.Last), s.Error)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if st.Queue != nil {
		fmt.Fprintf(out, "queue: %d jobs, %d held\n", st.Queue.Jobs, st.Queue.Held)
	}
	return nil
}

func moment(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Local().Format(time.DateTime)
}
